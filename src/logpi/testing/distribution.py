"""Check of a distribution: samples, densities, entropies and divergences must agree with each other."""

import math
from collections.abc import Callable
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Key, PyTree

from logpi.distributions.protocol import Distribution
from logpi.testing.expect import close, kinds, offers, require, same_kind, within
from logpi.types import trainable

METHODS = ("noise", "push", "sample", "log_prob", "entropy", "kl", "mode", "to_env")


def check_distribution(p: object, q: object, *, draws: int = 20_000, seed: int = 0) -> None:
    """Raise LogpiError unless two distributions of one kind satisfy the contract of `Distribution`.

    - `p`, `q`: over one action each (no batch axes), different, with equal shapes; the support of q contains that of p.
    - `draws`: number of samples. Means must agree within 4 standard errors, scores within 5.
    - `seed`: of the samples. Faults below the sampling error go undetected.

    Checked: sample = push ∘ noise, noise independent of parameter values, batches equal to their rows, Σ π = 1 or
    ∫ π = 1 (in the sampled action or in what `to_env` makes of it), entropy and KL against samples, E ∇log π = 0, and
    that no sample has a higher density than the mode.

        >>> import jax.numpy as jnp, logpi
        >>> check_distribution(logpi.Categorical(jnp.array([0.0, 1.0])), logpi.Categorical(jnp.array([0.5, 0.0])))
    """
    offers(p, METHODS, "distribution")
    p, q = cast(Distribution, p), cast(Distribution, q)
    key = jr.key(seed)
    mode, sample, pushed = eqx.filter_eval_shape(lambda: (p.mode(), p.sample(key), p.push(p.noise(key))))
    same_kind(pushed, sample, "push(noise)", "let sample(key) be push(noise(key))")
    same_kind(mode, sample, "mode()", "give the mode the structure, shape and dtype of a sample")
    one, two, rows = eqx.filter_jit(_answers)(p, q, key)
    _shapes(*one, *two)
    for name, (got, wanted) in rows.items():
        good = kinds(got) == kinds(wanted) and close(got, wanted)
        remedy = "work on the last axes of the parameters, and leave leading axes as they are"
        require(good, f"{name} of a batch of distributions is not that of its rows", remedy)
    drawn = jax.device_get(eqx.filter_jit(_drawn)(p, q, jr.split(key, draws)))
    finite = bool(np.isfinite(drawn["log_p"]).all())
    require(finite, "log_prob of its own samples is not finite", "compute log π by a formula that cannot overflow")
    _means(one[0], two[0], drawn["log_p"], drawn["log_q"])
    _score(drawn["score"])
    _normalized(p, drawn["action"], drawn["log_p"], key)
    top, bend, there = drawn["log_p"].max(), drawn["stretch"], drawn["stretch_there"]
    at = one[0]["log_prob of mode"]
    good = top <= at + 1e-4 or (drawn["log_p"] + bend).max() <= at + there + 1e-4
    require(good, f"a sample has log_prob {top:.5g}, the mode {float(at):.5g}", "mode must maximize π")


def _answers(p: Distribution, q: Distribution, key: Key[Array, ""]) -> tuple[Any, Any, dict[str, tuple[Any, Any]]]:
    """Evaluate p and q alone, and as a batch; the third result pairs each batched value with stacked rows."""
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]) if eqx.is_array(a) else a, p, q)
    noise = both.noise(key)
    action = both.push(noise)
    together = {
        "push": action,
        "log_prob": both.log_prob(action),
        "entropy": both.entropy(),
        "kl": both.kl(both),
        "mode": both.mode(),
        "to_env": both.to_env(action),
    }
    row = lambda tree, i: jax.tree.map(lambda x: x[i], tree)

    def alone(d: Distribution, i: int) -> dict[str, Any]:
        a = d.push(row(noise, i))
        return {
            "push": a,
            "log_prob": d.log_prob(a),
            "entropy": d.entropy(),
            "kl": d.kl(d),
            "mode": d.mode(),
            "to_env": d.to_env(a),
        }

    rows = {f"{name}": (together[name], _stacked(alone(p, 0)[name], alone(q, 1)[name])) for name in together}
    return _alone(p, q, key), _alone(q, p, key), rows


def _stacked(one: PyTree, other: PyTree) -> PyTree:
    return jax.tree.map(lambda *x: jnp.stack(x), one, other)


def _alone(p: Distribution, q: Distribution, key: Key[Array, ""]) -> tuple[dict[str, Any]]:
    """Evaluate every method of p alone, with the KL to q."""
    noise, action = p.noise(key), p.sample(key)
    return (
        {
            "noise": noise,
            "sample": action,
            "push(noise)": p.push(noise),
            "log_prob": p.log_prob(action),
            "log_prob of mode": p.log_prob(p.mode()),
            "entropy": p.entropy(),
            "kl": p.kl(q),
            "kl(p, p)": p.kl(p),
        },
    )


def _shapes(p: dict[str, Any], q: dict[str, Any]) -> None:
    """Check noise, sample = push ∘ noise, and that log_prob, entropy and kl are float scalars per action."""
    same = kinds(p["noise"]) == kinds(q["noise"]) and close(p["noise"], q["noise"], 0)
    require(same, "noise depends on the parameters' values", "let noise depend on shapes alone, and push do the rest")
    same = close(p["push(noise)"], p["sample"], 1e-6)
    require(same, "sample(key) is not push(noise(key))", "let sample(key) be push(noise(key))")
    for name in ("log_prob", "entropy", "kl"):
        floating = np.shape(p[name]) == () and jnp.issubdtype(p[name].dtype, jnp.floating)
        require(
            floating, f"{name} of one action has shape {np.shape(p[name])}", "sum it over the action: one float a row"
        )


