"""What was exported is the policy, and needs NumPy alone."""

import pickle
import runpy
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, SEEN, VECTORS, policy
from gymnasium import spaces

import logpi
from logpi.cli.main import main
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.product import Product
from logpi.distributions.protocol import numpy_sampler
from logpi.errors import LogpiError
from logpi.policies.normalization import Moments
from logpi.spaces.actions import to_native
from logpi.types import Frozen

EVERYTHING = spaces.Dict(
    place=spaces.Box(-1.0, 3.0, (2, 2), np.float64),
    gear=spaces.Discrete(4, start=1),
    rest=spaces.Tuple([spaces.MultiBinary(3), spaces.MultiDiscrete([2, 3], start=[0, 5])]),
)
MASKED = spaces.Dict(seen=spaces.Box(-1.0, 1.0, (3,)), action_mask=spaces.MultiBinary(5))
UNEVEN = spaces.Box(np.array([-2.0, 0.0], np.float32), np.array([2.0, 7.0], np.float32))
WHOLE = spaces.Box(0, 9, (2,), np.uint8)
BOUNDLESS = spaces.Box(-np.inf, np.inf, (2,))


class Users(eqx.Module):
    """A policy as a user might write one, with an error function, a bound that is none, its own distribution."""

    weight: jax.Array
    own: bool = eqx.field(static=True)

    def __call__(self, obs):
        mean = jnp.maximum(jax.nn.gelu(obs @ self.weight, approximate=False), -jnp.inf)
        return (Own if self.own else Gaussian)(mean, mean / 2)


class Own(Gaussian):
    """Not one of logpi's: how its noise is drawn is not known."""


def cases(key):
    """(policy, spaces of observations and actions), by name."""
    made = lambda seen, acted, **options: (policy(acted, key, seen, **options), seen, acted)
    yield "discrete", made(SEEN, CHOICES)
    yield "continuous", made(SEEN, UNEVEN)
    yield "unbounded", made(SEEN, BOUNDLESS)
    yield "whole numbers", made(SEEN, WHOLE)
    yield "squashed", made(SEEN, UNEVEN, squash=True)
    yield "sigma by state", made(SEEN, VECTORS, std="state")
    yield "a scalar seen", made(spaces.Discrete(3, start=2), spaces.Discrete(4, start=3))
    yield "switches", made(spaces.MultiBinary(3), spaces.MultiBinary(2))
    yield "every space", made(EVERYTHING, EVERYTHING)
    yield "masked", made(MASKED, spaces.Discrete(5, start=1))
    yield "masked, of several dimensions", made(MASKED, spaces.MultiDiscrete([2, 3]))
    pi, *rest = made(SEEN, VECTORS, normalize=True)
    moments = Moments(jnp.float32(10), jnp.array([0.5, -1.0, 2.0]), jnp.array([4.0, 0.25, 1.0]))
    yield "normalized", (eqx.tree_at(lambda p: p.encode.moments, pi, Frozen(moments)), *rest)
    yield "a user's", (Users(jr.normal(key, (3, 2)), False), SEEN, VECTORS)


CASES = dict(cases(jr.key(5)))
ALONE = """
import importlib.util, pickle, sys
sys.modules.update(jax=None, logpi=None, equinox=None, gymnasium=None)  # importing them fails
import numpy as np
answers = []
for path, observations in pickle.load(sys.stdin.buffer):
    spec = importlib.util.spec_from_file_location("policy", path)
    policy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(policy)
    answers.append([(policy.act(obs), policy.act(obs, np.random.default_rng(7))) for obs in observations])
pickle.dump(answers, sys.stdout.buffer)
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """(observation, mode, sample) of each case: what the exported files do in a process that has nothing but NumPy."""
    folder, sent = tmp_path_factory.mktemp("exported"), []
    for i, (pi, seen, acted) in enumerate(CASES.values()):
        seen.seed(i)
        path = logpi.export(pi, folder / f"policy_{i}.py", spaces=(seen, acted))
        sent.append((str(path), [seen.sample() for _ in range(4)]))
    done = subprocess.run([sys.executable, "-c", ALONE], input=pickle.dumps(sent), capture_output=True)
    assert not done.returncode, done.stderr.decode()
    answers = pickle.loads(done.stdout)
    return {
        name: [(obs, *answer) for obs, answer in zip(given, got, strict=True)]
        for name, (_, given), got in zip(CASES, sent, answers, strict=True)
    }


def narrow(tree):
    """64 bits as 32, as rollouts keep them."""
    halves = {np.dtype("f8"): np.float32, np.dtype("i8"): np.int32}
    return jax.tree.map(lambda x: jnp.asarray(x, halves.get(np.asarray(x).dtype)), tree)


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("name", CASES)
def test_the_file_takes_the_policys_mode_in_the_environments_units(name, alone):
    pi, _, acted = CASES[name]
    for obs, got, _ in alone[name]:
        here = pi(narrow(obs))
        truth = to_native(acted)(here.to_env(here.mode()))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5, rtol=1e-5), got, truth)
        assert acted.contains(got), f"{got} is not in {acted}"


@pytest.mark.thorough_after(4)
@pytest.mark.parametrize("name", CASES)
def test_and_samples_by_a_generator_of_numpys(name, alone):
    """The noise is the distribution's own kind, drawn leaf by leaf."""
    pi, _, acted = CASES[name]
    for obs, _, got in alone[name]:
        here = pi(narrow(obs))
        noise = NOISES[name](here, np.random.default_rng(7))
        truth = to_native(acted)(here.to_env(here.push(noise)))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5, rtol=1e-5), got, truth)
        assert acted.contains(got)


