"""How good an iteration's gradient was: its noise, seen in how much groups of environments disagree."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from logpi.algorithms.batch import gradient
from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.core.collection import Collect
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.types import State, Trajectory

Info = dict[str, Float[Array, ""]]


class GradientNoiseMeter(eqx.Module):
    """The algorithm, and beside it the quality of the gradient of its objective, before the first step on each batch.

    The N columns are cut into G groups of neighbors. With g_k the gradient of group k and ḡ their mean,

        gradient_variance     v = Σ_k ‖g_k − ḡ‖² / (G (G − 1))      the trace of Cov ḡ
        gradient_signal       s = ‖ḡ‖² − v                          ‖∇J‖², without bias; noise can make it negative
        gradient_snr          s / v
        gradient_noise_scale  v · rows / s                          rows at which signal and noise are equal

    A group's gradient is that of the group as a batch of its own: credit is standardized, and mean baselines are taken,
    within it. Groups are independent but for V, which all share.

    - `algorithm`: what learns; it learns as it would without the meter, bit for bit.
    - `groups`: G ≥ 2, which divides the number of columns.

    Source: McCandlish et al. 2018, "An empirical model of large-batch training", §2.2 and appendix A.1.
    """

    algorithm: PolicyGradient
    groups: int = eqx.field(static=True, default=8)

    @property
    def collect(self) -> Collect:
        """The algorithm's own."""
        return self.algorithm.collect

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """The algorithm's own beginning."""
        return self.algorithm.init(policy, critic)

    def at(self, progress: Any) -> "GradientNoiseMeter":
        """With the algorithm's schedules at their values."""
        return GradientNoiseMeter(self.algorithm.at(progress), self.groups)

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """The algorithm's own."""
        return self.algorithm.behavior(state, key)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """The algorithm's own, with the figures of the meter. Raises LogpiError if the groups would be unequal."""
        new, info = self.algorithm.learn(state, mu, tau, key)
        return new, info | self._quality(state, tau)

    def _quality(self, state: State, tau: Trajectory) -> Info:
        columns, method = tau.valid.shape[1], self.algorithm
        if not 2 <= self.groups <= columns or columns % self.groups:
            raise LogpiError(f"noise_scale_groups is {self.groups}; allowed: a divisor of the {columns} columns, ≥ 2")
        cut = lambda x: jnp.moveaxis(x.reshape(x.shape[0], self.groups, -1, *x.shape[2:]), 1, 0)
        each = lambda part: ravel_pytree(gradient(method.credit, method.objective, state, part))[0]
        return quality(lax.map(each, jax.tree.map(cut, tau)), jnp.sum(tau.valid, dtype=float))


def quality(gradients: Float[Array, "G P"], rows: Float[Array, ""]) -> Info:
    """The figures of `GradientNoiseMeter` from the groups' gradients, on so many rows in all."""
    groups, mean = gradients.shape[0], jnp.mean(gradients, axis=0)
    variance = jnp.sum((gradients - mean[None]) ** 2) / (groups * (groups - 1))
    signal = jnp.sum(mean**2) - variance
    return {
        "gradient_variance": variance,
        "gradient_signal": signal,
        "gradient_snr": signal / variance,
        "gradient_noise_scale": variance * rows / signal,
    }
