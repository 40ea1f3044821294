"""Other libraries' environments by name: what is said where the library is missing, old, broken, or lacks the task."""

import subprocess
import sys
from importlib import metadata

import pytest
from alike import OF_BRAX, GymnaxParams, LikeGymnax
from builders import Walk
from helpers import mostly_slow

import logpi
from logpi.environments import registry
from logpi.environments.adapters.gymnax import Gymnax
from logpi.environments.backends import EnvironmentBackend
from logpi.environments.registry import check, find_backend, names_a_module
from logpi.errors import LogpiError


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """Pretends that a version of gymnax is installed, with this source."""

    def pretend(version, source="registered_envs = ['CartPole-v1', 'Pendulum-v1', 'Catch-bsuite']"):
        about = tmp_path / f"gymnax-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gymnax\nVersion: {version}\n")
        (tmp_path / "gymnax.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "gymnax", raising=False)

    yield pretend
    sys.modules.pop("gymnax", None)


@pytest.mark.parametrize("name", ["gymnax:CartPole-v1", "brax:ant", "playground:CartpoleBalance", "envpool:Pong-v5"])
def test_a_library_that_is_missing_is_named_as_the_extra(name, monkeypatch):
    def missing(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    kind = name.partition(":")[0]
    with pytest.raises(LogpiError) as raised:
        check(name)
    assert str(raised.value) == f"{name} needs the extra {kind}: pip install 'logpi[{kind}]'"


def test_and_that_before_jax_is_imported():
    script = (
        "import sys; from logpi.environments.backends import Library;"
        "Library.missing = lambda self: f\"the extra {self.extra}: pip install 'logpi[{self.extra}]'\";"
        "from logpi.cli.main import main; status = main(['train', 'gymnax:CartPole-v1', 'ppo']);"
        "sys.exit(100 if 'jax' in sys.modules else status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "logpi: gymnax:CartPole-v1 needs the extra gymnax: pip install 'logpi[gymnax]'\n"


def test_gymnax_before_1_0_is_refused(pretended):
    pretended("0.0.9")
    with pytest.raises(LogpiError, match=r"needs gymnax ≥ 1.0.1.*finds 0.0.9.*'logpi\[gymnax\]'"):
        check("gymnax:CartPole-v1")


def test_a_library_that_cannot_be_imported_says_why(pretended):
    pretended("1.0.1", "import a_module_that_is_not_there")
    with pytest.raises(LogpiError, match=r"gymnax cannot be imported \(No module named 'a_module_that_is_not_there'\)"):
        check("gymnax:CartPole-v1")


def test_a_task_that_it_lacks_is_answered_with_the_nearest(pretended):
    pretended("1.0.1", "registered_envs = ['CartPole-v1', 'Pendulum-v1', 'Catch-bsuite']; print('welcome')")
    check("gymnax:CartPole-v1")
    with pytest.raises(LogpiError, match="unknown environment gymnax:CartPol-v0; did you mean gymnax:CartPole-v1"):
        check("gymnax:CartPol-v0")
    with pytest.raises(LogpiError, match="unknown environment gymnax:xyz; allowed: gymnax:CartPole-v1, gymnax:P"):
        check("gymnax:xyz")


def test_what_a_library_prints_is_no_answer(pretended, capsys):
    pretended("1.0.1", "registered_envs = ['One-v0']; print('welcome')")
    backend, _ = find_backend("gymnax:One-v0")
    assert backend.missing() is None and backend.names() == ["One-v0"]
    printed = capsys.readouterr()
    assert "welcome" not in printed.out and "welcome" in printed.err


def test_none_is_a_module_of_the_users():
    """A run on one can be evaluated and resumed without naming it again."""
    assert not any(names_a_module(f"{kind}:anything") for kind in ["gymnax", "brax", "playground", "envpool", "atari"])
    assert names_a_module("mine:make_env")


@pytest.mark.parametrize(("given", "limit"), [(None, 6), (4, 4), (9, 6)])
def test_a_limit_shortens_episodes_and_never_lengthens_them(given, limit, monkeypatch):
    class Backend(EnvironmentBackend):
        def names(self):
            return ["Walk"]

        def make(self, task, num_envs, time_limit):
            return Gymnax(LikeGymnax(Walk()), GymnaxParams(6))

    monkeypatch.setitem(registry._backends, "gymnax", Backend())
    spec = logpi.make("gymnax:Walk", 2, given).spec
    assert (spec.name, spec.num_envs, spec.time_limit) == ("gymnax:Walk", 2, limit)


# From here on, the libraries themselves.

SMALL = {
    "ppo": {"num_envs": 2, "num_steps": 16, "minibatch_size": 16, "epochs": 1, "hidden": (8,)},
    "reinforce": {"num_envs": 2, "max_episode_steps": 30, "episodes": 1, "hidden": (8,)},
    "npg": {"num_envs": 2, "num_steps": 16, "hidden": (8,)},
    "trpo": {"num_envs": 2, "num_steps": 16, "hidden": (8,)},
}


@pytest.mark.filterwarnings(*OF_BRAX)
@pytest.mark.parametrize(
    "task", ["gymnax:CartPole-v1", "gymnax:Pendulum-v1", "brax:inverted_pendulum", "envpool:CartPole-v1"]
)
@pytest.mark.parametrize("method", mostly_slow(SMALL))
def test_a_policy_is_trained_saved_and_goes_on(task, method, tmp_path):
    pytest.importorskip(task.partition(":")[0])
    recipe = getattr(logpi, method)(**SMALL[method])
    run = logpi.train(task, recipe, steps=64, evaluations=1, out=tmp_path / "run")
    again = logpi.resume(tmp_path / "run", steps=128)
    assert run.summary["steps"] <= 64 < again.summary["steps"] <= 128
    assert logpi.evaluate(again.policy, task, episodes=2, max_episode_steps=30).lengths.max() <= 30
