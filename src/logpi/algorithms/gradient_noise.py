"""Gradient quality metrics: variance, signal-to-noise ratio and noise scale, from groups of environments."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from logpi.algorithms.batch import gradient
from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.algorithms.protocol import AlgorithmWrapper
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.types import Info, State, Trajectory


class GradientNoiseMeter(AlgorithmWrapper[PolicyGradient]):
    """Algorithm that also reports the quality of its objective's gradient, before the first step on each batch.

    The N columns are cut into G groups of neighbors. With g_k the gradient of group k and ḡ their mean,

        gradient_variance     v = Σ_k ‖g_k − ḡ‖² / (G (G − 1))      the trace of Cov ḡ
        gradient_signal       s = ‖ḡ‖² − v                          ‖∇J‖², without bias; noise can make it negative
        gradient_snr          s / v
        gradient_noise_scale  v · rows / s                          rows at which signal and noise are equal

    A group's gradient is that of the group as a batch of its own: credit is standardized, and mean baselines are taken,
    within it. Groups are independent but for V, which all share.

    - `algorithm`: the algorithm that learns; its results are the same without the meter, bit for bit.
    - `groups`: G ≥ 2, a divisor of the number of columns, 8.

    Source: McCandlish et al. 2018, "An empirical model of large-batch training", §2.2 and appendix A.1.
    """

    algorithm: PolicyGradient
    groups: int = eqx.field(static=True, default=8)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """Update the state as the wrapped algorithm does, and add the gradient metrics.

        Raises LogpiError if the columns cannot be cut into equal groups.
        """
        new, info = self.algorithm.learn(state, mu, tau, key)
        return new, info | self._metrics(state, tau)

    def _metrics(self, state: State, tau: Trajectory) -> Info:
        """Compute the metrics at the networks of `state`, one group after the other to bound memory."""
        columns, method = tau.valid.shape[1], self.algorithm
        if not 2 <= self.groups <= columns or columns % self.groups:
            raise LogpiError(f"noise_scale_groups is {self.groups}; allowed: a divisor of the {columns} columns, ≥ 2")
        split = lambda x: jnp.moveaxis(x.reshape(x.shape[0], self.groups, -1, *x.shape[2:]), 1, 0)
        flat_gradient = lambda group: ravel_pytree(gradient(method.credit, method.objective, state, group))[0]
        return quality(lax.map(flat_gradient, jax.tree.map(split, tau)), jnp.sum(tau.valid, dtype=float))


def quality(gradients: Float[Array, "G P"], rows: Float[Array, ""]) -> Info:
    """Compute the metrics of `GradientNoiseMeter`.

    - `gradients`: g_k, one per group.
    - `rows`: number of valid rows of all groups together.
    """
    groups, mean = gradients.shape[0], jnp.mean(gradients, axis=0)
    variance = jnp.sum((gradients - mean[None]) ** 2) / (groups * (groups - 1))
    signal = jnp.sum(mean**2) - variance
    return {
        "gradient_variance": variance,
        "gradient_signal": signal,
        "gradient_snr": signal / variance,
        "gradient_noise_scale": variance * rows / signal,
    }
