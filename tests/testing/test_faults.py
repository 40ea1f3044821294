"""Parts with one fault each: the checks see it, and say what to change."""

import dataclasses

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import Walk
from counting import Line
from gymnasium import spaces

import logpi
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.errors import LogpiError
from logpi.testing import check_distribution, check_environment, check_policy, check_update
from logpi.types import Frozen, ravel

SEEN, TWO = spaces.Box(-1.0, 1.0, (3,)), spaces.Discrete(2)


class Wrong(eqx.Module):
    """A Gaussian, or whatever else, of which one method is another."""

    inner: object
    faults: tuple = eqx.field(static=True)

    def __getattr__(self, name):
        faults = dict(object.__getattribute__(self, "faults"))
        if name in faults:
            return lambda *arguments: faults[name](self, *arguments)
        if name in ("noise", "push", "sample", "log_prob", "entropy", "kl", "mode", "to_env"):
            other = lambda x: x.inner if isinstance(x, Wrong) else x
            return lambda *arguments: getattr(self.inner, name)(*map(other, arguments))
        raise AttributeError(name)


DISTRIBUTIONS = {
    "noise depends on the parameters' values": {
        "noise": lambda p, key: p.inner.noise(key) + p.inner.mean,
        "sample": lambda p, key: p.push(p.noise(key)),
    },
    r"sample\(key\) is not push\(noise\(key\)\)": {"sample": lambda p, key: p.inner.sample(key) + 1},
    r"push\(noise\) is .* was expected": {"push": lambda p, noise: p.inner.push(noise)[..., :1]},
    r"mode\(\) is nothing where float32\[2\]": {"mode": lambda p: ()},
    r"entropy of one action has shape \(2,\)": {"entropy": lambda p: p.inner.log_std},
    "log_prob of a batch of distributions is not that of its rows": {
        "log_prob": lambda p, a: jnp.zeros(a.shape[:-1]) + jnp.sum(p.inner.log_prob(a))
    },
    r"entropy\(\) is .* in nats": {"entropy": lambda p: p.inner.entropy() / jnp.log(2.0)},
    "it looks like KL.q‖p.": {"kl": lambda p, q: q.inner.kl(p.inner)},
    r"kl\(p, p\) is 1": {"kl": lambda p, q: p.inner.kl(q.inner) + 1},
    r"∫ exp\(log_prob\) over all actions is about 1.99": {
        "log_prob": lambda p, a: p.inner.log_prob(a) + jnp.log(2.0),
        "entropy": lambda p: p.inner.entropy() - jnp.log(2.0),
    },
    "E ∇log_prob is not 0": {
        "log_prob": lambda p, a: (
            p.inner.log_prob(a) + jnp.sum(p.inner.mean - jax.lax.stop_gradient(p.inner.mean), axis=-1)
        )
    },
    "the mean of log p − log q": {
        "push": lambda p, noise: p.inner.push(-jnp.abs(noise)),
        "sample": lambda p, key: p.push(p.noise(key)),
    },
    "mode must maximize": {"mode": lambda p: p.inner.mode() + 3},
}


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize(("message", "faults"), DISTRIBUTIONS.items(), ids=DISTRIBUTIONS)
def test_a_fault_of_a_distribution_is_named(message, faults):
    p, q = (
        Wrong(logpi.Gaussian(jnp.array([m, 0.3]), jnp.array([s, -0.2])), tuple(faults.items()))
        for m, s in [(0.5, 0.4), (-0.5, -0.5)]
    )
    with pytest.raises(LogpiError, match=message):
        check_distribution(p, q, draws=2000)


def test_probabilities_that_do_not_sum_to_one_are_named():
    faults = (("log_prob", lambda p, a: p.inner.log_prob(a) - 1), ("entropy", lambda p: p.inner.entropy() + 1))
    p, q = (Wrong(logpi.Categorical(jnp.array(z)), faults) for z in ([0.0, 1.0, 0.5], [0.5, 0.0, 0.0]))
    with pytest.raises(LogpiError, match=r"Σ exp\(log_prob\) over all actions is 0.367"):
        check_distribution(p, q, draws=2000)


def test_what_is_no_distribution_is_told_what_it_lacks():
    with pytest.raises(LogpiError, match=r"MLP has no noise, push, sample, .*: add the missing methods"):
        check_distribution(logpi.MLP((2, 2), 1.0, key=jr.key(0)), None)


class Own(eqx.Module):
    """A policy as a user might write one, with a fault in it."""

    weight: jax.Array
    more: object
    answer: object = eqx.field(static=True)

    def __call__(self, obs):
        return self.answer(self, obs)


