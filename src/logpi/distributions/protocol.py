"""The protocol of distributions over actions."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float, Key, PyTree


@runtime_checkable
class Distribution(Protocol):
    """A distribution over actions, batched over the leading axes of its parameters.

    Sampling is split in two, `sample = push ∘ noise`, so that a rollout draws all its noise in one call and actors on
    the device and on the host turn the same noise into the same actions.

    A distribution may also define `numpy_sampler() → list[str]` (see the function below): exported policies then sample
    with NumPy alone. Without it, only the mode is exported.
    """

    def noise(self, key: Key[Array, ""]) -> PyTree:
        """Random draws whose distribution depends only on the shape of the parameters, never on their values."""
        ...

    def push(self, noise: PyTree) -> PyTree:
        """Map noise to an action, deterministically."""
        ...

    def sample(self, key: Key[Array, ""]) -> PyTree:
        """Sample an action: push(noise(key))."""
        ...

    def log_prob(self, action: PyTree) -> Float[Array, "*B"]:
        """log π(a) of an action as sampled, before `to_env`."""
        ...

    def entropy(self) -> Float[Array, "*B"]:
        """−E log π, in nats."""
        ...

    def kl(self, other: Any) -> Float[Array, "*B"]:
        """KL(self‖other), in nats."""
        ...

    def mode(self) -> PyTree:
        """The action without exploration, argmax π where that is known in closed form."""
        ...

    def to_env(self, action: PyTree) -> PyTree:
        """Map a sampled action to the one sent to the environment (which maps it to its own bounds)."""
        ...


def numpy_sampler(pi: object) -> list[str] | None:
    """Ask a distribution for the methods of `numpy.random.Generator` that draw its noise, one text per leaf.

    Each text is a call with `{0}` for the shape, such as "standard_normal({0})". None if the distribution's own class
    does not define `numpy_sampler`; an inherited one does not count, because a subclass may draw other noise.
    """
    sampler = getattr(pi, "numpy_sampler", None) if "numpy_sampler" in vars(type(pi)) else None
    return None if sampler is None else sampler()
