"""Answers of environments are checked at first contact: stored as they are, or refused by one line that names them."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from logpi.core.numpy_trees import tree_map
from logpi.environments.adapters.envpool import EnvPool
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError

N = 3
FLAT = spaces.Box(-np.inf, np.inf, (4,), np.float32)
DOUBLE = spaces.Box(-np.inf, np.inf, (2,), np.float64)
BYTES = spaces.Box(0, 255, (2, 2), np.uint8)
LONG = spaces.Box(-5, 5, (2,), np.int64)
SHORT = spaces.Box(-5, 5, (2,), np.int16)
INDEX = spaces.Discrete(5)
SHIFTED = spaces.Discrete(5, start=-2)
INDICES = spaces.MultiDiscrete([3, 4])
BITS = spaces.MultiBinary(3)
DICT = spaces.Dict(one=FLAT, two=INDEX)
TUPLE = spaces.Tuple((FLAT, INDEX))
f4 = lambda *x: np.array(x, np.float32)

# (space, an element of it, an answer that is none, what the line says of it)
OBSERVATIONS = {
    "one number for four": (FLAT, f4(1, 2, 3, 4), f4(1), r"shape \(1,\) is not \(4,\)"),
    "a scalar for four": (FLAT, f4(1, 2, 3, 4), 1.0, r"shape \(\) is not \(4,\)"),
    "five for four": (FLAT, f4(1, 2, 3, 4), f4(1, 2, 3, 4, 5), r"shape \(5,\) is not \(4,\)"),
    "a row more": (FLAT, f4(1, 2, 3, 4), np.ones((1, 4), np.float32), r"shape \(1, 4\) is not \(4,\)"),
    "nothing": (FLAT, f4(1, 2, 3, 4), None, "None.*no array of numbers"),
    "text": (FLAT, f4(1, 2, 3, 4), "start", "start.*no array of numbers"),
    "numbers as text": (FLAT, f4(1, 2, 3, 4), np.array(["1", "2", "3", "4"]), "no array of numbers"),
    "complex numbers": (FLAT, f4(1, 2, 3, 4), np.ones(4, complex), "no array of numbers"),
    "objects": (FLAT, f4(1, 2, 3, 4), np.array([1.0, None, 2.0, 3.0]), "no array of numbers"),
    "ragged lists": (FLAT, f4(1, 2, 3, 4), [[1.0], [2.0, 3.0], 1.0, 2.0], "no array of numbers"),
    "a dict for a box": (FLAT, f4(1, 2, 3, 4), {"x": 1.0}, "dict.*no array of numbers"),
    "a pair for a box": (FLAT, f4(1, 2, 3, 4), (f4(1, 2, 3, 4), {}), "no array of numbers"),
    "not a number": (FLAT, f4(1, 2, 3, 4), f4(1, np.nan, 3, 4), "non-finite .*obs.*nan"),
    "infinite": (FLAT, f4(1, 2, 3, 4), f4(1, 2, -np.inf, 4), "non-finite .*obs.*-inf"),
    "beyond float32": (FLAT, f4(1, 2, 3, 4), np.array([1, 2, 3, 1e300]), r"1e\+300 is beyond float32"),
    "beyond float32 in a box of float64": (DOUBLE, np.ones(2), np.array([1, -1e39]), r"-1e\+39 is beyond float32"),
    "a share for bytes": (BYTES, np.ones((2, 2), np.uint8), np.full((2, 2), 0.9), "float64 .* is not uint8"),
    "whole floats for bytes": (BYTES, np.ones((2, 2), np.uint8), np.full((2, 2), 3.0, np.float32), "is not uint8"),
    "256 for bytes": (BYTES, np.ones((2, 2), np.uint8), np.full((2, 2), 256), "256 is beyond uint8: .* 0 … 255"),
    "-1 for bytes": (BYTES, np.ones((2, 2), np.uint8), np.full((2, 2), -1), "-1 is beyond uint8"),
    "a channel more": (BYTES, np.ones((2, 2), np.uint8), np.ones((2, 2, 1), np.uint8), r"shape \(2, 2, 1\) is not"),
    "a transposed row": (BYTES, np.ones((2, 2), np.uint8), np.ones((1, 2), np.uint8), r"shape \(1, 2\) is not"),
    "beyond int32": (LONG, np.ones(2, np.int64), np.array([0, 2**40]), f"{2**40} is beyond int32"),
    "below int32": (LONG, np.ones(2, np.int64), np.array([0, -(2**31) - 1]), "is beyond int32"),
    "beyond int16": (SHORT, np.ones(2, np.int16), np.array([0, 40_000]), "40000 is beyond int16"),
    "floats for int64": (LONG, np.ones(2, np.int64), np.array([0.5, 1.0]), "float64 .* is not int32"),
    "7 of 5": (INDEX, 4, 7, r"7 is outside Discrete\(5\): allowed are 0 … 4"),
    "5 of 5": (INDEX, 4, np.int64(5), r"5 is outside Discrete\(5\)"),
    "-1 of 5": (INDEX, 0, -1, r"-1 is outside Discrete\(5\)"),
    "beyond a shifted range": (SHIFTED, -2, 3, "3 is outside .* -2 … 2"),
    "below a shifted range": (SHIFTED, 2, -3, "-3 is outside .* -2 … 2"),
    "2⁴⁰ of 5": (INDEX, 4, 2**40, "is outside"),
    "2⁷⁰ of 5": (INDEX, 4, 2**70, "no array of numbers"),
    "a float for an index": (INDEX, 4, 2.0, "float64 2.0 is not int32"),
    "an array for an index": (INDEX, 4, np.array([2]), r"shape \(1,\) is not \(\)"),
    "one-hot for an index": (INDEX, 4, np.eye(5, dtype=int)[2], r"shape \(5,\) is not \(\)"),
    "nothing for an index": (INDEX, 4, None, "None.*no array of numbers"),
    "an index out of range": (INDICES, np.array([2, 3]), np.array([3, 0]), r"3 is outside MultiDiscrete.* \[2 3\]"),
    "a negative index": (INDICES, np.array([2, 3]), np.array([0, -1]), "-1 is outside MultiDiscrete"),
    "one index of two": (INDICES, np.array([2, 3]), np.array([1]), r"shape \(1,\) is not \(2,\)"),
    "floats for indices": (INDICES, np.array([2, 3]), np.array([1.0, 2.0]), "is not int32"),
    "2 for a bit": (BITS, np.array([0, 1, 1], np.int8), np.array([0, 2, 1]), "2 is outside MultiBinary"),
    "-1 for a bit": (BITS, np.array([0, 1, 1], np.int8), np.array([0, -1, 1]), "-1 is outside MultiBinary"),
    "one bit of three": (BITS, np.array([0, 1, 1], np.int8), np.array([1]), r"shape \(1,\) is not \(3,\)"),
    "shares for bits": (BITS, np.array([0, 1, 1], np.int8), np.array([0.5, 0, 1]), "is not int8"),
    "an array for a dict": (DICT, {"one": f4(1, 2, 3, 4), "two": 1}, f4(1, 2, 3, 4), "is no dict.*'one', 'two'"),
    "a key less": (DICT, {"one": f4(1, 2, 3, 4), "two": 1}, {"one": f4(1, 2, 3, 4)}, "without 'two'"),
    "a key more": (
        DICT,
        {"one": f4(1, 2, 3, 4), "two": 1},
        {"one": f4(1, 2, 3, 4), "two": 1, "three": 1},
        "with 'three'",
    ),
    "a wrong leaf": (DICT, {"one": f4(1, 2, 3, 4), "two": 1}, {"one": f4(1), "two": 1}, r"\['one'\]: shape \(1,\)"),
    "a leaf out of range": (
        DICT,
        {"one": f4(1, 2, 3, 4), "two": 1},
        {"one": f4(1, 2, 3, 4), "two": 5},
        r"\['two'\]: 5 is outside",
    ),
    "a leaf that is no number": (
        DICT,
        {"one": f4(1, 2, 3, 4), "two": 1},
        {"one": f4(1, 2, np.nan, 4), "two": 1},
        r"non-finite (next_)?obs\['one'\].*nan",
    ),
    "a part less": (TUPLE, (f4(1, 2, 3, 4), 1), (f4(1, 2, 3, 4),), "tuple of 1 is no tuple of 2"),
    "a part more": (TUPLE, (f4(1, 2, 3, 4), 1), (f4(1, 2, 3, 4), 1, 1), "tuple of 3 is no tuple of 2"),
    "parts swapped": (TUPLE, (f4(1, 2, 3, 4), 1), (1, f4(1, 2, 3, 4)), r"\[0\]: shape \(\) is not \(4,\)"),
    "an array for a tuple": (TUPLE, (f4(1, 2, 3, 4), 1), f4(1, 2), "is no tuple of 2"),
}
GOOD = f4(1, 2, 3, 4)
# (what `step` answers instead, what the line says of it)
STEPS = {
    "four values": ((GOOD, 1.0, False, {}), "tuple of 4 values; allowed: five values"),
    "six values": ((GOOD, 1.0, False, False, {}, {}), "tuple of 6 values; allowed: five values"),
    "an observation alone": (GOOD, "allowed: five values"),
    "no value": (None, "None; allowed: five values"),
    "an empty reward": ((GOOD, None, False, False, {}), "reward None; allowed: one finite number"),
    "a reward of shape (1,)": ((GOOD, f4(1), False, False, {}), r"reward .*shape \(1,\).*one finite number"),
    "a list of one reward": ((GOOD, [1.0], False, False, {}), r"reward \[1.0\]; allowed: one finite number"),
    "two rewards": ((GOOD, f4(1, 2), False, False, {}), r"reward .*shape \(2,\)"),
    "a reward of text": ((GOOD, "1.0", False, False, {}), "reward 1.0 .str"),
    "a complex reward": ((GOOD, 1j, False, False, {}), "reward"),
    "a dict of rewards": ((GOOD, {"agent": 1.0}, False, False, {}), "reward"),
    "a reward that is no number": ((GOOD, np.nan, False, False, {}), "non-finite reward at step 0 .*nan"),
    "an infinite reward": ((GOOD, -np.inf, False, False, {}), "non-finite reward at step 0 .*-inf"),
    "a reward beyond float32": ((GOOD, 1e39, False, False, {}), r"reward 1e\+39.*beyond float32"),
    "terminated as a number": ((GOOD, 1.0, 0, False, {}), "terminated 0; allowed: True or False"),
    "terminated as a float": ((GOOD, 1.0, 0.0, False, {}), "terminated 0.0; allowed"),
    "terminated as text": ((GOOD, 1.0, "False", False, {}), "terminated False .str.; allowed"),
    "terminated empty": ((GOOD, 1.0, None, False, {}), "terminated None; allowed"),
    "terminated in an array": ((GOOD, 1.0, np.array([False]), False, {}), r"terminated .*shape \(1,\)"),
    "terminated in a list": ((GOOD, 1.0, [], False, {}), r"terminated \[\]; allowed"),
    "truncated as a number": ((GOOD, 1.0, False, 1, {}), "truncated 1; allowed: True or False"),
    "truncated empty": ((GOOD, 1.0, False, None, {}), "truncated None; allowed"),
    "info in truncated's place": ((GOOD, 1.0, False, {}, False), r"truncated {} .dict."),
    "no info": ((GOOD, 1.0, False, False, None), "info None; allowed: a dict"),
    "a list for info": ((GOOD, 1.0, False, False, []), r"info \[\]; allowed: a dict"),
    "text for info": ((GOOD, 1.0, False, False, "done"), "info done"),
    "reward and observation swapped": ((1.0, GOOD, False, False, {}), r"reward .*shape \(4,\)"),
}
RESETS = {
    "the observation alone": (GOOD, "allowed: a pair: observation, info"),
    "two numbers alone": (f4(1, 2), "allowed: a pair: observation, info"),
    "nothing": (None, "None; allowed: a pair: observation, info"),
    "three values": ((GOOD, {}, {}), "tuple of 3 values; allowed: a pair|allowed: a pair"),
    "one value": ((GOOD,), "allowed: a pair: observation, info"),
    "a dict": ({"observation": GOOD}, "allowed: a pair: observation, info"),
    "the pair swapped": (({}, GOOD), "info .*allowed: a dict"),
    "no info": ((GOOD, None), "info None; allowed: a dict"),
    "a list of info": ((GOOD, []), r"info \[\]; allowed: a dict"),
}


class Scripted(gymnasium.Env):
    """Answers what it is told to, the same in every step."""

    action_space = spaces.Discrete(2)

    def __init__(self, space, reset, step):
        self.observation_space, self._reset, self._step = space, reset, step

    def reset(self, *, seed=None, options=None):
        return self._reset

    def step(self, action):
        return self._step


class ScriptedVector(VectorEnv):
    """N copies that answer what they are told to, all at once."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, space, reset, step):
        self.num_envs, self.single_observation_space, self.single_action_space = N, space, spaces.Discrete(2)
        self._reset, self._step = reset, step

    def reset(self, *, seed=None, options=None):
        return self._reset

    def step(self, actions):
        return self._step

    def close_extras(self, **options):
        pass


