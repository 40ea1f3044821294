"""Monte-Carlo means under a distribution: by the score function, and by importance sampling."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Key, PyTree

from logpi.distributions.protocol import Distribution


def score_function_gradient(
    family: Callable[[PyTree], Distribution],
    theta: PyTree,
    f: Callable[[PyTree], Float[Array, ""]],
    key: Key[Array, ""],
    num_samples: int = 1000,
) -> PyTree:
    """Estimate ∇_θ E_{x∼p_θ}[f(x)] by ĝ = (1/n) Σ_i f(x_i) ∇_θ log p_θ(x_i); f need not be differentiable.

    - `family`: function θ ↦ p_θ, one distribution.
    - `theta`: θ, a tree of floating-point arrays.
    - `f`: function of one sample.
    - `key`: of the samples.
    - `num_samples`: n ≥ 1, default 1000.

    Returns a tree like θ: unbiased, its variance falls as 1/n.

        >>> from logpi.distributions.gaussian import Gaussian
        >>> normal = lambda mean: Gaussian(mean, jnp.zeros(1))
        >>> score_function_gradient(normal, jnp.ones(1), lambda x: x[0] ** 2, jr.key(0), 100_000).round(1)
        Array([2.], dtype=float32)

    Source: Glynn 1990; Williams 1992.
    """
    samples = _samples(family(theta), key, num_samples)
    values = jax.lax.stop_gradient(jax.vmap(f)(samples))

    def surrogate(theta: PyTree) -> Float[Array, ""]:
        """(1/n) Σ f(x_i) log p_θ(x_i), whose gradient is ĝ."""
        return jnp.mean(values * jax.vmap(family(theta).log_prob)(samples))

    return jax.grad(surrogate)(theta)


def importance_sampled_mean(
    target: Distribution,
    proposal: Distribution,
    f: Callable[[PyTree], Float[Array, ""]],
    key: Key[Array, ""],
    num_samples: int = 1000,
) -> Float[Array, ""]:
    """Estimate E_{x∼p'}[f(x)] from samples of p: (1/n) Σ_i [p'(x_i) / p(x_i)] f(x_i).

    - `target`, `proposal`: p' and p; p must be positive wherever p' f is not 0.
    - `f`, `key`, `num_samples`: as in `score_function_gradient`.

    Source: Kahn and Harris 1951.
    """
    samples = _samples(proposal, key, num_samples)
    ratio = jnp.exp(jax.vmap(target.log_prob)(samples) - jax.vmap(proposal.log_prob)(samples))
    return jnp.mean(ratio * jax.vmap(f)(samples))


def _samples(p: Distribution, key: Key[Array, ""], num_samples: int) -> PyTree:
    """Sample n times, independently, along a new leading axis."""
    return jax.lax.stop_gradient(jax.vmap(p.sample)(jr.split(key, num_samples)))
