"""The sampled proof: enough estimates, and their mean must be the exact gradient; 1.03 times the estimate must fail."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from enumeration import estimate
from jax import lax
from scipy import stats

from logpi.core.collection import Episodes
from logpi.environments.tasks.tabular import Tabular
from logpi.environments.vmap import Vmap
from logpi.policies.behavior import Behavior
from logpi.rollout import device
from logpi.types import State


@eqx.filter_jit
def moments(method, mdp, state, mu, key, rounds, m):
    """(number of estimates, their mean, their covariance): batches of m episodes played in the environment by μ."""
    environment = Vmap(Tabular(mdp), 1000 * m, mdp.horizon)
    one = lambda tau: estimate(method, state, tau).reshape(-1)

    def play(carry, key):
        tau = device.rollout(environment, Behavior(mu), (), key, Episodes())[1]
        cut = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(x.shape[0], -1, m, *x.shape[2:]), 1, 0), tau)
        g = jax.vmap(one)(cut)
        return (carry[0] + jnp.sum(g, axis=0), carry[1] + g.T @ g), None

    size = mdp.states * mdp.actions
    total, square = lax.scan(play, (jnp.zeros(size), jnp.zeros((size, size))), jr.split(key, rounds))[0]
    n = rounds * 1000
    mean = total / n
    return n, mean, square / n - jnp.outer(mean, mean)


def verdict(n, mean, covariance, exact):
    """(the standard error along ∇J as a share of ‖∇J‖, z along ∇J, the p-value of one χ² over all coordinates)."""
    exact = np.asarray(exact).reshape(-1)
    off, covariance = np.asarray(mean) - exact, np.asarray(covariance) / n
    length = np.linalg.norm(exact)
    error = np.sqrt(exact @ covariance @ exact) / length
    values, vectors = np.linalg.eigh(covariance)
    real = values > 1e-10 * values.max()  # logits that move together carry no information
    chi = float(np.sum((vectors.T @ off)[real] ** 2 / values[real]))
    return error / length, float(off @ exact / length / error), float(stats.chi2.sf(chi, real.sum()))


def assert_unbiased(method, mdp, policy, exact, *, mu=None, critic=None, m=1, rounds=200):
    """Within four standard errors of the exact gradient, with errors so small that 1.03 times the estimate is not."""
    state = State(policy, critic, (), ())
    n, mean, covariance = moments(method, mdp, state, policy if mu is None else mu, jr.key(0), rounds, m)
    error, z, p = verdict(n, mean, covariance, exact)
    assert error <= 0.0075, f"the standard error is {error:.2%} of the gradient: more samples are needed"
    assert abs(z) <= 4 and p > 1e-4, (z, p)
    error, z, p = verdict(n, 1.03 * mean, 1.03**2 * covariance, exact)
    assert abs(z) > 4 or p <= 1e-4, "1.03 times the estimate passes too: more samples are needed"