def gymnasium_copies(space, reset, step):
    """Several copies in this process; copy 0 answers rightly."""
    return Gymnasium(lambda: Scripted(space, reset, step), N, "Scripted")


def gymnasium_vector(space, reset, step):
    """A vector environment of Gymnasium."""
    return GymnasiumVector(ScriptedVector(space, reset, step), "Scripted")


def pool(space, reset, step):
    """A pool like EnvPool's."""
    return EnvPool(lambda seeds: ScriptedVector(space, reset, step), Spec("Scripted", N, space, spaces.Discrete(2)))


def contact(environment):
    """The first reset and the first step."""
    environment.reset(0)
    return environment.step(np.zeros(N, np.int32), np.zeros(N, bool))


def rows(x):
    """A batch of N answers like `x`; what is no array is given as it is."""
    if isinstance(x, dict | tuple):
        return tree_map(rows, x)
    return x if x is None or isinstance(x, str | list) else np.stack([np.asarray(x)] * N)


def good_step(obs, n=None):
    """A step with this observation that is right otherwise."""
    if n is None:
        return obs, 1.0, False, False, {}
    return obs, np.ones(n), np.zeros(n, bool), np.zeros(n, bool), {}


def refused(environment, says):
    """The first contact is refused by one line that names the environment, and says this."""
    with pytest.raises(LogpiError, match=says) as error:
        contact(environment)
    line = str(error.value)
    assert "\n" not in line and "Scripted answered" in line


