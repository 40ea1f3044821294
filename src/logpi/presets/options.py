"""Options of presets: what each means, which values are allowed, and how text is read.

An option is declared where it is used, in the annotation of a preset's parameter:

    def mine(*, gamma: Gamma = 0.99, temperature: Annotated[float, Option("…", "a number ≥ 0", number(0))] = 1.0): ...

This module holds the class, readers of the usual kinds of values, and the declarations that several presets share.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from logpi.core.schedules import LinearSchedule, parse_schedule
from logpi.errors import LogpiError, shown

LARGEST_INTEGER = 2**31 - 1  # rows, steps and weights are counted by 32 bits in compiled programs
LARGEST_NUMBER = float(np.finfo(np.float32).max)
MOST_LAYERS = 1000
Read = Callable[[Any], Any]
Number = float | LinearSchedule
"""A hyperparameter that may follow a schedule over the run."""


@dataclass(frozen=True)
class Option:
    """Declaration of an option of a preset.

    - `help`: its meaning, a noun phrase, for `--help`.
    - `allowed`: the allowed values in words, for `--help` and error messages.
    - `read`: turns text or a value into the option's value, or raises ValueError or TypeError. It must read its own
      result, and what JSON makes of it, as run.json holds values.
    """

    help: str
    allowed: str
    read: Read


def number(low: float = -math.inf, high: float = math.inf, above: bool = False) -> Read:
    """Reader of a number in [low, high] (above `low`, if `above`), or of a schedule between two numbers in it.

    Numbers beyond those of 32 bits are none: programs would compute with infinities.
    """

    def bounded(x: float) -> float:
        if not abs(x) <= LARGEST_NUMBER or not low <= x <= high or (above and x == low):
            raise ValueError
        return x

    def read(given: Any) -> float | LinearSchedule:
        if isinstance(given, str) and ":" in given:
            given = parse_schedule(given)
        if isinstance(given, LinearSchedule):
            end = number(low, high)  # a schedule may reach 0, where a constant may not be 0
            return LinearSchedule(end(given.start), end(given.end))
        return bounded(float(given))

    return read


def integer(given: Any) -> int:
    """Read a whole number; also text such as "1e3"."""
    x = float(given)
    if x != int(x) or abs(x) > LARGEST_INTEGER:
        raise ValueError
    return int(x)


def whole_number(given: Any) -> int:
    """Read a whole number ≥ 1."""
    if (x := integer(given)) < 1:
        raise ValueError
    return x


def sizes(given: Any) -> tuple[int, ...]:
    """Read sizes of layers: a sequence, or text such as "64,64"; so many weights as fit an array."""
    parts = given.split(",") if isinstance(given, str) else given
    layers = tuple(whole_number(part) for part in parts if part != "")
    if len(layers) > MOST_LAYERS or sum(a * b for a, b in pairwise((1, *layers, 1))) > LARGEST_INTEGER:
        raise ValueError
    return layers


def switch(given: Any) -> bool:
    """Read true or false; also yes, no, on, off, 1, 0."""
    word = str(given).lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError


def one_of(*words: str) -> Read:
    """Reader of one of these words."""

    def read(given: Any) -> str:
        if given not in words:
            raise ValueError
        return given

    return read


def optional(read: Read) -> Read:
    """Reader of None or "none", or of what `read` takes."""
    return lambda given: None if given is None or str(given).lower() == "none" else read(given)


def groups(given: Any) -> int | None:
    """Read a whole number ≥ 2, or None."""
    number_of_groups = optional(whole_number)(given)
    if number_of_groups == 1:
        raise ValueError
    return number_of_groups


positive = number(0, above=True)
POSITIVE = "a number above 0, or a schedule start:end"
POSITIVE_OR_NONE = "a number above 0, or none"
NON_NEGATIVE = "a number ≥ 0, or a schedule start:end"
WHOLE = f"a whole number, 1 … {LARGEST_INTEGER}"
SWITCH = "true or false"

BY_TYPE: dict[type, Option] = {
    bool: Option("true or false", SWITCH, switch),
    int: Option("a whole number", "a whole number", integer),
    float: Option("a number", "a number, or a schedule start:end", number()),
    str: Option("text", "text", str),
}

# Declarations that several presets share, each named after its option.
NumEnvs = Annotated[int, Option("number of environments N that are stepped together", WHOLE, whole_number)]
NumSteps = Annotated[int, Option("rollout length T: steps per environment and iteration", WHOLE, whole_number)]
Episodes = Annotated[int, Option("complete episodes per environment and iteration", WHOLE, whole_number)]
MaxEpisodeSteps = Annotated[
    int | None,
    Option("time limit of an episode, in steps", f"{WHOLE}, or none: the task's own", optional(whole_number)),
]
Gamma = Annotated[Number, Option("discount factor γ", "0 … 1", number(0, 1))]
GaeLambda = Annotated[Number, Option("λ of GAE: 0 is the one-step TD residual, 1 Monte-Carlo", "0 … 1", number(0, 1))]
LearningRate = Annotated[Number, Option("learning rate of the policy's optimizer", POSITIVE, positive)]
CriticLearningRate = Annotated[Number, Option("learning rate of the critic's optimizer", POSITIVE, positive)]
Epochs = Annotated[int, Option("passes over each batch", WHOLE, whole_number)]
CriticEpochs = Annotated[int, Option("passes over each batch by the critic's optimizer", WHOLE, whole_number)]
MinibatchSize = Annotated[int, Option("rows per gradient step", f"{WHOLE}, at most the batch", whole_number)]
CriticMinibatchSize = Annotated[
    int | None,
    Option("rows per gradient step of the critic", f"{WHOLE}, or none: the batch", optional(whole_number)),
]
EntCoef = Annotated[Number, Option("weight c_H of the entropy bonus", NON_NEGATIVE, number(0))]
VfCoef = Annotated[
    Number, Option("weight c_V of the value loss, where π and V learn together", NON_NEGATIVE, number(0))
]
MaxGradNorm = Annotated[
    Number | None, Option("norm that longer gradients are clipped to", POSITIVE_OR_NONE, optional(positive))
]
MaxKl = Annotated[
    Number,
    Option("trust region δ: largest mean KL(π_old‖π) of an update", POSITIVE, positive),
]
CgIterations = Annotated[int, Option("iterations of the conjugate gradient method", WHOLE, whole_number)]
Damping = Annotated[
    Number, Option("multiple of the identity that is added to the Fisher matrix", NON_NEGATIVE, number(0))
]
Sigma = Annotated[Number, Option("perturbation size: δ of one coordinate of θ, or σ of all", POSITIVE, positive)]
Differences = Annotated[
    str,
    Option("θ + Δ against θ − Δ (central) or against θ (forward)", "central or forward", one_of("central", "forward")),
]
Directions = Annotated[
    int | None,
    Option(
        "random directions per gradient estimate", f"{WHOLE}, or none: those of one iteration", optional(whole_number)
    ),
]
Draw = Annotated[str, Option("distribution of directions", "gaussian or orthogonal", one_of("gaussian", "orthogonal"))]
Stochastic = Annotated[bool, Option("sample a perturbed policy's actions instead of taking the mode", SWITCH, switch)]
Hidden = Annotated[
    tuple[int, ...],
    Option("sizes of the hidden layers", "whole numbers ≥ 1, as 64,64, of fewer than 2³¹ weights", sizes),
]
Std = Annotated[
    str,
    Option(
        "a Gaussian's σ: one learned vector, the fixed initial one, or an output of the network (state)",
        "learned, fixed or state",
        one_of("learned", "fixed", "state"),
    ),
]
Squash = Annotated[bool, Option("keep Box actions in their bounds by tanh instead of clipping", SWITCH, switch)]
InitialStd = Annotated[
    Number, Option("initial σ of a Gaussian, in half action ranges", "a number above 0", number(0, 1e6, above=True))
]
NormalizeObservations = Annotated[bool, Option("normalize observations by running statistics", SWITCH, switch)]
NormalizeReturns = Annotated[bool, Option("scale V's targets by the running σ of returns", SWITCH, switch)]
NoiseScaleGroups = Annotated[
    int | None,
    Option(
        "groups of environments between which the gradient noise scale is measured",
        "a whole number ≥ 2, or none",
        groups,
    ),
]


def declared_options(compose: Callable[..., Any]) -> dict[str, Option]:
    """Collect the options of a preset's function from the annotations of its parameters.

    A parameter without an `Option` is read as its default's type: bool, int, float or str. Parameters without a default
    are options that every preset has, and are left out. Raises LogpiError for a default of another type.
    """
    hints = inspect.get_annotations(compose, eval_str=True)
    options = {}
    for name, parameter in inspect.signature(compose).parameters.items():
        if parameter.default is parameter.empty:
            continue
        given = [x for x in getattr(hints.get(name), "__metadata__", ()) if isinstance(x, Option)]
        if not given and type(parameter.default) not in BY_TYPE:
            raise LogpiError(
                f"preset {compose.__name__}: option {name} is not declared; annotate it,"
                f" {name}: Annotated[…, Option(help, allowed, read)] = {parameter.default!r}"
            )
        options[name] = given[0] if given else BY_TYPE[type(parameter.default)]
    return options


PEER_NAMES = {
    "n_envs": "num_envs",
    "n_steps": "num_steps",
    "rollout_length": "num_steps",
    "batch_size": "minibatch_size",
    "mini_batch_size": "minibatch_size",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "update_epochs": "epochs",
    "lr": "learning_rate",
    "discount": "gamma",
    "lambda": "gae_lambda",
    "lam": "gae_lambda",
    "clip_coef": "clip_range",
    "clip_eps": "clip_range",
    "clip_ratio": "clip_range",
    "clip_range_vf": "vf_clip_range",
    "entropy_coef": "ent_coef",
    "value_coef": "vf_coef",
    "max_gradient_norm": "max_grad_norm",
    "norm_adv": "normalize_advantages",
    "normalize_advantage": "normalize_advantages",
    "cg_max_steps": "cg_iterations",
    "cg_damping": "damping",
    "total_timesteps": "steps",
    "timesteps": "steps",
    "num_timesteps": "steps",
}
"""Names that other libraries have for an option of ours (`steps` is an argument of `train`)."""


def peer_hint(name: str, allowed: Iterable[str], prefix: str = "") -> str:
    """Return " (here it is …)" for the name that another library gives to one of the allowed options, else ""."""
    ours = PEER_NAMES.get(name.removeprefix("--").partition("=")[0].replace("-", "_"))
    if ours not in (*allowed, "steps"):
        return ""
    return f" (here it is {prefix}{ours.replace('_', '-') if prefix else ours})"


def read_option(name: str, given: Any, options: Mapping[str, Option]) -> Any:
    """Read the value of an option; raises LogpiError naming the option, the value and what is allowed."""
    if name not in options:
        raise LogpiError(f"unknown option {name}{peer_hint(name, options)}; allowed: {', '.join(options)}")
    try:
        return options[name].read(given)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise LogpiError(f"{name} is {shown(given)}; allowed: {options[name].allowed}") from None
