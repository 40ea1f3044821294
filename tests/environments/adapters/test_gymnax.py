"""gymnax's environments: its spaces, its dynamics, its ends; ours are the resets. `alike` stands in for the library."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from alike import BeforeGymnaxOne, GymnaxBox, GymnaxDiscrete, GymnaxMany, GymnaxParams, LikeGymnax
from builders import Walk
from gymnasium import spaces

import logpi
from logpi.environments.adapters.gymnax import Gymnax, to_gymnasium_space
from logpi.environments.adapters.jax_compat import default_promotion
from logpi.environments.tasks.cartpole import CartPole
from logpi.environments.tasks.pendulum import Pendulum
from logpi.environments.vmap import Vmap
from logpi.errors import LogpiError
from logpi.testing import check_environment

LARGEST = float(jnp.finfo(jnp.float32).max)
SPACES = {
    "discrete": (GymnaxDiscrete(3), spaces.Discrete(3)),
    "one bound for all": (GymnaxBox(-1, 2.0, (2, 3)), spaces.Box(-1.0, 2.0, (2, 3))),
    "no bounds": (GymnaxBox(-LARGEST, LARGEST, (1,)), spaces.Box(-np.inf, np.inf, (1,))),
    "bounds in JAX": (
        GymnaxBox(jnp.array([-LARGEST, 0.5]), jnp.array([1.0, LARGEST]), (2,)),
        spaces.Box(np.array([-np.inf, 0.5], np.float32), np.array([1.0, np.inf], np.float32)),
    ),
    "dict": (GymnaxMany({"a": GymnaxDiscrete(2)}), spaces.Dict(a=spaces.Discrete(2))),
    "tuple": (GymnaxMany([GymnaxDiscrete(2)]), spaces.Tuple([spaces.Discrete(2)])),
}


@pytest.mark.parametrize(("theirs", "ours"), SPACES.values(), ids=SPACES)
def test_spaces_are_gymnasiums(theirs, ours):
    assert to_gymnasium_space(theirs) == ours


def test_a_space_of_another_kind_is_refused():
    with pytest.raises(LogpiError, match="not supported; supported: Box, Discrete"):
        to_gymnasium_space(object())


def test_what_it_is_made_of_keeps_the_contract():
    check_environment(lambda: Gymnax(LikeGymnax(Walk()), GymnaxParams(6)), steps=60)


def test_the_time_limit_is_gymnaxs_unless_a_shorter_one_is_given():
    single = Gymnax(LikeGymnax(Walk()), GymnaxParams(6))
    assert logpi.make(single, 2).spec.time_limit == 6 and logpi.make(single, 2, 4).spec.time_limit == 4


def test_before_1_0_it_is_refused():
    """There `done` is a time limit as well as an end."""
    with pytest.raises(LogpiError, match="gymnax ≥ 1"):
        Gymnax(BeforeGymnaxOne(), GymnaxParams())


# From here on, the library itself.


@pytest.fixture
def gymnax():
    return pytest.importorskip("gymnax")


def made(gymnax, task, limit=None):
    env, params = gymnax.make(task)
    return Gymnax(env, params if limit is None else params.replace(max_steps_in_episode=limit))


def at(state, **numbers):
    """N states of gymnax's like the one given, with these numbers in their places."""
    n = len(next(iter(numbers.values())))
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (n,)), state).replace(**numbers)


