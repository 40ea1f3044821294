"""What flows through logpi: trajectories, batches, the learner's state, and the one rule for what is learned.

Axes: T time steps, N environments, B rows of a batch (either `T N` or one flat axis).
"""

from typing import Any

import equinox as eqx
import jax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

Info = dict[str, Float[Array, ""]]
"""Scalar metrics of one iteration or update by name, such as `kl`."""

Number = Any
"""A hyper-parameter: a float, a schedule such as `LinearSchedule`, or a scalar array (a new value never recompiles).

Schedules are resolved by `algorithm.at(progress)` before anything computes, so formulas only ever meet numbers.
"""


class Trajectory(eqx.Module):
    """What N environments answered over T steps, time-major: τ.

    `next_obs[t]` is the true successor of `obs[t]`, also where an episode ends; `obs[t + 1]` is where the next
    action is taken, after a reset if there was one.

    - `log_prob`: log μ(a|s) under the behavior policy that acted.
    - `time`: the step's index within its episode, from 0.
    - `terminated`: the MDP ended here, so V(next_obs) := 0.
    - `truncated`: we stopped watching here, so V(next_obs) still counts.
    - `valid`: the row counts; an autoreset's dummy step and the padding after an episode's end do not.
    - `complete`: every column is one whole episode (collected by `Episodes`).
    """

    obs: PyTree[Shaped[Array, "T N ..."]]
    action: PyTree[Shaped[Array, "T N ..."]]
    log_prob: Float[Array, "T N"]
    reward: Float[Array, "T N"]
    next_obs: PyTree[Shaped[Array, "T N ..."]]
    time: Int[Array, "T N"]
    terminated: Bool[Array, "T N"]
    truncated: Bool[Array, "T N"]
    valid: Bool[Array, "T N"]
    complete: bool = eqx.field(static=True, default=False)

    @property
    def done(self) -> Bool[Array, "T N"]:
        """Where an episode ended, for either reason."""
        return self.terminated | self.truncated


class Batch(eqx.Module):
    """The rows an objective is evaluated on.

    - `weight`: the credit Φ each action gets.
    - `target`: what V(obs) should predict.
    - `old`: π_old(·|obs), the distributions the update started from.
    - `scale`: what sums over valid rows are divided by: the number of episodes where trajectories are complete
      (the gradient is then ∇J), else the number of valid rows (∇J divided by the mean episode length).
    """

    obs: PyTree[Shaped[Array, "..."]]
    action: PyTree[Shaped[Array, "..."]]
    log_prob: Float[Array, "*B"]
    credit: Float[Array, "*B"]
    target: Float[Array, "*B"]
    valid: Bool[Array, "*B"]
    old: PyTree
    scale: Float[Array, ""]


class State(eqx.Module):
    """All that learning carries from one iteration to the next."""

    policy: PyTree
    critic: PyTree
    opt: PyTree
    critic_opt: PyTree


class Frozen(eqx.Module):
    """A subtree that is carried along but never learned: running statistics, a fixed σ."""

    value: PyTree


def trainable(tree: PyTree) -> tuple[PyTree, PyTree]:
    """Split a tree into what is learned, θ, and the rest; `equinox.combine` joins them again.

    θ is every floating-point array outside a `Frozen` subtree. Every gradient, optimizer state, perturbation and
    Fisher product in logpi goes through this one function.

        >>> import equinox as eqx, jax.numpy as jnp
        >>> theta, rest = trainable((jnp.ones(2), Frozen(jnp.zeros(3)), jnp.arange(4)))
        >>> [leaf.shape for leaf in jax.tree.leaves(theta)]
        [(2,)]
    """
    mask = jax.tree.map(
        lambda leaf: False if isinstance(leaf, Frozen) else eqx.is_inexact_array(leaf),
        tree,
        is_leaf=lambda leaf: isinstance(leaf, Frozen),
    )
    return eqx.partition(tree, mask)


def ravel(tree: PyTree) -> tuple[Float[Array, " P"], Any]:
    """θ as one flat vector, and the function that puts a vector back into a tree like the one given."""
    theta, rest = trainable(tree)
    flat, unravel = ravel_pytree(theta)
    return flat, lambda vector: eqx.combine(unravel(vector), rest)
