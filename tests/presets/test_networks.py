"""The networks of a preset fit the spaces and the options."""

import equinox as eqx
import jax
import pytest
from gymnasium import spaces
from tasks import RULES, OneStep

import logpi
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.policies.cnn import CNN
from logpi.policies.heads import GaussianHead, StateDependentGaussianHead, TanhHead
from logpi.policies.mlp import MLP
from logpi.presets.networks import networks
from logpi.types import Frozen

SEEN, ARM = spaces.Box(-1.0, 1.0, (3,)), spaces.Box(-1.0, 1.0, (2,))


def made(seen, actions, **options):
    """Their shapes, which take no time."""
    settings = logpi.ppo(hidden=(4,), **options).settings("task")
    return eqx.filter_eval_shape(networks, Spec("task", 1, seen, actions), settings, jax.random.key(0))


def test_pictures_are_convolved_and_nothing_else_is():
    for name, kind in {"picture": CNN, "dict observation": MLP}.items():
        policy, critic = made(RULES[name].seen, RULES[name].actions)
        assert isinstance(policy.network, kind) and isinstance(critic.network, kind)


def test_the_options_choose_the_head():
    learned, fixed = (made(SEEN, ARM, std=std)[0].head for std in ("learned", "fixed"))
    assert isinstance(learned, GaussianHead) and not isinstance(learned.log_std, Frozen)
    assert isinstance(fixed.log_std, Frozen)
    squashed = made(SEEN, ARM, std="state", squash="true", initial_std=0.25)[0].head
    assert isinstance(squashed, TanhHead) and isinstance(squashed.head, StateDependentGaussianHead)
    assert squashed.head.initial_std == 0.25


@pytest.mark.parametrize("name, value", [("std", "wild"), ("squash", "perhaps")])
def test_an_unknown_choice_is_refused_with_those_there_are(name, value):
    with pytest.raises(LogpiError, match=f"{name} is {value}; allowed: (learned, fixed or state|true or false)"):
        logpi.ppo(**{name: value})


@pytest.mark.parametrize(
    ("seen", "actions", "what"),
    [
        (
            spaces.Dict(camera=spaces.Dict(words=spaces.Text(3))),
            ARM,
            r"observation space: \['camera'\]\['words'\] is Text",
        ),
        (SEEN, spaces.Tuple((ARM, spaces.Graph(ARM, None))), r"action space: \[1\] is Graph"),
        (SEEN, spaces.Sequence(ARM), "action space is Sequence"),
    ],
)
def test_an_unsupported_leaf_is_refused_by_its_path_before_anything_runs(seen, actions, what):
    with pytest.raises(LogpiError, match=what):
        made(seen, actions)


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_two_updates_of_a_run_and_an_evaluation(name, tmp_path):
    recipe = logpi.ppo(num_envs=4, num_steps=4, minibatch_size=8, epochs=1, hidden=(4,), normalize_observations=True)
    run = logpi.train(OneStep(name, 4), recipe, steps=32, evaluations=0, out=tmp_path / "run")
    assert len(run.metrics) == 2 and all(row["skipped_updates"] == 0 for row in run.metrics)
    again = logpi.load(tmp_path / "run", policy=run.policy, critic=run.critic)
    assert len(logpi.evaluate(again.policy, OneStep(name, 4), episodes=8).returns) == 8
