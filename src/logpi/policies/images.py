"""Images among the observations: stored as bytes, scaled to [0, 1] by the encoder."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Float, PyTree, UInt8

from logpi.policies.action_masking import PATH
from logpi.policies.encoder import Path, encoder, subspaces
from logpi.policies.normalization import Normalize, initial_moments


class ImageEncoder(eqx.Module):
    """Encoder of one image: bytes to floats in [0, 1], channels last."""

    highest: float = eqx.field(static=True)
    channels_first: bool = eqx.field(static=True)

    def __call__(self, x: UInt8[Array, "..."]) -> Float[Array, "H W C"]:
        """Divide the image by the largest value of its space."""
        x = jnp.moveaxis(x, 0, -1) if self.channels_first else x
        return x.astype(float) / self.highest


class ImageAndVectorEncoder(eqx.Module):
    """Encoder that separates image leaves, in the order of their paths, from a vector of all other leaves."""

    paths: tuple[Path, ...] = eqx.field(static=True)
    pictures: tuple[ImageEncoder, ...]
    rest: Callable[[PyTree], Float[Array, " D"]]

    def __call__(self, obs: PyTree) -> tuple[tuple[Float[Array, "H W C"], ...], Float[Array, " D"]]:
        """Return (images, vector)."""
        return tuple(p(_at(obs, path)) for p, path in zip(self.pictures, self.paths, strict=True)), self.rest(obs)


def image_leaves(space: spaces.Space, path: Path = ()) -> dict[Path, spaces.Box]:
    """Find the images in a space by their paths: Boxes of bytes (uint8) with three axes."""
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3:
        return {path: space}
    if not isinstance(space, spaces.Dict | spaces.Tuple):
        return {}
    return {at: box for key, part in subspaces(space).items() for at, box in image_leaves(part, (*path, key)).items()}


def unscaled_images(space: spaces.Space, path: Path = ()) -> list[tuple[Path, spaces.Box, str]]:
    """List (path, box, advice) of what looks like images and has no image encoder, so that its numbers stay unscaled.

    These are Boxes of bytes without exactly three axes, such as one gray image or a stack of frames, and Boxes of other
    dtypes with at least two axes and bounds of 128 or more, such as images as floats up to 255.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = subspaces(space).items()
        return [found for key, part in parts for found in unscaled_images(part, (*path, key)) if (*path, key) != PATH]
    if not isinstance(space, spaces.Box) or not space.shape or not (128 <= space.high.max() <= 65535):
        return []
    axes, shape = len(space.shape), space.shape
    if space.dtype != np.uint8:
        low_enough = axes >= 2 and space.low.min() >= 0
        return [(path, space, "give images as uint8 of three axes, which a CNN scales")] if low_enough else []
    match axes:
        case 1:
            return [(path, space, "divide them by 255")]
        case 2:
            return [(path, space, f"give an image a channel axis, {(*shape, 1)}, for a CNN, which scales it")]
        case 3:
            return []
    return [
        (path, space, "move the axis of the frames into that of the channels: a CNN, which scales, takes three axes")
    ]


def image_encoder(space: spaces.Space, normalize: bool) -> tuple[ImageAndVectorEncoder, list[tuple[int, ...]], int]:
    """Make the encoder of images and vector; also return each image's shape (H, W, C) and the vector's length.

    Channels are the first axis if that is shorter than the last (stacked frames), else the last. With `normalize` the
    vector is normalized by its running statistics; images never are.
    """
    found = image_leaves(space)
    rest = encoder(space, leave_out=lambda path: path in found or path == PATH)
    first = {path: box.shape[0] < box.shape[-1] for path, box in found.items()}
    made = [ImageEncoder(max(1.0, float(box.high.max())), first[path]) for path, box in found.items()]
    shapes = [(*box.shape[1:], box.shape[0]) if first[path] else box.shape for path, box in found.items()]
    numbers = Normalize(rest, initial_moments((rest.size,))) if normalize and rest.size else rest
    return ImageAndVectorEncoder(tuple(found), tuple(made), numbers), shapes, rest.size


def _at(obs: PyTree, path: Path) -> PyTree:
    for key in path:
        obs = obs[key]
    return obs
