"""log μ(a|s) of the actions of a rollout, in one batch."""

import jax
from jaxtyping import Array, Float, PyTree, Shaped

from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import evaluate_behavior


def behavior_log_probs(
    mu: Behavior, obs: PyTree[Shaped[Array, "T C ..."]], action: PyTree[Shaped[Array, "T C ..."]], num_envs: int
) -> Float[Array, "T C"]:
    """Compute log μ(a|s) of every row; column e · N + i belongs to environment i, and to member i of a population."""
    rows = lambda tree: jax.tree.map(lambda x: x.reshape(-1, num_envs, *x.shape[2:]), tree)
    return evaluate_behavior(mu, rows(obs)).log_prob(rows(action)).reshape(jax.tree.leaves(obs)[0].shape[:2])