plain = lambda self, obs: logpi.Categorical(obs @ self.weight)
POLICIES = {
    r"nothing depends on policy.more": (jnp.zeros(2), plain),
    r"∇log π is not finite in policy.weight": (
        None,
        lambda self, obs: logpi.Categorical(obs @ self.weight + jnp.sqrt(0 * self.weight[0])),
    ),
    r"the action is \[2\] in Discrete\(2\): count from 0": (
        None,
        lambda self, obs: Wrong(plain(self, obs), (("push", lambda p, x: jnp.full_like(p.inner.push(x), 2)),)),
    ),
    r"fails under jit and vmap": (None, lambda self, obs: plain(self, obs if obs[0] > 0 else -obs)),
    r"the action is float32\[16, 2\] where int32\[16\] was expected": (
        None,
        lambda self, obs: logpi.Gaussian(obs @ self.weight, jnp.zeros(2)),
    ),
    r"the policy's distribution \w+ has no noise": (None, lambda self, obs: obs @ self.weight),
}


@pytest.mark.thorough_after(2)
@pytest.mark.parametrize(("message", "fault"), POLICIES.items(), ids=POLICIES)
def test_a_fault_of_a_policy_is_named(message, fault):
    with pytest.raises(LogpiError, match=message):
        check_policy(Own(jnp.ones((3, 2)), *fault), SEEN, TWO)


class Descent(eqx.Module):
    """Plain ascent, guarded; `answer` makes a fault of what it answers."""

    answer: object = eqx.field(static=True)
    first: object = eqx.field(static=True, default=lambda: jnp.zeros(()))

    def init(self, params):
        return self.first()

    def __call__(self, objective, params, batch, opt, key):
        theta, unravel = ravel(params)
        g = jax.grad(lambda x: objective.evaluate(unravel(x), batch))(theta)
        good = jnp.all(jnp.isfinite(g))
        new = jnp.where(good, theta + 0.1 * jnp.where(good, g, 0), theta)
        return self.answer(theta, g, new, unravel, opt)


right = lambda theta, g, new, unravel, opt: (unravel(new), opt, {"norm": jnp.linalg.norm(g)})
forgetful = lambda tree: jax.tree.map(
    lambda x: Frozen(jax.tree.map(lambda y: y + 1, x.value)) if isinstance(x, Frozen) else x,
    tree,
    is_leaf=lambda x: isinstance(x, Frozen),
)
UPDATES = {
    r"does not return \(params, opt, info\)": lambda theta, g, new, unravel, opt: unravel(new),
    r"params.* is .* was expected": lambda theta, g, new, unravel, opt: (new, opt, {}),
    r"opt is float32\[2\] where float32\[\] was expected": lambda *x: (right(*x)[0], jnp.zeros(2), {}),
    r"info\['gradient'\] has shape \(\d+,\)": lambda *x: (*right(*x)[:2], {"gradient": x[1]}),
    r"a parameter outside logpi.trainable was changed": lambda *x: (forgetful(right(*x)[0]), x[4], {}),
    r"changes nothing: return the improved": lambda theta, g, new, unravel, opt: (unravel(theta), opt, {}),
    r"a zero gradient changes the parameters": lambda theta, g, new, unravel, opt: (unravel(0.99 * new), opt, {}),
    r"a gradient that is not finite changes": lambda theta, g, new, unravel, opt: (unravel(theta + g), opt, {}),
}


def test_the_update_that_the_faults_are_made_of_is_right():
    check_update(Descent(right))


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize(("message", "answer"), UPDATES.items(), ids=UPDATES)
def test_a_fault_of_an_update_is_named(message, answer):
    with pytest.raises(LogpiError, match=message):
        check_update(Descent(answer))


def test_an_opt_that_changes_its_type_is_named():
    with pytest.raises(LogpiError, match=r"the second call was traced anew.*weak types"):
        check_update(Descent(lambda *x: (right(*x)[0], jnp.float32(0) + x[4], {}), lambda: jnp.asarray(0.0)))


class Altered:
    """Four random walks on the line, from random starts, whose answers are altered."""

    def __init__(self, alter=lambda step, env: step, begin=lambda obs, seed: obs, send=lambda action: action):
        self._inner = Gymnasium(Wandering, 4, "altered", 7)
        self.spec, self._alter, self._begin, self._send = self._inner.spec, alter, begin, send
        self.close = self._inner.close

    def reset(self, seed):
        self.count = 0
        return self._begin(self._inner.reset(seed), seed)

    def step(self, action, idle):
        self.count += 1
        return self._alter(self._inner.step(self._send(action), idle), self)


