"""Data types of the library: trajectories, batches, the learner's state, and the definition of learned parameters θ.

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
"""A hyperparameter: a float, a schedule such as `LinearSchedule`, or a scalar array (a new value never recompiles).

Schedules are resolved by `algorithm.at(progress)` before anything is computed, so formulas contain numbers only.
"""


class Memory(eqx.Module):
    """Memories h of the networks of a learner, of which () stands for none: a memoryless network.

    - `policy`, `critic`: trees of arrays, whose axes are those that the place where they stand says.
    """

    policy: PyTree = ()
    critic: PyTree = ()


class Trajectory(eqx.Module):
    """Trajectories τ of N environments over T steps, time-major.

    `next_obs[t]` is the true successor of `obs[t]`, also where an episode ends; `obs[t + 1]` is the observation of the
    next action, after a reset if there was one.

    - `obs`: raw observations.
    - `action`: actions as sampled, before squashing or clipping.
    - `log_prob`: log μ(a|s) under the behavior policy that acted.
    - `reward`: as the environment returned it.
    - `time`: the step's index within its episode, from 0.
    - `terminated`: the MDP ended here, so V(next_obs) := 0.
    - `truncated`: the episode was cut here, so V(next_obs) still counts.
    - `valid`: the row counts; an autoreset's dummy step and the padding after an episode's end do not.
    - `complete`: every column is one whole episode (collected by `Episodes`).
    - `memory`: what the networks remember before the first row, [1, N, ...]; it counts only where that row continues an
      episode.
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
    memory: Memory = Memory()

    @property
    def begins(self) -> Bool[Array, "T N"]:
        """True where an episode begins: there a network has nothing to remember."""
        return self.time == 0

    @property
    def done(self) -> Bool[Array, "T N"]:
        """True where an episode ended: terminated or truncated."""
        return self.terminated | self.truncated


class Batch(eqx.Module):
    """Rows that an objective is evaluated on.

    - `obs`, `action`, `log_prob`, `valid`: as in `Trajectory`.
    - `credit`: Φ of each action.
    - `target`: regression target of the critic.
    - `old`: π_old(·|obs), the distributions at the start of the update.
    - `scale`: divisor of sums over valid rows: the number of episodes where trajectories are complete
      (the gradient is then ∇J), else the number of valid rows (∇J divided by the mean episode length).
    - `begins`, `memory`: as in `Trajectory`, for networks that remember, whose batches are time-major: [L, S] for S
      segments of L steps. None and nothing for memoryless networks.
    """

    obs: PyTree[Shaped[Array, "..."]]
    action: PyTree[Shaped[Array, "..."]]
    log_prob: Float[Array, "*B"]
    credit: Float[Array, "*B"]
    target: Float[Array, "*B"]
    valid: Bool[Array, "*B"]
    old: PyTree
    scale: Float[Array, ""]
    begins: Bool[Array, "*B"] | None = None
    memory: Memory = Memory()


class State(eqx.Module):
    """The learner's state: everything that learning carries from one iteration to the next.

    - `policy`, `critic`: networks; the critic is None if the algorithm has none.
    - `opt`, `critic_opt`: states of their updates, such as an optimizer's moments; () where there is none.
    """

    policy: PyTree
    critic: PyTree
    opt: PyTree
    critic_opt: PyTree


class Frozen(eqx.Module):
    """Subtree that is carried along but never learned: running statistics, a fixed σ."""

    value: PyTree


def trainable(tree: PyTree) -> tuple[PyTree, PyTree]:
    """Split a tree into the learned parameters θ and the rest; `equinox.combine` joins them again.

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
    """Flatten θ of a tree into one vector, and return with it the function from a vector to the tree with that θ."""
    theta, rest = trainable(tree)
    flat, unravel = ravel_pytree(theta)
    return flat, lambda vector: eqx.combine(unravel(vector), rest)