@pytest.mark.thorough_after(12)
@pytest.mark.parametrize("moment", ["reset", "step"])
@pytest.mark.parametrize(("space", "good", "bad", "says"), OBSERVATIONS.values(), ids=OBSERVATIONS)
def test_an_observation_that_does_not_fit_is_refused(space, good, bad, says, moment):
    first, later = (bad, good) if moment == "reset" else (good, bad)
    refused(gymnasium_copies(space, (first, {}), good_step(later)), says)
    accepted = contact(gymnasium_copies(space, (good, {}), good_step(good)))
    np.testing.assert_equal(tree_map(lambda x: x[1], accepted.obs), tree_map(np.asarray, good))


BATCHED = {
    name: case for name, case in OBSERVATIONS.items() if name not in ("ragged lists", "2⁷⁰ of 5", "a pair for a box")
}
RENAMED = {  # in a batch, shapes have a row for each environment, and what is inside a batch is not known
    "one number for four": r"shape \(3, 1\) is not \(3, 4\)",
    "a scalar for four": r"shape \(3,\) is not \(3, 4\)",
    "five for four": r"shape \(3, 5\) is not",
    "a row more": r"shape \(3, 1, 4\) is not",
    "a channel more": r"shape \(3, 2, 2, 1\) is not",
    "a transposed row": r"shape \(3, 1, 2\) is not",
    "an array for an index": r"shape \(3, 1\) is not \(3,\)",
    "one-hot for an index": r"shape \(3, 5\) is not",
    "one index of two": r"shape \(3, 1\) is not",
    "one bit of three": r"shape \(3, 1\) is not",
    "a wrong leaf": r"\['one'\]: shape \(3, 1\)",
    "parts swapped": r"\[0\]: shape \(3,\)",
    "a float for an index": "is not int32",
}


