"""A preset's options, kept until the environment is known; then an algorithm and its networks."""

import functools
import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from types import MappingProxyType
from typing import Any

from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.presets.options import read_option

NETWORKS: Mapping[str, Any] = MappingProxyType(
    {
        "num_envs": 8,
        "hidden": (64, 64),
        "std": "learned",
        "squash": False,
        "initial_std": 1.0,
        "normalize_observations": False,
        "normalize_returns": False,
        "noise_scale_groups": None,
    }
)


@dataclass(frozen=True)
class Recipe:
    """An algorithm by name and the options given to it: immutable, and free of JAX until it is built.

    Each option takes the value given, else the one tuned for the task, else the default.
    """

    name: str
    compose: Callable[..., Any]
    defaults: Mapping[str, Any]
    given: Mapping[str, Any]
    start: Any = None

    def from_policy(self, policy: Any) -> "Recipe":
        """The same recipe, but learning begins from this policy, such as a clone, and not from a new one."""
        return replace(self, start=policy)

    def with_options(self, **options: Any) -> "Recipe":
        """The same recipe, but for these options."""
        read_all = {name: read_option(name, value, self.defaults) for name, value in options.items()}
        return replace(self, given=MappingProxyType({**self.given, **read_all}))

    def tuned(self, environment: str) -> dict[str, Any]:
        """The settings tuned for a task, `steps` among them; empty where there are none."""
        return dict(_tuned_file().get(self.name, {}).get(environment, {}))

    def settings(self, environment: str) -> dict[str, Any]:
        """The value of every option on a task. Raises LogpiError if they do not fit together."""
        tuned = {name: x for name, x in self.tuned(environment).items() if name != "steps"}
        settings = {
            name: read_option(name, x, self.defaults) for name, x in {**self.defaults, **tuned, **self.given}.items()
        }
        batch = settings["num_envs"] * settings.get("num_steps", 1)
        minibatch = settings.get("minibatch_size", 1)
        if minibatch > batch and "num_steps" in settings:
            raise LogpiError(
                f"minibatch_size is {minibatch}; allowed: 1 … {batch} (num_envs {settings['num_envs']}"
                f" × num_steps {settings['num_steps']})"
            )
        if settings.get("differences") == "central" and settings["num_envs"] % 2:
            raise LogpiError(f"num_envs is {settings['num_envs']}; allowed: an even number (central differences)")
        return settings

    def build(self, spec: Spec, settings: Mapping[str, Any], key: Any) -> tuple[Any, Any, Any]:
        """(algorithm, policy, critic) for an environment; the critic is None where nothing fits one."""
        from logpi.objectives.value import action_value
        from logpi.presets.networks import networks

        composed = self._composed(settings)
        of_actions = getattr(composed, "critic_objective", None) is action_value
        policy, critic = networks(spec, settings, key, of_actions)
        policy = policy if self.start is None else self.start
        critic = None if getattr(composed, "fit", None) is None else critic
        return _with_noise_meter(composed, settings["noise_scale_groups"]), policy, critic

    def algorithm(self, settings: Mapping[str, Any]) -> Any:
        """The algorithm with these settings, without networks."""
        return _with_noise_meter(self._composed(settings), settings["noise_scale_groups"])

    def _composed(self, settings: Mapping[str, Any]) -> Any:
        return self.compose(**{name: settings[name] for name in inspect.signature(self.compose).parameters})


def _with_noise_meter(algorithm: Any, groups: int | None) -> Any:
    """The algorithm with a meter of its gradients, if one is asked for."""
    if groups is None:
        return algorithm
    from logpi.algorithms.gradient_noise import GradientNoiseMeter
    from logpi.algorithms.policy_gradient import PolicyGradient

    if not isinstance(algorithm, PolicyGradient):
        raise LogpiError(f"noise_scale_groups is {groups}; allowed: none, since this method has no gradient of log π")
    return GradientNoiseMeter(algorithm, groups)


def preset(**networks: Any) -> Callable[[Callable[..., Any]], Callable[..., Recipe]]:
    """Make a function of options that composes an algorithm into one that gives its `Recipe`.

    The defaults are the function's own; those of the networks and environments can be set here.
    """

    def wrap(compose: Callable[..., Any]) -> Callable[..., Recipe]:
        options = inspect.signature(compose).parameters.items()
        own = {name: p.default for name, p in options if p.default is not p.empty}  # the rest are in NETWORKS
        defaults = MappingProxyType({**NETWORKS, **networks, **own})

        @functools.wraps(compose)
        def recipe(**options: Any) -> Recipe:
            given = {name: read_option(name, value, defaults) for name, value in options.items()}
            return Recipe(compose.__name__.replace("_", "-"), compose, defaults, MappingProxyType(given))

        return recipe

    return wrap


@functools.cache
def _tuned_file() -> dict[str, Any]:
    return tomllib.loads(resources.files("logpi.presets").joinpath("tuned.toml").read_text("utf-8"))
