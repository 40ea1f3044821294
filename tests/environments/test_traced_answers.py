"""Environments written in JAX are traced before anything is compiled: what does not fit is refused by one line."""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

import logpi
from logpi.environments.protocol import Spec, Step
from logpi.errors import EnvironmentFailed, LogpiError
from logpi.testing import check_environment

SEEN, N = spaces.Box(-2.0, 2.0, (2,)), 3
STATE, OBS = lambda: {"place": jnp.zeros(()), "time": jnp.int32(0)}, lambda: jnp.zeros(2)
REWARD, OVER = lambda: jnp.zeros(()), lambda: jnp.asarray(False)


class Scripted(eqx.Module):
    """One environment that answers what it is told to."""

    on_reset: Any = eqx.field(static=True)
    on_step: Any = eqx.field(static=True)
    observation_space: spaces.Space = eqx.field(static=True, default_factory=lambda: SEEN)
    action_space: spaces.Space = eqx.field(static=True, default_factory=lambda: spaces.Discrete(2))

    def reset(self, key):
        return self.on_reset()

    def step(self, key, state, action):
        return self.on_step()


def right():
    return STATE(), OBS()


def stepped(state=STATE, obs=OBS, reward=REWARD, terminated=OVER):
    return lambda: (state(), obs(), reward(), terminated())


RESETS = {
    "the pair swapped": (lambda: (OBS(), STATE()), "dict is no array: allowed is Box"),
    "the observation alone": (OBS, r"reset with float32\[2\]; allowed: a pair: state, observation"),
    "three values": (lambda: (*right(), {}), "a tuple of 3 values; allowed: a pair"),
    "a list of numbers": (lambda: (STATE(), [0.0, 0.0]), "list is no array"),
    "nothing": (lambda: (STATE(), None), "NoneType is no array"),
    "one number for two": (lambda: (STATE(), jnp.zeros(1)), r"shape \(1,\) is not \(2,\)"),
    "a scalar": (lambda: (STATE(), jnp.zeros(())), r"shape \(\) is not \(2,\)"),
    "a Python number": (lambda: (STATE(), 0.0), r"shape \(\) is not \(2,\)"),
    "a row more": (lambda: (STATE(), jnp.zeros((1, 2))), r"shape \(1, 2\) is not \(2,\)"),
    "complex numbers": (lambda: (STATE(), jnp.zeros(2, complex)), "complex64 is not float32"),
    "a dict for a box": (lambda: (STATE(), {"x": OBS()}), "dict is no array"),
}
STEPS = {
    "Gymnasium's order": (lambda: (OBS(), REWARD(), OVER(), OVER(), {}), "a tuple of 5 values; allowed: four values"),
    "gymnax's order": (lambda: (OBS(), STATE(), REWARD(), OVER(), {}), "a tuple of 5 values; allowed: four values"),
    "five values": (lambda: (*stepped()(), {}), "a tuple of 5 values"),
    "three values": (lambda: stepped()()[:3], "a tuple of 3 values"),
    "an array alone": (OBS, r"step with float32\[2\]"),
    "state and observation swapped": (lambda: (OBS(), STATE(), REWARD(), OVER()), "the state after a step"),
    "a state less": (stepped(lambda: {"place": jnp.zeros(())}), r"has \['place'\] where reset's has"),
    "a state of another dtype": (stepped(lambda: STATE() | {"time": jnp.zeros(())}), r"\['time'\] is float32\[\]"),
    "a state of another shape": (stepped(lambda: STATE() | {"place": jnp.zeros(1)}), r"\['place'\] is float32\[1\]"),
    "a wrong shape": (stepped(obs=lambda: jnp.zeros(3)), r"shape \(3,\) is not \(2,\)"),
    "a list": (stepped(obs=lambda: [0.0, 0.0]), "list is no array"),
    "a reward of shape (1,)": (stepped(reward=lambda: jnp.zeros(1)), r"reward float32\[1\]; allowed: a number"),
    "no reward": (stepped(reward=lambda: None), "reward None; allowed: a number"),
    "a flag for a reward": (stepped(reward=OVER), r"reward bool\[\]"),
    "a dict of rewards": (stepped(reward=lambda: {"agent": REWARD()}), "reward a dict of 1 values"),
    "terminated as a number": (stepped(terminated=lambda: jnp.int32(0)), r"terminated int32\[\]; allowed: a flag"),
    "terminated as a float": (stepped(terminated=REWARD), r"terminated float32\[\]"),
    "terminated of shape (1,)": (stepped(terminated=lambda: jnp.zeros(1, bool)), r"terminated bool\[1\]"),
    "no flag": (stepped(terminated=lambda: None), "terminated None"),
}


