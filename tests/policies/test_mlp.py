"""The network's formula and its first weights."""

import jax
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


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("layer", NET.layers, ids=str)
def test_gradients_are_those_of_the_plain_product_in_both_modes(layer):
    """∂/∂W of Σ_b δ_b · (x_b W + b) is Σ_b x_b δ_bᵀ, ∂/∂x_b is W δ_b; forward mode, and reverse over it, agree."""
    x = jr.normal(jr.key(1), (5, layer.weight.shape[0]))
    delta = jr.normal(jr.key(2), (5, layer.weight.shape[1]))
    total = lambda layer, x: jnp.sum(delta * jax.vmap(layer)(x))
    by_layer, by_x = jax.grad(total, argnums=(0, 1))(layer, x)
    np.testing.assert_allclose(by_layer.weight, x.T @ delta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_layer.bias, delta.sum(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_x, delta @ layer.weight.T, rtol=1e-5, atol=1e-6)
    along = jax.tree.map(jnp.ones_like, layer)
    forward = jax.jvp(lambda layer: total(layer, x), (layer,), (along,))[1]
    np.testing.assert_allclose(forward, jnp.sum(x.T @ delta) + delta.sum(), rtol=1e-4)
    curved = lambda layer: jnp.sum(jnp.square(jax.vmap(layer)(x)))
    product = jax.jvp(jax.grad(curved), (layer,), (along,))[1]
    np.testing.assert_allclose(
        product.weight, 2 * x.T @ (x.sum(axis=1, keepdims=True) + jnp.ones(delta.shape)), rtol=1e-4
    )
