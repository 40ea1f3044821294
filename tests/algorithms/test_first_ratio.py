"""What a rollout wrote down is what the learner finds: on every action space the first ratios are 1."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium import spaces
from helpers import mostly_slow

from logpi.algorithms.diagnostics import update_metrics
from logpi.core.collection import Steps
from logpi.environments.protocol import Spec, Step
from logpi.objectives.clipped import Clipped
from logpi.objectives.importance import ratio
from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import evaluate_policy
from logpi.policies.policy import mlp_policy
from logpi.rollout import device
from logpi.types import Batch
from logpi.updates.minibatches import flatten_rows, shuffled

N, T, MINIBATCH = 4, 16, 24
SEEN = spaces.Box(-1.0, 1.0, (3,))
MASKED = spaces.Dict(action_mask=spaces.MultiBinary(6), x=SEEN)
BOX = spaces.Box(-1.0, 1.0, (2,))
TREE = spaces.Dict(
    a=spaces.Discrete(3), b=spaces.Tuple((BOX, spaces.MultiBinary(2), spaces.MultiDiscrete([[2, 3], [4, 2]])))
)

CASES = {
    "masked": (MASKED, spaces.Discrete(6), {}),
    "squashed": (SEEN, BOX, {"squash": True, "std": "state", "initial_std": 3.0}),
    "tree": (SEEN, TREE, {}),
    "discrete": (SEEN, spaces.Discrete(4), {}),
    "multi-discrete": (SEEN, spaces.MultiDiscrete([[2, 3], [4, 2]]), {}),
    "masked multi-discrete": (MASKED, spaces.MultiDiscrete([2, 4]), {}),
    "multi-binary": (SEEN, spaces.MultiBinary(5), {}),
    "wide": (SEEN, spaces.Box(-1.0, 1.0, (2, 2)), {"initial_std": 5.0}),
    "fixed": (SEEN, BOX, {"std": "fixed"}),
    "state": (SEEN, BOX, {"std": "state"}),
    "squashed, fixed": (SEEN, BOX, {"squash": True, "std": "fixed"}),
    "squashed tree": (SEEN, TREE, {"squash": True}),
}
AT_ONCE = 3  # of these nothing is missing in kind
WHICH = mostly_slow(CASES, AT_ONCE)


class Cinema(eqx.Module):
    """N environments that show something else in every step, whatever is done."""

    name: str = eqx.field(static=True)

    @property
    def spec(self):
        return Spec("cinema", N, CASES[self.name][0], CASES[self.name][1], None)

    def look(self, time):
        x = jnp.sin(time + 7.0 * jnp.arange(3.0 * N)).reshape(N, 3)
        mask = jnp.concatenate([x > 0, x < 0.5], axis=1)
        return {"action_mask": mask, "x": x} if CASES[self.name][0] is MASKED else x

    def reset(self, key):
        return jnp.zeros(()), self.look(0.0)

    def step(self, key, state, action):
        obs, never = self.look(state + 1), jnp.zeros(N, bool)
        return state + 1, Step(obs, obs, jnp.zeros(N), never, never, ~never)


@pytest.fixture(scope="module", params=WHICH)
def first(request):
    """(trajectory, the ratios of a shuffled minibatch and its valid rows, the figures of the whole batch)."""
    seen, actions, options = CASES[request.param]
    environment = Cinema(request.param)

    shapes = eqx.filter_eval_shape(lambda key: mlp_policy(seen, actions, hidden=(8,), key=key, **options), jr.key(0))
    rng = np.random.default_rng(0)
    policy = jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape), jnp.float32), shapes)

    @eqx.filter_jit
    def run(policy, key):
        k_begin, k_rollout, k_order = jr.split(key, 3)
        carry = device.init_env_state(environment, Steps(T), k_begin)
        tau = device.rollout(environment, Behavior(policy), carry, k_rollout, Steps(T))[1]
        old, zero = jax.vmap(jax.vmap(policy))(tau.obs), jnp.zeros((T, N))
        batch = flatten_rows(Batch(tau.obs, tau.action, tau.log_prob, zero, zero, tau.valid, old, jnp.float32(1)))
        part = shuffled(batch, MINIBATCH, "step", k_order).take(jnp.int32(1))
        return (
            tau.action,
            tau.log_prob,
            ratio(evaluate_policy(policy, part), part),
            part.valid,
            update_metrics(Clipped(0.2), policy, batch),
        )

    return request.param, *jax.device_get(run(policy, jr.key(3)))


@pytest.mark.thorough
def test_every_ratio_is_one(first):
    _, _, log_prob, rho, valid, _ = first
    assert valid.all() and rho.shape == (MINIBATCH,) and np.isfinite(log_prob).all()
    assert np.abs(rho - 1).max() < 1e-4


@pytest.mark.thorough_after(1)
def test_nothing_is_clipped_and_nothing_has_moved(first):
    info = first[-1]
    assert info["clip_fraction"] == 0 and abs(info["kl"]) < 1e-8
    np.testing.assert_allclose(info["effective_sample_size"], T * N, rtol=1e-4)


def test_what_is_stored_is_what_was_sampled(first):
    """Beyond the bounds, where it was sampled there: neither clipped nor squashed."""
    name, action = first[0], first[1]
    assert name not in ("wide", "squashed") or np.abs(action).max() > 2
