"""Presets and recipes: a method and its options, kept until the environment is known, then built."""

import functools
import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from logpi.core.scalars import LARGEST_INT32
from logpi.environments.protocol import Spec
from logpi.errors import LogpiError
from logpi.presets.options import (
    Context,
    Hidden,
    InitialStd,
    MemoryCore,
    MemorySize,
    NoiseScaleGroups,
    NormalizeObservations,
    NormalizeReturns,
    NumEnvs,
    Option,
    SequenceLength,
    Squash,
    Std,
    declared_options,
    read_option,
)

if TYPE_CHECKING:
    import jax
    import jaxtyping
    import wadler_lindig

    import logpi.algorithms.protocol  # annotations name it in full: a recipe is made without importing JAX


def every_preset(
    *,
    num_envs: NumEnvs = 8,
    hidden: Hidden = (64, 64),
    std: Std = "learned",
    squash: Squash = False,
    initial_std: InitialStd = 1.0,
    normalize_observations: NormalizeObservations = False,
    normalize_returns: NormalizeReturns = False,
    memory: MemoryCore = None,
    memory_size: MemorySize = 64,
    context: Context = 32,
    sequence_length: SequenceLength = None,
    noise_scale_groups: NoiseScaleGroups = None,
) -> None:
    """Declare the options that every preset has: those of environments, networks and the gradient noise meter."""


NETWORKS: Mapping[str, Option] = MappingProxyType(declared_options(every_preset))


@dataclass(frozen=True, repr=False)
class Recipe:
    """Choice of a method and of its options: immutable, and free of JAX until it is built.

    An option has the value given, else the one tuned for the task, else the default.

    - `name`: the method's name.
    - `compose`: function of the method's own options that puts the algorithm together.
    - `options`: declaration of every option, in the order of `--help`.
    - `defaults`: default of every option.
    - `given`: values that were given, as read.
    - `start`: policy that learning begins from; None for a new one.
    """

    name: str
    compose: "Callable[..., logpi.algorithms.protocol.Algorithm]"
    options: Mapping[str, Option]
    defaults: Mapping[str, Any]
    given: Mapping[str, Any]
    start: Any = None

    def __repr__(self) -> str:
        """Return the call that makes the recipe, as it is typed: `ppo(clip_range=0.1)`."""
        given = ", ".join(f"{option}={value!r}" for option, value in self.given.items())
        start = "" if self.start is None else f".from_policy(<{type(self.start).__name__}>)"
        return f"{self.name.replace('-', '_')}({given}){start}"

    def __pdoc__(self, **style: Any) -> "wadler_lindig.AbstractDoc":
        """Return the composition with every value, for `describe`; no task's tuned settings are among them."""
        import wadler_lindig

        return wadler_lindig.pdoc(self.algorithm(self.settings("")), **style)

    def from_policy(self, policy: "jaxtyping.PyTree") -> "Recipe":
        """Return the same recipe with learning from this policy on, such as a clone, instead of from a new one."""
        return replace(self, start=policy)

    def with_options(self, **options: object) -> "Recipe":
        """Return the same recipe with other values of these options."""
        return replace(self, given=MappingProxyType({**self.given, **_read_all(options, self.options)}))

    def tuned(self, environment: str) -> dict[str, Any]:
        """Return the settings tuned for a task, `steps` among them; empty where there are none."""
        return dict(_tuned_file().get(self.name, {}).get(environment, {}))

    def settings(self, environment: str) -> dict[str, Any]:
        """Return the value of every option on a task. Raises LogpiError if they do not fit together."""
        tuned = {name: x for name, x in self.tuned(environment).items() if name != "steps"}
        settings = _read_all({**self.defaults, **tuned, **self.given}, self.options)
        batch = settings["num_envs"] * settings.get("num_steps", 1)
        if batch > LARGEST_INT32:
            raise LogpiError(
                f"num_envs is {settings['num_envs']} and num_steps {settings.get('num_steps', 1)}; allowed:"
                f" {LARGEST_INT32} steps per iteration at most"
            )
        minibatch = settings.get("minibatch_size", 1)
        if minibatch > batch and "num_steps" in settings:
            raise LogpiError(
                f"minibatch_size is {minibatch}; allowed: 1 … {batch} (num_envs {settings['num_envs']}"
                f" × num_steps {settings['num_steps']})"
            )
        _require_fitting_memory(settings)
        if settings.get("differences") == "central" and settings["num_envs"] % 2:
            raise LogpiError(f"num_envs is {settings['num_envs']}; allowed: an even number (central differences)")
        return settings

    def build(
        self, spec: Spec, settings: Mapping[str, Any], key: "jax.Array"
    ) -> "tuple[logpi.algorithms.protocol.Algorithm, Any, Any]":
        """Return (algorithm, policy, critic) for an environment; the critic is None if the algorithm fits none."""
        from logpi.presets.networks import networks

        composed = self._composed(settings)
        policy, critic = networks(spec, settings, key, of_actions=composed.critic_kind == "action")
        policy = policy if self.start is None else self.start
        critic = None if composed.critic_kind is None else critic
        return _with_noise_meter(composed, settings["noise_scale_groups"]), policy, critic

    def algorithm(self, settings: Mapping[str, Any]) -> "logpi.algorithms.protocol.Algorithm":
        """Return the algorithm with these settings, without networks."""
        return _with_noise_meter(self._composed(settings), settings["noise_scale_groups"])

    def _composed(self, settings: Mapping[str, Any]) -> "logpi.algorithms.protocol.Algorithm":
        own = {name: settings[name] for name in inspect.signature(self.compose).parameters}
        return _with_sequence_length(self.compose(**own), settings["sequence_length"])


