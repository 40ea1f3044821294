"""What V-trace converges to, exact, by listing all trajectories of the policy that acted."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import algorithm, batches, expectation
from worlds import GAMMA, Softmax, Worth, table

from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.vtrace import VTrace
from logpi.oracle.time_augmented import time_augmented
from logpi.types import State


def clocked(mdp):
    """(a problem whose trajectories can be listed, the same with time in its states, π, μ)."""
    timed = time_augmented(mdp)
    listed = dataclasses.replace(timed, horizon=mdp.horizon)
    return listed, timed, Softmax(table(timed)), Softmax(table(timed, seed=1))


def limited(pi, mu, limit):
    """log of the policy ∝ min(ρ̄ μ, π): Espeholt et al. 2018, eq. (3)."""
    p, q = jax.nn.softmax(pi.logits), jax.nn.softmax(mu.logits)
    return jnp.log(jnp.minimum(limit * q, p))


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(("limit", "trace_limit"), [(1.0, 1.0), (0.8, 0.5), (1.5, 1.0), (jnp.inf, jnp.inf)])
def test_its_fixed_point_is_the_value_of_the_policy_in_between(limit, trace_limit, drawn):
    """E_μ[v_t | s_t = s] = V(s) at V = V of π_ρ̄; for no limit that is V^π."""
    listed, timed, pi, mu = clocked(drawn(3))
    exact = timed.value(limited(pi, mu, limit))
    tau, _, chance = batches(listed, mu, 1)
    state = State(pi, Worth(exact), (), ())
    target = eqx.filter_jit(VTrace(GAMMA, limit, trace_limit))(state, tau)[1]
    weight, where = jnp.where(tau.valid, chance[None], 0), jnp.argmax(tau.obs, axis=-1)
    seen = jnp.zeros(timed.states).at[where].add(weight)
    mean = jnp.zeros(timed.states).at[where].add(weight * target) / jnp.where(seen > 0, seen, 1)
    np.testing.assert_allclose(mean[seen > 0], exact[seen > 0], rtol=1e-8, atol=1e-10)
    if limit == jnp.inf:
        np.testing.assert_allclose(exact, timed.value(pi.logits), rtol=1e-10)


def test_its_mean_gradient_corrects_the_action_and_what_follows_not_the_states(drawn):
    """E ĝ = Σ_t γ^t Σ_s P_μ(s_t = s) Σ_a ∇π(a|s) Q^π(s, a) with the exact V and no limits: μ's states, π's future."""
    listed, timed, pi, mu = clocked(drawn(3))
    credit = TimeDiscounted(VTrace(GAMMA, jnp.inf, jnp.inf), GAMMA)
    got = expectation(algorithm(credit), listed, pi, mu=mu, critic=Worth(timed.value(pi.logits)))
    jacobian = jax.jit(jax.vmap(jax.jacobian(jax.nn.softmax)))(pi.logits)
    target = np.einsum("i,ijk,ij->ik", timed.occupancy(mu.logits), jacobian, timed.action_value(pi.logits))
    np.testing.assert_allclose(got, target, rtol=1e-8, atol=1e-10)
