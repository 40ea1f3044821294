"""Check of an update: it changes the trainable parameters alone, and compiles once."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Key, PyTree

from logpi.objectives.importance import importance
from logpi.policies.behavior import Behavior
from logpi.policies.policy import mlp_policy
from logpi.testing.expect import kinds, offers, require, same_kind
from logpi.types import Batch, ravel, trainable
from logpi.updates.protocol import Update

ROWS = 32


def check_update(update: Update, *, seed: int = 0) -> None:
    """Raise LogpiError unless an update satisfies its contract on a small policy and batch.

    - `update`: has `init(params) → opt` and `(objective, params, batch, opt, key) → (params, opt, info)`.

    Checked: θ and opt keep structure, shapes and dtypes; parameters outside `trainable` stay bit-identical; so does θ
    under a non-finite gradient, and up to rounding under a zero one; info holds scalars; a second call
    compiles nothing.

        >>> import logpi
        >>> check_update(logpi.Ascent(logpi.adam, 1e-3))
    """
    offers(update, ("init", "__call__"), "update")
    key = jr.key(seed)
    policy, batch = _problem(key)
    opt = update.init(policy)
    count = []

    @eqx.filter_jit
    def step(params: PyTree, batch: Batch, opt: PyTree) -> Any:
        count.append(1)
        return update(importance, params, batch, opt, key)

    answer = step(policy, batch, opt)
    good = isinstance(answer, tuple) and len(answer) == 3
    require(good, "the update does not return (params, opt, info)", "return these three")
    after, new_opt, info = answer
    same_kind(after, policy, "params", "keep the structure, shapes and dtypes of the parameters")
    same_kind(new_opt, opt, "opt", "give opt in init the structure, shapes and dtypes it has later")
    _info(info)
    _unlearned(policy, after)
    moved = not _same(policy, after)
    require(moved, "a gradient that is not zero changes nothing", "return the improved parameters, not the old ones")
    step(after, batch, new_opt)
    remedy = "let opt come out as it went in, weak types included: jnp.asarray(x, dtype) in init"
    require(len(count) == 1, "the second call was traced anew", remedy)
    with_credit = lambda credit: eqx.tree_at(lambda b: b.credit, batch, jnp.full_like(batch.credit, credit))
    still, bad = (step(policy, with_credit(credit), opt)[0] for credit in (0.0, jnp.nan))
    remedy = "leave θ as it is then: jnp.where(good, new, old)"
    require(_still(policy, after, still), "a zero gradient changes the parameters", remedy)
    require(_same(policy, bad), "a gradient that is not finite changes the parameters", remedy)


def _problem(key: Key[Array, ""]) -> tuple[PyTree, Batch]:
    """A Gaussian policy with running statistics and perturbed weights, and an on-policy batch."""
    k_policy, k_obs, k_action, k_credit, k_perturb = jr.split(key, 5)
    policy = mlp_policy(spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,)), hidden=(4,), normalize=True, key=k_policy)
    flat, unravel = ravel(policy)
    policy = unravel(flat + 0.3 * jr.normal(k_perturb, flat.shape))
    obs = jr.normal(k_obs, (ROWS, 3))
    old = Behavior(policy)(obs)
    action = old.sample(k_action)
    credit = jr.normal(k_credit, (ROWS,))
    valid, scale = jnp.ones(ROWS, bool), jnp.float32(ROWS)
    return policy, Batch(obs, action, old.log_prob(action), credit, credit, valid, old, scale)


def _info(info: object) -> None:
    named = isinstance(info, dict) and all(isinstance(name, str) for name in info)
    require(named, "info is no dict of names", "return a dict from names to scalars")
    assert isinstance(info, dict)
    for name, x in info.items():
        scalar = kinds(x).get("", ((), ""))[0] == () and np.shape(x) == ()
        require(scalar, f"info[{name!r}] has shape {np.shape(x)}", "give people one number: a mean, a norm, a count")


def _unlearned(before: PyTree, after: PyTree) -> None:
    rest = lambda tree: eqx.filter(trainable(tree)[1], eqx.is_array)
    same = _same(rest(before), rest(after))
    require(
        same, "a parameter outside logpi.trainable was changed", "change only what logpi.trainable gives: Frozen stays"
    )


def _same(one: PyTree, other: PyTree) -> bool:
    leaves = lambda tree: [np.asarray(x).tobytes() for x in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]
    return leaves(one) == leaves(other)


def _still(start: PyTree, after: PyTree, zero: PyTree) -> bool:
    """Test θ for no change beyond rounding: a zero gradient may arise by cancellation, as ∇KL does at θ_old."""
    moved = lambda tree: np.max(np.abs(np.asarray(ravel(tree)[0] - ravel(start)[0])))
    return bool(moved(zero) <= 0.05 * moved(after))