@pytest.mark.thorough_after(12)
@pytest.mark.parametrize("make", [gymnasium_vector, pool])
@pytest.mark.parametrize("name", BATCHED)
def test_a_batch_of_observations_that_does_not_fit_is_refused(name, make):
    space, good, bad, says = BATCHED[name]
    refused(make(space, (rows(bad), {}), good_step(rows(good), N)), RENAMED.get(name, says))
    refused(make(space, (rows(good), {}), good_step(rows(bad), N)), RENAMED.get(name, says))
    accepted = contact(make(space, (rows(good), {}), good_step(rows(good), N)))
    np.testing.assert_equal(accepted.obs, rows(good))


@pytest.mark.parametrize(("answer", "says"), STEPS.values(), ids=STEPS)
def test_a_step_of_another_form_is_refused(answer, says):
    refused(gymnasium_copies(FLAT, (GOOD, {}), answer), says)


@pytest.mark.parametrize(("answer", "says"), RESETS.values(), ids=RESETS)
@pytest.mark.parametrize("make", [gymnasium_copies, gymnasium_vector, pool])
def test_a_reset_of_another_form_is_refused(answer, says, make):
    refused(make(FLAT, answer, good_step(GOOD)), says)


OBS, YES, ONES = rows(GOOD), np.zeros(N, bool), np.ones(N)
VECTOR_STEPS = {
    "rewards in a column": ((OBS, ONES[:, None], YES, YES, {}), r"reward .*shape \(3, 1\).*3 finite numbers"),
    "one reward": ((OBS, 1.0, YES, YES, {}), "reward 1.0; allowed: 3 finite numbers"),
    "two rewards for three": ((OBS, ONES[:2], YES, YES, {}), r"reward .*shape \(2,\)"),
    "rewards of objects": ((OBS, np.array([1.0, None, 1.0]), YES, YES, {}), "reward"),
    "no reward": ((OBS, None, YES, YES, {}), "reward None"),
    "an infinite reward": ((OBS, np.array([1, np.inf, 1]), YES, YES, {}), "non-finite reward .*inf"),
    "one flag": ((OBS, ONES, False, YES, {}), "terminated False; allowed: 3 of True and False"),
    "flags as numbers": ((OBS, ONES, YES.astype(int), YES, {}), "terminated .*int64"),
    "flags in a column": ((OBS, ONES, YES, YES[:, None], {}), r"truncated .*shape \(3, 1\)"),
    "four values": ((OBS, ONES, YES, {}), "allowed: five values"),
    "no info": ((OBS, ONES, YES, YES, None), "info None"),
    "a list of infos": ((OBS, ONES, YES, YES, [{}] * N), "info .*allowed: a dict"),
    "observations of one environment": ((GOOD, ONES, YES, YES, {}), r"shape \(4,\) is not \(3, 4\)"),
}