class Wandering(gymnasium.Env):
    """Goes where the action says from a random start in ±0.1, until beyond ±2."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._x = self.np_random.uniform(-0.1, 0.1, 2)
        return self._x.astype(np.float32), {}

    def step(self, action):
        self._x = self._x + action[0] + 0.1 * self.np_random.standard_normal(2)
        return self._x.astype(np.float32), 1.0, bool(np.abs(self._x).max() > 2), False, {}


done = lambda step: (step.terminated | step.truncated)[:, None]
where = lambda step, yes, no: np.where(done(step), yes, no).astype(np.float32)
ENVIRONMENTS = {
    r"reset's observation is float64\[4, 2\] where float32": {"begin": lambda obs, seed: obs.astype(np.float64)},
    r"step 0's reward is float64\[4\] where float32": {
        "alter": lambda s, env: s._replace(reward=s.reward.astype(np.float64))
    },
    r"step 0's obs is float32\[4, 1\] where float32\[4, 2\]": {"alter": lambda s, env: s._replace(obs=s.obs[:, :1])},
    r"step 2's next_obs is not finite": {
        "alter": lambda s, env: s._replace(next_obs=s.next_obs * (np.nan if env.count == 3 else 1))
    },
    r"step 4's reward is not finite": {
        "alter": lambda s, env: s._replace(reward=s.reward * np.float32(np.inf if env.count == 5 else 1))
    },
    r"terminated and truncated at once: let terminated win": {
        "alter": lambda s, env: s._replace(truncated=s.truncated | s.terminated)
    },
    r"at all \d+ ends obs is next_obs: next_obs must be the true last": {
        "alter": lambda s, env: s._replace(next_obs=s.obs)
    },
    r"observations after ends are unlike any that reset gives": {
        "alter": lambda s, env: s._replace(obs=where(s, s.next_obs + 1e-3, s.obs))
    },
    r"was moved at step \d+ without an end of its own": {
        "alter": lambda s, env: s._replace(obs=s.obs + done(s).any().astype(np.float32))
    },
    r"goes on after the time limit of 7: set truncated": {
        "alter": lambda s, env: s._replace(
            truncated=s.truncated & False, obs=np.where(s.truncated[:, None], s.next_obs, s.obs)
        )
    },
    r"gives other first observations the second time": {
        "begin": lambda obs, seed: obs + np.random.default_rng().normal(size=2).astype(np.float32)
    },
    r"gives another step \d+ the second time": {
        "alter": lambda s, env: s._replace(reward=s.reward + np.float32(np.random.default_rng().normal()))
    },
    r"environments under one seed start alike: give each": {"begin": lambda obs, seed: np.tile(obs[:1], (4, 1))},
    r"a row of an idle environment is valid": {"alter": lambda s, env: s._replace(valid=np.ones(4, bool))},
    r"an action that is not finite was sent on": {"send": np.nan_to_num},
}


def test_the_environment_that_the_faults_are_made_of_is_right():
    check_environment(Altered(), steps=60)


@pytest.mark.parametrize(("message", "fault"), ENVIRONMENTS.items(), ids=ENVIRONMENTS)
def test_a_fault_of_an_environment_is_named(message, fault):
    with pytest.raises(LogpiError, match=message):
        check_environment(Altered(**fault), steps=60)


def test_an_action_that_goes_beyond_its_bounds_is_named():
    class Unclipped(Altered):
        def step(self, action, idle):
            step = Altered.step(self, action, idle)
            return step._replace(reward=step.reward + action[:, 0])

    with pytest.raises(LogpiError, match="an action beyond its bounds does more than one at them: map actions"):
        check_environment(Unclipped(), steps=20)


def test_a_state_that_changes_its_kind_is_named():
    class Loose(eqx.Module):
        inner: logpi.Vmap

        @property
        def spec(self):
            return dataclasses.replace(self.inner.spec, name="loose")

        def reset(self, key):
            return self.inner.reset(key)

        def step(self, key, state, action):
            state, step = self.inner.step(key, state[:2], action)
            return (*state, step.reward), step

    with pytest.raises(LogpiError, match=r"the state after a step.* keep the state's structure"):
        check_environment(Loose(logpi.Vmap(Walk(), 3, 6)))


def test_a_space_that_logpi_does_not_know_is_named():
    class Speaking(Line):
        observation_space = spaces.Text(3)

    with pytest.raises(LogpiError, match=r"observation space Text.* is not supported"):
        check_environment(Speaking)