def refused(single, says):
    with pytest.raises(LogpiError, match=says) as error:
        logpi.make(single, N, 20)
    assert "\n" not in str(error.value) and "environment Scripted" in str(error.value)


@pytest.mark.parametrize(("answer", "says"), RESETS.values(), ids=RESETS)
def test_a_reset_that_does_not_fit_is_refused(answer, says):
    refused(Scripted(answer, stepped()), says)


@pytest.mark.parametrize(("answer", "says"), STEPS.values(), ids=STEPS)
def test_a_step_that_does_not_fit_is_refused(answer, says):
    refused(Scripted(right, answer), says)


INDICES = {
    "a float for an index": (spaces.Discrete(3), lambda: jnp.zeros(()), "float32 is not int32"),
    "a flag for an index": (spaces.Discrete(3), lambda: jnp.asarray(True), "bool is not int32"),
    "one-hot for an index": (spaces.Discrete(3), lambda: jnp.zeros(3, int), r"shape \(3,\) is not \(\)"),
    "floats for bytes": (spaces.Box(0, 255, (2,), np.uint8), lambda: jnp.zeros(2), "float32 is not uint8"),
    "a key less": (spaces.Dict(a=SEEN, b=SEEN), lambda: {"a": OBS()}, "without 'b'"),
    "a wrong leaf": (spaces.Dict(a=SEEN), lambda: {"a": jnp.zeros(1)}, r"\['a'\]: shape \(1,\)"),
    "a part more": (spaces.Tuple((SEEN,)), lambda: (OBS(), OBS()), "tuple of 2 is no tuple of 1"),
}


@pytest.mark.parametrize(("space", "obs", "says"), INDICES.values(), ids=INDICES)
def test_an_observation_of_another_kind_is_refused(space, obs, says):
    refused(Scripted(lambda: (STATE(), obs()), stepped(obs=obs), space), says)


def test_a_method_that_cannot_be_traced_is_one_line_that_names_it():
    """The traceback is kept apart: the command line prints it first."""
    single = Scripted(right, lambda: (1, 2, 3, 4) if jnp.zeros(()) > 0 else None)
    with pytest.raises(EnvironmentFailed, match="JAX traces its step, which raised TracerBool") as error:
        jax.jit(lambda: logpi.make(single, N))()
    assert "Traceback" in error.value.trace and "\n" not in str(error.value)


class Copies(eqx.Module):
    """N environments at once."""

    reward: Any = eqx.field(static=True)
    valid: Any = eqx.field(static=True, default=lambda: jnp.ones(N, bool))

    @property
    def spec(self):
        return Spec("Scripted", N, SEEN, spaces.Discrete(2), 20)

    def reset(self, key):
        return (), jnp.zeros((N, 2))

    def step(self, key, state, action):
        flags = jnp.zeros(N, bool)
        return (), Step(jnp.zeros((N, 2)), jnp.zeros((N, 2)), self.reward(), flags, flags, self.valid())


def test_rewards_and_flags_of_all_copies_have_a_row_for_each():
    refused(Copies(lambda: jnp.zeros((N, 1))), re.escape("reward float32[3, 1]; allowed: a number for each"))
    refused(
        Copies(lambda: jnp.zeros(N), lambda: jnp.asarray(True)), re.escape("valid bool[]; allowed: a flag for each")
    )
    assert logpi.make(Copies(lambda: jnp.zeros(N)), N).spec.num_envs == N


def test_what_fits_is_taken_as_it_is():
    """Python numbers, and whole numbers for rewards, are numbers."""
    for reward in (REWARD, lambda: 1.0, lambda: jnp.int32(1)):
        assert logpi.make(Scripted(right, stepped(reward=reward)), N, 20).spec.time_limit == 20


def test_check_environment_gives_the_same_line():
    with pytest.raises(LogpiError, match=r"reward float32\[1\]; allowed: a number"):
        check_environment(Scripted(right, stepped(reward=lambda: jnp.zeros(1))))
