"""The presets that perturb θ, as they are built for a task."""

import jax.random as jr
import pytest

import logpi
from logpi.environments.registry import make
from logpi.errors import LogpiError
from logpi.types import ravel

PRESETS = {
    "finite-difference": (logpi.finite_difference(), logpi.FiniteDifference),
    "regression": (logpi.regression(), logpi.Regression),
    "evolution": (logpi.evolution(), logpi.EvolutionStrategies),
    "ars": (logpi.ars(), logpi.ARS),
}


def built(recipe):
    """(algorithm, policy, critic) for the cart-pole."""
    settings = recipe.settings("logpi:CartPole-v1")
    return recipe.build(make("logpi:CartPole-v1", settings["num_envs"]).spec, settings, jr.key(0))


@pytest.mark.parametrize(("recipe", "estimator"), PRESETS.values(), ids=PRESETS.keys())
def test_presets_are_the_compositions_they_say(recipe, estimator):
    """A linear policy of ten numbers, no critic, pairs that share their random numbers, everyone by the mode."""
    algorithm, policy, critic = built(recipe)
    assert isinstance(algorithm.estimator, estimator) and critic is None
    assert ravel(policy)[0].size == 10 and len(policy.network.layers) == 1
    assert algorithm.population == recipe.settings("CartPole-v1")["num_envs"]
    assert (algorithm.pairing, algorithm.collect.group) == (logpi.central_differences, 2)
    assert algorithm.acting is logpi.greedy


def test_options_reach_their_parts():
    algorithm = built(logpi.finite_difference(num_envs=11, differences="forward", stochastic=True, episodes=3))[0]
    assert (algorithm.pairing, algorithm.acting) == (logpi.forward_differences, logpi.sampled)
    assert (algorithm.collect.group, algorithm.collect.episodes_per_env) == (11, 3)
    algorithm = built(logpi.evolution(sigma="0.5:0.1", draw="orthogonal", directions=40, ranks=False))[0]
    parts = algorithm.estimator
    assert (parts.distribution, parts.num_directions, parts.shaping) == (logpi.orthogonal, 40, logpi.identity_shaping)
    assert parts.sigma == logpi.LinearSchedule(0.5, 0.1)
    assert built(logpi.ars(top=4))[0].estimator.top == 4


@pytest.mark.parametrize("options", [{"differences": "both"}, {"sigma": 0}, {"draw": "uniform"}])
def test_what_is_not_allowed_is_refused_by_name(options):
    (name, given), *_ = options.items()
    with pytest.raises(LogpiError, match=f"{name} is {given}; allowed: "):
        logpi.regression(**options)