@pytest.mark.parametrize(("answer", "says"), VECTOR_STEPS.values(), ids=VECTOR_STEPS)
@pytest.mark.parametrize("make", [gymnasium_vector, pool])
def test_a_step_of_a_vector_environment_of_another_form_is_refused(answer, says, make):
    refused(make(FLAT, (OBS, {}), answer), says)


def test_a_last_observation_that_does_not_fit_is_refused():
    """Gymnasium gives it in info where an episode ends; one number would be broadcast into it."""
    finals = np.array([f4(1), None, None], object)
    step = OBS, ONES, np.array([True, False, False]), YES, {"final_obs": finals}
    refused(gymnasium_vector(FLAT, (OBS, {}), step), r"final_obs .*shape \(1,\) is not \(4,\)")


ACCEPTED = {
    "a list": (FLAT, [1, 2, 3, 4.5], f4(1, 2, 3, 4.5)),
    "float64 for float32": (FLAT, np.array([1, 2, 3, 4.5]), f4(1, 2, 3, 4.5)),
    "whole numbers for floats": (FLAT, np.array([1, 2, 3, 4]), f4(1, 2, 3, 4)),
    "beyond the bounds": (spaces.Box(-1, 1, (1,)), f4(3), f4(3)),
    "int64 for bytes": (BYTES, np.full((2, 2), 255), np.full((2, 2), 255, np.uint8)),
    "a flag for an index": (INDEX, True, np.int32(1)),
    "flags for bits": (BITS, np.array([True, False, True]), np.array([1, 0, 1], np.int8)),
    "a list for a tuple": (TUPLE, [f4(1, 2, 3, 4), 1], (f4(1, 2, 3, 4), np.int32(1))),
}


