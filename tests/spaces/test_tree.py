"""Composite spaces through both adapters: a Dict is a dict, a Tuple a tuple, leaves have their N rows."""

import gymnasium
import jax
import numpy as np
import pytest
from counting import DICT, FLAT, TUPLE, Counting, Recording, shown
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper

from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.errors import LogpiError
from logpi.spaces.tree import check

N = 3
NOBODY = np.zeros(N, bool)
KEPT = {np.dtype("f8"): "f4", np.dtype("i8"): "i4"}
ACTIONS = spaces.Dict(
    arm=spaces.Tuple((spaces.Box(-3.0, 7.0, (2, 1), np.float64), spaces.Discrete(3, start=5))),
    keys=spaces.MultiBinary([2, 2]),
    gears=spaces.MultiDiscrete([3, 4], start=[1, -2]),
)
MODES = ["loop", *AutoresetMode]


def adapter(make, mode):
    if mode == "loop":
        return Gymnasium(make, N, "counting")
    return GymnasiumVector(SyncVectorEnv([make] * N, autoreset_mode=mode), "counting")


def rows(space, numbers):
    """The batch that stands for these numbers, in the dtypes it is kept in."""
    one = lambda *xs: np.stack(xs).astype(KEPT.get(np.asarray(xs[0]).dtype, np.asarray(xs[0]).dtype))
    return tree_map(one, *[shown(space, int(n)) for n in numbers])


def equal(got, want):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for one, other in zip(tree_leaves(got), tree_leaves(want), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("space", [FLAT, DICT, TUPLE], ids=["flat", "dict", "tuple"])
@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_every_leaf_is_that_of_the_number_also_at_ends(mode, space):
    """Through three ends: next_obs the true last observation, obs a fresh start, in every leaf."""
    environment = adapter(lambda: Counting(space=space), mode)
    equal(environment.reset(0), rows(space, [0] * N))
    episode, t = 0, 0
    for _ in range(14):
        step = environment.step(np.zeros(N, np.int32), NOBODY)
        if not step.valid.all():  # the dummy row of NEXT_STEP
            episode, t = episode + 1, 0
            equal(step.obs, rows(space, [100 * episode] * N))
            continue
        t += 1
        equal(step.next_obs, rows(space, [100 * episode + t] * N))
        ended = (step.terminated | step.truncated).all()
        assert ended == (t == 3 + episode % 3)
        if ended and mode is not AutoresetMode.NEXT_STEP:
            episode, t = episode + 1, 0
        equal(step.obs, rows(space, [100 * episode + t] * N))
    assert episode >= 2


@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_what_is_sent_lies_in_a_composite_action_space(mode):
    """`Recording` asserts it; the values are those of the policy, mapped leaf by leaf."""
    copies = []
    environment = adapter(lambda: copies.append(Recording(ACTIONS)) or copies[-1], mode)
    environment.reset(0)
    own = {
        "arm": (np.full((N, 2, 1), 50, np.float32), np.arange(N, dtype=np.int32)),
        "keys": np.ones((N, 2, 2), np.int32),
        "gears": np.tile(np.int32([2, 0]), (N, 1)),
    }
    assert environment.step(own, NOBODY).valid.all()
    sent = [copy.seen[-1] for copy in copies[-N:]]
    assert [int(action["arm"][1]) for action in sent] == [5, 6, 7]
    assert all((action["arm"][0] == 7).all() and action["gears"].tolist() == [3, -2] for action in sent)


def test_a_single_number_is_sent_as_an_array_of_no_axes():
    copies = []
    space = spaces.Dict(speed=spaces.Box(-2.0, 2.0, ()))
    environment = adapter(lambda: copies.append(Recording(space)) or copies[-1], "loop")
    environment.reset(0)
    environment.step({"speed": np.float32([-1, 0, 0.5])}, NOBODY)
    assert [float(copy.seen[0]["speed"]) for copy in copies] == [-2, 0, 1]


@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_a_leaf_that_is_not_finite_is_never_sent(mode):
    copies = []
    space = spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(-1.0, 1.0, (2,)))
    environment = adapter(lambda: copies.append(Recording(space)) or copies[-1], mode)
    environment.reset(0)
    own = {"a": np.zeros(N, np.int32), "b": np.float32([[0, 0], [0, np.nan], [0, 0]])}
    with pytest.raises(LogpiError, match="environment 1 of counting a non-finite action"):
        environment.step(own, NOBODY)
    assert not any(copy.seen for copy in copies)


@pytest.mark.parametrize("mode", ["loop", AutoresetMode.SAME_STEP], ids=str)
def test_a_space_of_another_kind_is_refused_with_its_place(mode):
    class Telling(Counting):
        def __init__(self):
            super().__init__(space=spaces.Dict(number=FLAT, said=spaces.Tuple((FLAT, spaces.Text(3)))))

        def _obs(self):
            return {"number": np.zeros(1, np.float32), "said": (np.zeros(1, np.float32), "no")}

    with pytest.raises(LogpiError, match=r"observation space Text.* at \['said'\]\[1\] is not supported; supported"):
        adapter(Telling, mode)


@pytest.mark.parametrize(
    "space", [spaces.Sequence(FLAT), spaces.Graph(FLAT, FLAT), spaces.OneOf([FLAT, FLAT])], ids=str
)
def test_spaces_without_a_fixed_shape_are_refused(space):
    with pytest.raises(LogpiError, match="is not supported"):
        check(gymnasium.spaces.Dict(a=space), "observation")


class Restyled(VectorWrapper):
    """SAME_STEP, whose last observations come as a user's own vector environment might give them."""

    def __init__(self, env, restyle):
        VectorWrapper.__init__(self, env)
        self._restyle = restyle

    def step(self, actions):
        *answer, info = self.env.step(actions)
        finals = info.pop("final_obs", None)
        if finals is not None:
            info |= self._restyle(finals)
        return *answer, info


def restyled(restyle, space):
    inner = SyncVectorEnv([lambda: Counting(space=space)] * N, autoreset_mode=AutoresetMode.SAME_STEP)
    environment = GymnasiumVector(Restyled(inner, restyle), "restyled")
    environment.reset(0)
    return lambda: environment.step(np.zeros(N, np.int32), NOBODY)


@pytest.mark.parametrize("space", [FLAT, DICT, TUPLE], ids=["flat", "dict", "tuple"])
def test_last_observations_may_come_as_a_batch(space):
    """Every leaf [N, ...], in place of Gymnasium's one object an environment. All end together here."""
    step = restyled(lambda finals: {"final_obs": tree_map(lambda *xs: np.stack(xs), *finals)}, space)
    steps = [step() for _ in range(3)]
    equal(steps[-1].next_obs, rows(space, [3] * N))
    equal(steps[-1].obs, rows(space, [100] * N))


def test_a_vector_environment_without_last_observations_is_refused():
    step = restyled(lambda finals: {}, FLAT)
    step(), step()
    with pytest.raises(LogpiError, match=r"restyled says SAME_STEP, but gives no info\['final_obs'\]"):
        step()


KEYS = {"0": 0, "1.5": 1.5, "('a', 1)": ("a", 1), "None": None, "b'x'": b"x"}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_that_is_no_text_is_refused(key):
    """A saved run could not give it back; so it is for actions, inside other spaces, and beside keys of text."""
    inner = spaces.Dict({key: FLAT})
    for space, place in ((inner, ""), (spaces.Dict(a=spaces.Tuple((FLAT, inner))), r" at \['a'\]\[1\]")):
        with pytest.raises(LogpiError, match=rf"action space{place} has the key .*; allowed: text, as "):
            check(space, "action")
