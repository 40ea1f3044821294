"""What a step between policies may promise: the surrogate, its error, and where the natural gradient points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from worlds import WORLDS, stationary, table

from logpi.distributions.categorical import Categorical
from logpi.objectives.score import score
from logpi.oracle.gradient import natural_direction
from logpi.oracle.surrogate import mean_kl, surrogate, surrogate_error_bound
from logpi.oracle.tables import TablePolicy
from logpi.types import Batch, ravel
from logpi.updates.natural import NaturalGradient


def largest_kl(mdp, old, new):
    """max_s KL(π_old‖π) over the states that an episode can go on from."""
    return float(np.max(np.asarray(Categorical(old).kl(Categorical(new)))[~np.asarray(mdp.terminal)]))


@pytest.fixture
def endless(name, double):
    return stationary(WORLDS[name](8))


def moved(mdp, size):
    """The policy, and one a step of that size away."""
    old = table(mdp)
    return old, old + size * table(mdp, seed=1)


@pytest.mark.thorough_after(1)
def test_the_surrogate_is_within_its_bound(endless):
    """|U(π) − U(π_old) − L| ≤ 4 ε γ / (1 − γ)² · max_s KL(π_old‖π), ε = max |A| (Schulman et al. 2015, theorem 1).

    Utilities here are sums from ρ0, so the constant is theirs; steps of all sizes, from tiny to wild.
    """
    gamma, largest = float(endless.gamma), float(np.max(np.abs(endless.advantage(table(endless)))))
    constant = 4 * largest * gamma / (1 - gamma) ** 2
    for size in (0.01, 0.1, 1.0, 3.0):
        old, new = moved(endless, size)
        error = abs(float(endless.utility(new) - endless.utility(old)) - surrogate(endless, old, new))
        assert 0 < error <= constant * largest_kl(endless, old, new)


@pytest.mark.thorough_after(1)
def test_the_surrogate_s_error_is_at_most_a_constant_times_the_root_of_the_mean_kl(endless):
    """The deck's form: |error| ≤ C √(E_d KL), C = √2 γ/(1 − γ) · max_s |E_{a∼π} A| · Σ_s d(s).

    Source: Achiam et al. 2017, corollary 2, with occupancies that sum to what they sum to.
    """
    for size in (0.01, 0.1, 1.0, 3.0):
        old, new = moved(endless, size)
        error = abs(float(endless.utility(new) - endless.utility(old) - surrogate(endless, old, new)))
        assert error <= surrogate_error_bound(endless, old, new)


@pytest.mark.thorough_after(1)
def test_the_bound_is_the_deck_s_formula(endless):
    """C √KL, each factor spelled out in NumPy."""
    old, new = moved(endless, 0.5)
    gamma, pi = float(endless.gamma), jax.nn.softmax(new)
    gain = np.einsum("ij,ij->i", pi, endless.advantage(old))
    weight = np.asarray(endless.occupancy(old))
    kl = np.sum(jax.nn.softmax(old) * (jax.nn.log_softmax(old) - jax.nn.log_softmax(new)), axis=1)
    constant = np.sqrt(2) * gamma / (1 - gamma) * np.max(np.abs(gain)) * weight.sum()
    bound = constant * np.sqrt(np.sum(weight * kl) / weight.sum())
    np.testing.assert_allclose(surrogate_error_bound(endless, old, new), bound, rtol=1e-10)
    np.testing.assert_allclose(surrogate(endless, old, new), np.sum(weight * gain), rtol=1e-10)


@pytest.mark.thorough_after(1)
def test_the_surrogate_s_error_is_linear_in_kl(endless):
    """Both are of second order in the step: on log–log axes the slope is 1 ± 0.1."""
    points = []
    for size in np.geomspace(1e-3, 3e-2, 5):
        old, new = moved(endless, size)
        error = abs(float(endless.utility(new) - endless.utility(old)) - surrogate(endless, old, new))
        points.append((np.log(mean_kl(endless, old, new)), np.log(error)))
    slope = np.polyfit(*np.array(points).T, 1)[0]
    assert abs(slope - 1) < 0.1


@pytest.mark.thorough_after(1)
def test_the_natural_gradient_is_the_advantage(endless):
    """F⁻¹∇U in logits is A(s, a) · Σd, up to a constant a state: the compatible function (Kakade 2002, theorem 1)."""
    old = table(endless)
    alive = np.asarray(endless.occupancy(old)) > 0
    direction = np.asarray(natural_direction(endless, old)).reshape(old.shape)[alive]
    pi = np.asarray(jax.nn.softmax(old))[alive]
    centered = direction - np.sum(pi * direction, axis=1, keepdims=True)
    advantage = np.asarray(endless.advantage(old))[alive] * float(np.sum(endless.occupancy(old)))
    np.testing.assert_allclose(centered, advantage, rtol=1e-5, atol=1e-8 * np.abs(advantage).max())


@pytest.mark.thorough
def test_the_update_s_step_is_along_the_advantage(endless):
    """`NaturalGradient` on a batch in which every state stands once: Δθ, centered in each state, is a multiple of A."""
    old = TablePolicy(table(endless))
    alive = np.flatnonzero(~np.asarray(endless.terminal))
    actions = endless.actions
    states = jnp.asarray(np.repeat(alive, actions))
    obs = jnp.eye(endless.states)[states]
    action = jnp.asarray(np.tile(np.arange(actions, dtype=np.int32), len(alive)))
    pi = jax.vmap(old)(obs)
    log_prob = pi.log_prob(action)
    weight = jnp.exp(log_prob) * endless.advantage(old)[states, action]
    rows = Batch(obs, action, log_prob, weight, weight, jnp.ones(len(states), bool), pi, jnp.asarray(float(len(alive))))
    update = NaturalGradient(1e-4, iterations=len(states) + 10, damping=0.0)
    new, _, info = update(score, old, rows, (), jax.random.key(0))
    step = np.asarray(ravel(new)[0] - ravel(old)[0]).reshape(endless.states, actions)[alive]
    chance = np.exp(np.asarray(log_prob)).reshape(len(alive), actions)
    centered = step - np.sum(chance * step, axis=1, keepdims=True)
    advantage = np.asarray(endless.advantage(old))[alive]
    cosine = np.sum(centered * advantage) / np.linalg.norm(centered) / np.linalg.norm(advantage)
    assert info["skipped_updates"] == 0 and cosine > 1 - 1e-8