@pytest.mark.parametrize(("space", "answer", "stored"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_keeps_its_value_is_accepted(space, answer, stored):
    step = contact(gymnasium_copies(space, (answer, {}), (answer, np.array(2), np.bool_(False), np.bool_(True), {})))
    np.testing.assert_equal(tree_map(lambda x: x[2], step.next_obs), stored)
    assert step.reward.tolist() == [2, 2, 2] and step.truncated.all() and not step.terminated.any()


def test_each_copy_is_checked_and_named():
    """The third copy alone answers wrongly, and a copy that replaces another is checked as well."""
    made = iter([GOOD, GOOD, f4(1)])
    make = lambda: Scripted(FLAT, (next(made), {}), good_step(GOOD))
    with pytest.raises(LogpiError, match=r"^environment 2 of Scripted answered reset with an observation"):
        Gymnasium(make, N, "Scripted").reset(0)


def test_a_wrong_answer_is_no_failure_that_another_copy_would_mend():
    environment = gymnasium_copies(FLAT, (GOOD, {}), good_step(f4(1)))
    environment.restarts = 5
    refused(environment, "shape")
    assert environment.restarted == 0


def test_nothing_stands_between_after_the_first_step():
    """The check costs nothing per step: copies are stepped directly."""
    environment = gymnasium_copies(FLAT, (GOOD, {}), good_step(GOOD))
    contact(environment)
    assert all(type(env) is Scripted for env in environment._envs)


class Later(Scripted):
    """Right at first contact; another answer from the third step on, or from the second reset on."""

    def __init__(self, space, good, step=None, reset=None):
        super().__init__(space, (good, {}), good_step(good))
        self._later_step, self._later_reset, self._steps, self._resets = step, reset, 0, 0

    def reset(self, *, seed=None, options=None):
        self._resets += 1
        return self._later_reset if self._later_reset is not None and self._resets > 1 else self._reset

    def step(self, action):
        self._steps += 1
        late = self._later_step is not None and self._steps > 2
        return self._later_step if late else self._step


class LaterVector(ScriptedVector):
    """The same of N copies at once."""

    reset, step = Later.reset, Later.step

    def __init__(self, space, good, step):
        ScriptedVector.__init__(self, space, (good, {}), good_step(good, N))
        self._later_step, self._later_reset, self._steps, self._resets = step, None, 0, 0


def refused_later(environment, says):
    """Two steps pass; the third is refused by one line."""
    environment.reset(0)
    act = lambda: environment.step(np.zeros(N, np.int32), np.zeros(N, bool))
    for _ in range(2):
        act()
    with pytest.raises(LogpiError, match=says) as error:
        act()
    assert "\n" not in str(error.value) and "Scripted answered" in str(error.value)


# Values that are not finite and indices of MultiDiscrete are found in the rollout (`tests/rollout/test_host.py`), and
# nobody reads `info` after the first step.
IN_ROLLOUT = (
    "an index out of range",
    "a negative index",
    "finite",
    "not a number",
    "beyond float32",
    "no number",
    "info",
)
of_form = lambda cases: [name for name in cases if not any(part in name for part in IN_ROLLOUT)]


@pytest.mark.thorough_after(20)
@pytest.mark.parametrize("name", of_form(OBSERVATIONS))
def test_an_observation_that_no_longer_fits_is_refused(name):
    space, good, bad, says = OBSERVATIONS[name]
    refused_later(Gymnasium(lambda: Later(space, good, good_step(bad)), N, "Scripted"), says)


@pytest.mark.parametrize("name", ["one number for four", "five for four", "a float for an index", "a wrong leaf"])
def test_a_batch_that_no_longer_fits_is_refused(name):
    space, good, bad, says = BATCHED[name]
    environment = GymnasiumVector(LaterVector(space, rows(good), good_step(rows(bad), N)), "Scripted")
    refused_later(environment, RENAMED.get(name, says))


@pytest.mark.parametrize("name", [name for name in of_form(STEPS) if STEPS[name][0] is not None])
def test_a_step_that_changes_its_form_is_refused(name):
    answer, says = STEPS[name]
    refused_later(Gymnasium(lambda: Later(FLAT, GOOD, answer), N, "Scripted"), says)


@pytest.mark.parametrize("name", of_form(VECTOR_STEPS))
def test_a_step_of_a_vector_environment_that_changes_its_form_is_refused(name):
    answer, says = VECTOR_STEPS[name]
    refused_later(GymnasiumVector(LaterVector(FLAT, OBS, answer), "Scripted"), says)


@pytest.mark.parametrize("name", [name for name in of_form(RESETS) if name not in ("nothing", "the pair swapped")])
def test_a_later_reset_of_another_form_is_refused(name):
    answer, says = RESETS[name]
    environment = Gymnasium(lambda: Later(FLAT, GOOD, reset=answer), N, "Scripted")
    environment.reset(0)
    with pytest.raises(LogpiError, match=says):
        environment.reset(1)


def test_the_first_observation_of_a_later_episode_must_fit():
    environment = Gymnasium(lambda: Later(FLAT, GOOD, reset=(f4(1), {})), N, "Scripted")
    environment.reset(0)
    with pytest.raises(LogpiError, match=r"answered reset with an observation .*shape \(1,\) is not \(4,\)"):
        environment.reset(1)


@pytest.mark.parametrize("index", [5, -1, np.int64(5), np.array(7)])
def test_an_index_out_of_range_is_refused_in_the_step_that_answers_it(index):
    refused_later(Gymnasium(lambda: Later(INDEX, 1, good_step(index)), N, "Scripted"), "outside Discrete")
