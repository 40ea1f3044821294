"""Convolutions are convolutions; pictures stay bytes until a network looks at them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import stirred
from gymnasium import spaces

from logpi.policies.action_masking import ActionMasked
from logpi.policies.cnn import Convolutions, cnn_critic, cnn_policy
from logpi.policies.images import image_encoder, image_leaves

FRAMES = spaces.Box(0, 255, (4, 40, 36), np.uint8)
SCREEN = spaces.Box(0, 255, (7, 9, 3), np.uint8)
MIXED = spaces.Dict(
    a=spaces.Tuple((SCREEN, spaces.Discrete(3))), b=spaces.Box(-1, 1, (2,)), action_mask=spaces.MultiBinary(5)
)


def by_xla(convolutions, x):
    """The same layers by XLA's own convolution."""
    for layer in convolutions.layers:
        padding = "SAME" if layer.padded else "VALID"
        numbers, strides = ("NHWC", "HWIO", "NHWC"), (layer.stride, layer.stride)
        x = jax.lax.conv_general_dilated(x[None], layer.weight, strides, padding, dimension_numbers=numbers)[0]
        x = jax.nn.relu(x + layer.bias[None, None])
    return jnp.ravel(x)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("shape", [(37, 50, 3), (7, 8, 3), (1, 1, 2)])
def test_layers_are_those_of_xlas_convolution(shape):
    network = stirred(Convolutions(shape, key=jr.key(0)), jr.key(1), 0.05)
    x = jr.uniform(jr.key(2), shape)
    got, want = eqx.filter_jit(lambda network, x: (network(x), by_xla(network, x)))(network, x)
    assert got.shape == want.shape and np.max(want) > 0
    np.testing.assert_allclose(got, want, atol=1e-4 * np.max(want))


def test_large_pictures_are_seen_by_the_layers_of_2015():
    network = eqx.filter_eval_shape(lambda key: Convolutions((84, 84, 4), key=key), jr.key(0))
    assert [layer.weight.shape for layer in network.layers] == [(8, 8, 4, 32), (4, 4, 32, 64), (3, 3, 64, 64)]
    assert eqx.filter_eval_shape(network, jnp.zeros((84, 84, 4))).shape == (7 * 7 * 64,)


def test_weights_are_orthogonal_with_gain_root_two():
    for layer in Convolutions((7, 8, 3), key=jr.key(0)).layers:
        w = np.asarray(layer.weight, float).reshape(-1, layer.weight.shape[-1])
        np.testing.assert_allclose(w.T @ w, 2 * np.eye(w.shape[1]), atol=1e-5)


@pytest.mark.parametrize("space", [FRAMES, SCREEN, spaces.Box(0, 3, (5, 5, 5), np.uint8)], ids=str)
def test_a_picture_is_its_bytes_from_0_to_1_with_channels_last(space):
    encode, shapes, rest = image_encoder(space, normalize=True)
    space.seed(0)
    x = space.sample()
    (picture,), numbers = encode(jnp.asarray(x))
    want = np.moveaxis(x, 0, -1) if space is FRAMES else x
    assert picture.shape == shapes[0] and rest == 0 and numbers.shape == (0,)
    np.testing.assert_allclose(picture, want / space.high.max(), rtol=1e-6)


def test_pictures_are_bytes_with_three_axes():
    for other in (spaces.Box(0, 1, (8, 8, 3)), spaces.Box(0, 255, (8, 8), np.uint8), spaces.Discrete(3)):
        assert not image_leaves(other)
    assert set(image_leaves(MIXED)) == {("a", 0)} and set(image_leaves(SCREEN)) == {()}


def sample():
    MIXED.seed(0)
    return jax.tree.map(jnp.asarray, MIXED.sample())


def test_pictures_and_the_rest_are_both_seen():
    policy = stirred(cnn_policy(MIXED, spaces.Discrete(5), hidden=(8,), key=jr.key(0)), jr.key(1), 0.05)
    critic = stirred(cnn_critic(MIXED, hidden=(8,), key=jr.key(0)), jr.key(1), 0.05)
    obs = sample() | {"action_mask": jnp.ones(5, jnp.int8)}
    picture, lamp = obs["a"]
    changes = [{}, {"a": (255 - picture, lamp)}, {"a": (picture, (lamp + 1) % 3)}, {"b": -obs["b"]}]
    seen = jax.tree.map(lambda *x: jnp.stack(x), *[obs | change for change in changes])
    logits, value = eqx.filter_jit(lambda p, c, o: (jax.vmap(p)(o).logits, jax.vmap(c)(o)))(policy, critic, seen)
    assert isinstance(policy, ActionMasked)
    assert np.all(np.abs(logits[1:] - logits[:1]).max(axis=1) > 1e-3) and np.all(np.abs(value[1:] - value[0]) > 1e-3)


def test_statistics_are_of_the_rest_alone():
    encode, _, rest = image_encoder(MIXED, normalize=True)
    assert rest == 5 and encode.rest.moments.value.mean.shape == (5,)
    assert not hasattr(image_encoder(SCREEN, normalize=True)[0].rest, "moments")


@pytest.mark.slow
def test_the_first_policy_is_nearly_uniform_whatever_it_sees():
    policy = cnn_policy(SCREEN, spaces.Discrete(4), hidden=(16,), key=jr.key(0))
    obs = jr.randint(jr.key(1), (4, 7, 9, 3), 0, 256).astype(jnp.uint8)
    probability = jax.nn.softmax(jax.jit(jax.vmap(policy))(obs).logits)
    assert jnp.max(jnp.abs(jnp.log(probability) - jnp.log(0.25))) < 0.16