@pytest.mark.parametrize(
    ("task", "limit", "ends"),
    [("CartPole-v1", 15, {"terminated", "truncated"}), ("Pendulum-v1", 15, {"truncated"})],
)
def test_each_step_is_gymnaxs_own(gymnax, task, limit, ends):
    """Whose `step` resets with the same key, and keeps the last observation in its `info`."""
    n, count = 16, 60
    single = made(gymnax, task, limit)
    ours = logpi.make(single, n)
    k_reset, k_step, k_action = jr.split(jr.key(3), 3)
    resets, steps = jr.split(k_reset, n), jr.split(k_step, (count, n))
    discrete = isinstance(single.action_space, spaces.Discrete)
    actions = jr.randint(k_action, (count, n), 0, 2) if discrete else jr.uniform(k_action, (count, n, 1), float, -1, 1)

    def play(carry, x):
        state, inner = carry
        keys, action = x
        state, step = ours.step(keys, state, action)
        with default_promotion():
            native = action if discrete else 2 * action
            seen, inner, *rest = jax.vmap(single.env.step, (0, 0, 0, None))(
                jr.key_data(keys), inner, native, single.params
            )
        inner = jax.tree.map(lambda x: jnp.asarray(x, x.dtype), inner)
        return (state, inner), (step, (seen, *rest))

    @jax.jit
    def both():
        first, inner = jax.vmap(single.env.reset_env, (0, None))(jr.key_data(resets), single.params)
        inner = jax.tree.map(lambda x: jnp.asarray(x, x.dtype), inner)
        state, obs = ours.reset(resets)
        return (obs, first), jax.lax.scan(play, (state, inner), (steps, actions))[1]

    (first, theirs), (step, (obs, reward, terminated, truncated, info)) = both()
    np.testing.assert_array_equal(first, theirs)
    np.testing.assert_allclose(step.obs, obs, atol=1e-5, rtol=0)  # two programs: the last bits differ
    np.testing.assert_allclose(step.next_obs, info["final_observation"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(step.reward, reward, atol=1e-4, rtol=0)
    np.testing.assert_array_equal(step.terminated, terminated)
    np.testing.assert_array_equal(step.truncated, truncated & ~terminated)
    assert {name for name in ("terminated", "truncated") if getattr(step, name).any()} == ends
    assert step.valid.all()


def test_the_cart_pole_is_ours(gymnax):
    n, rng = 2000, np.random.default_rng(0)
    states = rng.uniform([-2.6, -4, -0.25, -4], [2.6, 4, 0.25, 4], (n, 4)).astype(np.float32)
    actions = rng.integers(0, 2, n).astype(np.int32)
    zero, single = np.zeros(n, np.int32), made(gymnax, "CartPole-v1")
    inside = (np.abs(states[:, 0]) <= 2.4) & (np.abs(states[:, 2]) <= 12 * 2 * np.pi / 360)
    names = ("x", "x_dot", "theta", "theta_dot")
    theirs = at(single.reset(jr.key(0))[0], **dict(zip(names, states.T, strict=True)))
    keys = jr.split(jr.key(0), n)
    _, step = Vmap(single, n).step(keys, (theirs, zero), actions)
    _, own = Vmap(CartPole(), n).step(keys, (states, zero), actions)
    np.testing.assert_allclose(step.next_obs, own.next_obs, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(step.terminated, own.terminated)
    np.testing.assert_array_equal(step.reward[inside], own.reward[inside])  # gymnax pays nothing after an end
    assert 0.1 < np.mean(step.terminated) < 0.9


def test_the_pendulum_is_ours(gymnax):
    n, rng = 2000, np.random.default_rng(0)
    states = rng.uniform([-np.pi, -8], [np.pi, 8], (n, 2)).astype(np.float32)
    actions = rng.uniform(-1.3, 1.3, (n, 1)).astype(np.float32)
    zero, single = np.zeros(n, np.int32), made(gymnax, "Pendulum-v1")
    theirs = at(single.reset(jr.key(0))[0], theta=states[:, 0], theta_dot=states[:, 1])
    keys = jr.split(jr.key(0), n)
    _, step = Vmap(single, n).step(keys, (theirs, zero), actions)
    _, own = Vmap(Pendulum(), n).step(keys, (states, zero), actions)
    np.testing.assert_allclose(step.next_obs, own.next_obs, atol=1e-5, rtol=0)
    np.testing.assert_allclose(step.reward, own.reward, atol=1e-4, rtol=0)
    assert not step.terminated.any()


@pytest.mark.parametrize("task", ["CartPole-v1", "Pendulum-v1"])
def test_spaces_and_limits_are_ours(gymnax, task):
    theirs, ours = (logpi.make(f"{kind}:{task}", 2).spec for kind in ("gymnax", "logpi"))
    np.testing.assert_allclose(theirs.observation_space.high, ours.observation_space.high)
    assert theirs.action_space == ours.action_space and theirs.time_limit == ours.time_limit


WITHOUT_DATA = ["MNISTBandit-bsuite"]  # downloads pictures


@pytest.mark.slow
def test_every_task_keeps_the_contract(gymnax):
    for task in gymnax.registered_envs:
        if task not in WITHOUT_DATA:
            check_environment(f"gymnax:{task}", num_envs=2, steps=30)
