"""What several test files share: table networks, random trajectories, and credit by its definition, in NumPy."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from logpi.distributions.categorical import Categorical
from logpi.types import State, Trajectory


class Reading(eqx.Module):
    """A critic of a world where every observation is its own value."""

    def __call__(self, obs):
        return obs


class TableCritic(eqx.Module):
    """V as one number a state."""

    table: jax.Array

    def __call__(self, obs):
        return self.table[obs]


class TablePolicy(eqx.Module):
    """π as one row of logits a state."""

    logits: jax.Array

    def __call__(self, obs):
        return Categorical(self.logits[obs])


def learner(policy=None, critic=None):
    """A state that has learned nothing beyond these networks."""
    return State(policy, critic, (), ())


READING = learner(critic=Reading())


@eqx.filter_jit
def evaluate(credit, tau, state=READING):
    """(Φ, target), compiled; by default observations are their own values."""
    return credit(state, tau)


def mostly_slow(values, fast=1):
    """Parameters of a test: the first `fast` of them, or those in it, run every time, the rest with the slow tests."""
    always = (lambda i, v: i < fast) if isinstance(fast, int) else (lambda i, v: v in fast)
    param = lambda v, marks: pytest.param(*(v if isinstance(v, tuple) else (v,)), marks=marks)
    return [param(v, () if always(i, v) else pytest.mark.slow) for i, v in enumerate(values)]


def double_precision():
    """A context in which arrays may be float64."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()


def relative_error(got, want):
    """‖got − want‖ / ‖want‖, over all entries."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    return np.linalg.norm(got - want) / np.linalg.norm(want)


def trajectory(reward, terminated=False, truncated=False, *, v=0.0, v_next=0.0, valid=True, complete=False):
    """A trajectory from what credit looks at, each "T N" or one number for all; v and v_next are the observations."""
    reward = np.asarray(reward)
    rows = lambda x, dtype: jnp.asarray(np.broadcast_to(np.asarray(x, dtype), reward.shape))
    ended = np.broadcast_to(np.asarray(terminated) | np.asarray(truncated), reward.shape)
    return Trajectory(
        obs=rows(v, reward.dtype),
        action=rows(0, np.int32),
        log_prob=rows(0, reward.dtype),
        reward=jnp.asarray(reward),
        next_obs=rows(v_next, reward.dtype),
        time=jnp.asarray(steps_since_end(ended)),
        terminated=rows(terminated, bool),
        truncated=rows(truncated, bool),
        valid=rows(valid, bool),
        complete=complete,
    )


def steps_since_end(ended):
    """The step within its episode of every row, columns beginning with an episode."""
    time = np.zeros(ended.shape, np.int32)
    for t in range(1, len(ended)):
        time[t] = np.where(ended[t - 1], 0, time[t - 1] + 1)
    return time


def random_window(rng, length, columns, dtype=np.float32, ends=0.25):
    """A window of steps with random rewards, values and flags; both flags may stand on one row."""
    shape = (length, columns)
    reward, v, v_next = rng.normal(size=(3, *shape)).astype(dtype)
    terminated, truncated = rng.random((2, *shape)) < ends
    return trajectory(reward, terminated, truncated, v=v, v_next=v_next)


def random_windows(dtype=np.float32, lengths=(1, 2, 3, 5, 8, 12)):
    """34 random cases of each length; the last six end at the first row, at the last one, at every one."""
    rng = np.random.default_rng(0)
    for length in lengths:
        tau = random_window(rng, length, 34, dtype)
        flags = np.array(tau.terminated), np.array(tau.truncated)
        for flag, other, columns in ((*flags, (-6, -5, -4)), (*flags[::-1], (-3, -2, -1))):
            other[:, columns] = flag[:, columns] = False
            flag[0, columns[0]] = flag[-1, columns[1]] = True
            flag[:, columns[2]] = True
        yield trajectory(np.array(tau.reward), *flags, v=np.array(tau.obs), v_next=np.array(tau.next_obs))


def consistent(tau):
    """The same with V(next) equal to the next row's V, unless an episode or the window ends between them."""
    going_on = ~tau.done.at[-1].set(True)
    return dataclasses.replace(tau, next_obs=jnp.where(going_on, jnp.roll(tau.obs, -1, axis=0), tau.next_obs))


def random_episodes(rng, length, columns):
    """One whole episode a column, of random length, ended by either flag or both; what pads it is 1e6."""
    reward = rng.normal(size=(length, columns)).astype(np.float32)
    last = rng.integers(0, length, size=columns)
    row = np.arange(length)[:, None]
    valid, end = row <= last, row == last
    how = rng.integers(0, 3, size=columns)
    reward = np.where(valid, reward, np.float32(1e6))
    return trajectory(reward, end & (how != 0), end & (how != 1), valid=valid, complete=True)


def _numbers(tau):
    """Reward, V, V next, terminated, truncated as NumPy arrays, in float64."""
    floats = (np.asarray(x, np.float64) for x in (tau.reward, tau.obs, tau.next_obs))
    return *floats, np.asarray(tau.terminated), np.asarray(tau.truncated)


def residual_by_definition(tau, gamma):
    """δ_t = r_t + γ V(s_{t+1}) − V(s_t), with V(s_{t+1}) := 0 after a termination."""
    reward, v, v_next, terminated, _ = _numbers(tau)
    return reward + gamma * np.where(terminated, 0.0, v_next) - v


def horizon(tau, t, n):
    """How many rows count from row t of column n on: up to an end's row, or the window's last."""
    done = np.asarray(tau.terminated | tau.truncated)[t:, n]
    return int(np.argmax(done)) + 1 if done.any() else len(done)


def gae_by_definition(tau, gamma, gae_lambda):
    """Σ_l (γλ)^l δ_{t+l}, up to the row of an end: O(T²)."""
    delta = residual_by_definition(tau, gamma)
    out = np.zeros_like(delta)
    for t, n in np.ndindex(out.shape):
        for ahead in range(horizon(tau, t, n)):
            out[t, n] += (gamma * gae_lambda) ** ahead * delta[t + ahead, n]
    return out


def n_step_by_definition(tau, gamma, steps):
    """r_t + … + γ^{n−1} r_{t+n−1} + γ^n V − V(s_t): rewards and one bootstrap, fewer where an end comes first."""
    reward, v, v_next, terminated, _ = _numbers(tau)
    out = np.zeros_like(reward)
    for t, n in np.ndindex(out.shape):
        count = min(steps, horizon(tau, t, n))
        last = t + count - 1
        beyond = 0.0 if terminated[last, n] else v_next[last, n]
        powers = gamma ** np.arange(count)
        out[t, n] = powers @ reward[t : t + count, n] + gamma**count * beyond - v[t, n]
    return out


def return_by_definition(tau, gamma):
    """Σ_{l≥t} γ^{l−t} r_l up to the episode's end: the double loop."""
    reward = _numbers(tau)[0]
    out = np.zeros_like(reward)
    for t, n in np.ndindex(out.shape):
        for ahead in range(horizon(tau, t, n)):
            out[t, n] += gamma**ahead * reward[t + ahead, n]
    return out
