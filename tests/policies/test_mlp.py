"""The network's formula and its first weights."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from logpi.policies.mlp import MLP

SIZES = (3, 16, 8, 20, 2)
NET = MLP(SIZES, 0.01, key=jr.key(0))


def test_the_output_is_affine_maps_with_tanh_between():
    x = np.array([0.5, -1.0, 2.0])
    hidden = x
    for layer in NET.layers[:-1]:
        hidden = np.tanh(hidden @ np.asarray(layer.weight) + np.asarray(layer.bias))
    want = hidden @ np.asarray(NET.layers[-1].weight) + np.asarray(NET.layers[-1].bias)
    np.testing.assert_allclose(NET(jnp.asarray(x, jnp.float32)), want, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("layer", "gain"), [(0, 2**0.5), (1, 2**0.5), (2, 2**0.5), (3, 0.01)])
def test_weights_are_orthogonal_with_their_gain(layer, gain):
    weight = np.asarray(NET.layers[layer].weight, float) / gain
    assert weight.shape == SIZES[layer : layer + 2]
    # The shorter side is orthonormal: columns where the layer narrows, rows where it widens.
    gram = weight.T @ weight if weight.shape[0] >= weight.shape[1] else weight @ weight.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)


def test_biases_are_zero():
    assert all(not jnp.any(layer.bias) for layer in NET.layers)


def test_layers_of_equal_shape_start_with_different_weights():
    first, second = MLP((4, 4, 4), 2**0.5, key=jr.key(0)).layers
    assert jnp.max(jnp.abs(first.weight - second.weight)) > 0.1


def test_a_network_of_one_layer_has_the_last_gain():
    (layer,) = MLP((3, 3), 0.01, key=jr.key(0)).layers
    np.testing.assert_allclose(np.linalg.svd(layer.weight)[1], 0.01, rtol=1e-4)