def _require_fitting_memory(settings: Mapping[str, Any]) -> None:
    """Raise LogpiError for segments without a memory, or of a length that does not divide the rollout's."""
    length, steps = settings["sequence_length"], settings.get("num_steps")
    if length is None:
        return
    if settings["memory"] is None:
        raise LogpiError(f"sequence_length is {length} without a memory; allowed: none, or memory gru, lstm …")
    if steps is not None and steps % length:
        raise LogpiError(f"sequence_length is {length}; allowed: a divisor of num_steps, {steps}, or none")


def _with_sequence_length(
    algorithm: "logpi.algorithms.protocol.Algorithm", length: int | None
) -> "logpi.algorithms.protocol.Algorithm":
    """Return the algorithm, learning from segments of this length if one is asked for."""
    if length is None:
        return algorithm
    from logpi.algorithms.policy_gradient import PolicyGradient

    if not isinstance(algorithm, PolicyGradient):
        raise LogpiError(f"sequence_length is {length}; allowed: none, since this method takes no gradient of log π")
    return replace(algorithm, sequence_length=length)


def _with_noise_meter(
    algorithm: "logpi.algorithms.protocol.Algorithm", groups: int | None
) -> "logpi.algorithms.protocol.Algorithm":
    """Return the algorithm with a meter of its gradients, if one is asked for."""
    if groups is None:
        return algorithm
    from logpi.algorithms.gradient_noise import GradientNoiseMeter
    from logpi.algorithms.policy_gradient import PolicyGradient

    if not isinstance(algorithm, PolicyGradient):
        raise LogpiError(f"noise_scale_groups is {groups}; allowed: none, since this method has no gradient of log π")
    return GradientNoiseMeter(algorithm, groups)


class Preset:
    """A named method: called with options, it returns its `Recipe`. Made by the decorator `preset`.

    The command line makes its flags from `options` and `defaults`, and its help from the docstring.

    - `name`: the function's name, with hyphens.
    - `options`: declaration of every option: those that every preset has, then the function's own.
    - `defaults`: default of every option, in the same order.
    """

    def __init__(self, compose: Callable[..., Any], defaults: Mapping[str, Any]):
        """Declare a method by the function that composes it; `defaults` replace those of options of every preset."""
        functools.update_wrapper(self, compose)
        own = declared_options(compose)
        self.name: str = compose.__name__.replace("_", "-")
        self.options: Mapping[str, Option] = MappingProxyType({**NETWORKS, **own})
        self.defaults: Mapping[str, Any] = MappingProxyType(
            {**_defaults(every_preset), **defaults, **_defaults(compose)}
        )
        self._compose = compose

    def __call__(self, **options: object) -> Recipe:
        """Return the recipe with these options. Raises LogpiError for an unknown one or a value that is not allowed."""
        given = MappingProxyType(_read_all(options, self.options))
        return Recipe(self.name, self._compose, self.options, self.defaults, given)

    def __repr__(self) -> str:
        """Return the method's name."""
        return f"<preset {self.name}>"


def preset(**defaults: object) -> Callable[[Callable[..., Any]], Preset]:
    """Decorate a function of options that returns an algorithm: the result is a `Preset` of the function's name.

        @preset(num_envs=16)
        def mine(*, gamma: Gamma = 0.99, temperature: Annotated[float, Option("…", "a number ≥ 0", number(0))] = 1.0):
            \"""Mine: the formula.\"""
            return logpi.PolicyGradient(…)

    A parameter declares an option by its annotation, see `logpi.presets.options`. A parameter without a default is one
    of the options that every preset has, such as `num_envs`. `register` makes the preset known by its name.

    - `defaults`: this method's defaults of options that every preset has.
    """
    return lambda compose: Preset(compose, defaults)


def _defaults(compose: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(compose).parameters.items()
    return {name: parameter.default for name, parameter in parameters if parameter.default is not parameter.empty}


def _read_all(values: Mapping[str, Any], options: Mapping[str, Option]) -> dict[str, Any]:
    return {name: read_option(name, value, options) for name, value in values.items()}


@functools.cache
def _tuned_file() -> dict[str, Any]:
    return tomllib.loads(resources.files("logpi.presets").joinpath("tuned.toml").read_text("utf-8"))