def like(draw):
    """Noise of one leaf, by a method of a generator, in the shape of the distribution's own."""

    def noise(here, rng):
        shape = jax.eval_shape(lambda: here.noise(jr.key(0))).shape
        return jnp.asarray(draw(rng)(size=shape), jnp.float32)

    return noise


def of_every_space(here, rng):
    gumbel = lambda *shape: jnp.asarray(rng.gumbel(size=shape), jnp.float32)
    gear, place = gumbel(4), jnp.asarray(rng.standard_normal(4), jnp.float32)
    return {"gear": gear, "place": place, "rest": (jnp.asarray(rng.logistic(size=3), jnp.float32), gumbel(2, 3))}


NORMAL, GUMBEL = like(lambda rng: rng.standard_normal), like(lambda rng: rng.gumbel)
NOISES = dict.fromkeys(CASES, NORMAL) | dict.fromkeys(
    ["discrete", "a scalar seen", "masked", "masked, of several dimensions"], GUMBEL
)
NOISES |= {"switches": like(lambda rng: rng.logistic), "every space": of_every_space}


def test_of_a_distribution_of_ones_own_there_is_the_mode_alone(tmp_path):
    pi = Users(jnp.ones((3, 2)), True)
    act = acting(logpi.export(pi, tmp_path / "policy.py", spaces=(SEEN, VECTORS)))
    np.testing.assert_allclose(act(np.zeros(3)), np.zeros(2), atol=1e-6)
    with pytest.raises(ValueError, match="only the mode"):
        act(np.zeros(3), np.random.default_rng(0))


def test_a_part_that_is_not_known_makes_the_whole_unknown():
    known, own = (kind(jnp.zeros(2), jnp.zeros(2)) for kind in (Gaussian, Own))
    assert numpy_sampler(Product({"a": known, "b": (known,)})) == ["standard_normal({0})"] * 2
    assert numpy_sampler(Product({"a": known, "b": (own,)})) is None


def acting(path):
    return runpy.run_path(str(path))["act"]


def test_an_observation_of_another_size_is_an_error(tmp_path):
    act = acting(logpi.export(CASES["continuous"][0], tmp_path / "policy.py", spaces=(SEEN, UNEVEN)))
    with pytest.raises(ValueError, match="cannot reshape"):
        act(np.zeros(4))


def convolved(obs):
    return Gaussian(jax.lax.conv(obs[None, None], jnp.ones((1, 1, 3)), (1,), "SAME")[0, 0], obs)


REFUSED = {
    "pictures": (
        convolved,
        "policy.py",
        (SEEN, SEEN),
        "uses conv_general_dilated, which logpi does not write in NumPy",
    ),
    "a name that cannot be imported": (None, "my-policy.py", (SEEN, CHOICES), "my-policy.py names none; allowed: as"),
    "no module": (None, "policy.npz", (SEEN, CHOICES), "policy.npz names none"),
    "a folder that is not there": (None, "no/policy.py", (SEEN, CHOICES), "cannot be written: No such file"),
    "no spaces": (None, "policy.py", None, "knows no spaces: export"),
}


@pytest.mark.parametrize(("pi", "name", "given", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_exported_is_refused_in_one_line_and_nothing_is_written(pi, name, given, said, tmp_path):
    with pytest.raises(LogpiError, match=said) as raised:
        logpi.export(pi or CASES["discrete"][0], tmp_path / name, spaces=given)
    assert "\n" not in str(raised.value) and not list(tmp_path.iterdir())


def test_only_what_was_exported_before_is_replaced(tmp_path):
    path, given = tmp_path / "policy.py", (SEEN, CHOICES)
    logpi.export(CASES["discrete"][0], path, spaces=given)
    logpi.export(CASES["discrete"][0], path, spaces=given)
    path.write_text("mine = 1\n")
    with pytest.raises(LogpiError, match="exists and was not exported by logpi"):
        logpi.export(CASES["discrete"][0], path, spaces=given)
    assert path.read_text() == "mine = 1\n"


@pytest.mark.parametrize("line", [["export"], ["export", "nowhere"], ["export", "nowhere", "--out", "x.py", "--best"]])
def test_a_bad_directory_is_one_line(line, capsys):
    assert main(line) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.startswith("logpi: ") and said.err.count("\n") == 1