def _drawn(p: Distribution, q: Distribution, keys: Key[Array, " n"]) -> dict[str, Any]:
    """Draw samples of p, with the log densities, score and log |det ∂to_env/∂a| of each."""
    theta, rest = trainable(p)
    score = jax.grad(lambda theta, a: eqx.combine(theta, rest).log_prob(a))
    each = lambda key: _of_one(p, q, p.sample(key), lambda a: score(theta, a))
    return jax.vmap(each)(keys) | {"stretch_there": _stretch(p, p.mode())}


def _of_one(p: Distribution, q: Distribution, action: PyTree, score: Callable[[PyTree], PyTree]) -> dict[str, Any]:
    figures = {"action": action, "log_p": p.log_prob(action), "log_q": q.log_prob(action)}
    return figures | {"score": score(action), "stretch": _stretch(p, action)}


def _means(p: dict[str, Any], q: dict[str, Any], log_p: np.ndarray, log_q: np.ndarray) -> None:
    """Check entropy and KL against sample means, and KL(p‖p) = 0."""
    found = f"entropy() is {float(p['entropy']):.5g}, the mean of −log_prob {log_p.mean():.5g}"
    require(within(-log_p, p["entropy"]), found, "entropy must be −E log π, in nats, and samples must follow log_prob")
    require(close(p["kl(p, p)"], 0.0, 1e-5), f"kl(p, p) is {float(p['kl(p, p)']):.5g}", "KL(p‖p) is 0")
    ratio = log_p - log_q
    found = f"kl is {float(p['kl']):.5g}, the mean of log p − log q {ratio.mean():.5g}"
    turned = "; it looks like KL(q‖p)" if within(ratio, q["kl"]) else ""
    remedy = f"p.kl(q) must be KL(p‖q) = E_p[log p − log q], in nats{turned}"
    require(within(ratio, p["kl"]), found, remedy)


def _score(scores: PyTree) -> None:
    for path, x in jax.tree_util.tree_flatten_with_path(scores)[0]:
        name = jax.tree_util.keystr(path)
        require(np.isfinite(x).all(), f"∇log_prob is not finite in {name}", "keep NaN out of gradients: mask inputs")
        require(within(x, 0.0, 5.0), f"E ∇log_prob is not 0 in {name}", "samples and log_prob must be of one density")


def _normalized(p: Distribution, action: PyTree, log_p: np.ndarray, key: Key[Array, ""]) -> None:
    """Check Σ or ∫ exp(log_prob) = 1: by summing over drawn discrete actions, by importance sampling for real ones."""
    real, whole = _parts(action)
    kind, count = _kinds(whole, len(log_p))
    if not jax.tree.leaves(real):
        missing = np.sum(count == 1) / len(log_p)  # estimates the mass of actions never drawn (Good 1953)
        total = np.exp(log_p.astype(np.float64))[np.unique(kind, return_index=True)[1]].sum()
        good = -2 * missing - 1e-3 <= total - 1 <= 1e-3
        require(good, f"Σ exp(log_prob) over all actions is {total:.5g}", "log_prob must sum to 1 over the actions")
        return
    logs = eqx.filter_jit(_log_weights)(p, real, whole, jr.split(jr.fold_in(key, 1), len(log_p)))
    weights = np.exp(np.asarray(logs, np.float64)) * (len(log_p) / count[kind])[:, None]
    good = within(weights[:, 0], 1.0, 5.0) or within(weights[:, 1], 1.0, 5.0)
    found = f"∫ exp(log_prob) over all actions is about {weights[:, 0].mean():.4g}"
    require(good, found, "log_prob must be a normalized density")


def _log_weights(p: Distribution, real: PyTree, whole: PyTree, keys: Key[Array, " n"]) -> Array:
    """log p/g at draws from a Gaussian g wider than the samples; for the density of a, and of to_env(a)."""
    flat = jax.vmap(lambda x: ravel_pytree(x)[0])(real)
    unravel = ravel_pytree(jax.tree.map(lambda x: x[0], real))[1]
    middle, spread = jnp.mean(flat, axis=0), 1.3 * jnp.std(flat, axis=0) + 1e-6

    def each(key: Key[Array, ""], whole: PyTree) -> Array:
        u = jr.normal(key, middle.shape)
        at = eqx.combine(unravel(middle + spread * u), whole)
        log_g = -jnp.sum(0.5 * u**2 + jnp.log(spread) + 0.5 * math.log(2 * math.pi))
        log = p.log_prob(at) - log_g
        return jnp.stack([log, log + _stretch(p, at)])

    return jax.vmap(each)(keys, whole)


def _parts(action: PyTree) -> tuple[PyTree, PyTree]:
    """Split an action into its floating-point leaves and the rest."""
    return eqx.partition(action, lambda x: jnp.issubdtype(x.dtype, jnp.floating))


def _stretch(p: Distribution, action: PyTree) -> Array:
    """log |det ∂to_env(a)/∂a| over the floating-point leaves of one action; 0 if to_env is the identity."""
    real, whole = _parts(action)
    if not jax.tree.leaves(real):
        return jnp.zeros(())
    flat, unravel = ravel_pytree(real)
    sent = lambda x: ravel_pytree(_parts(p.to_env(eqx.combine(unravel(x), whole)))[0])[0]
    return jnp.linalg.slogdet(jax.jacfwd(sent)(flat))[1]


def _kinds(whole: PyTree, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Index of each draw among the distinct discrete actions, and the count of each distinct action."""
    flat = [np.asarray(x).reshape(n, -1) for x in jax.tree.leaves(whole)]
    rows = np.concatenate([*flat, np.zeros((n, 1), int)], axis=1)
    _, kind, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return kind.reshape(-1), count
