"""Options of presets: what each means, which values are allowed, and how text is read.

An option is declared where it is used, in the annotation of a preset's parameter:

    def mine(*, gamma: Gamma = 0.99, temperature: Annotated[float, Option("…", "a number ≥ 0", number(0))] = 1.0): ...

This module holds the class, readers of the usual kinds of values, and the declarations that several presets share.
"""

import difflib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, SupportsFloat

import numpy as np

from logpi.core.paths import read_path
from logpi.core.scalars import LARGEST_INT32, read_integer
from logpi.core.schedules import LinearSchedule, parse_schedule
from logpi.errors import LogpiError, shown

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

    def read(given: str | LinearSchedule | SupportsFloat) -> float | LinearSchedule:
        if isinstance(given, str) and ":" in given:
            given = parse_schedule(given)
        if isinstance(given, LinearSchedule):
            end = number(low, high)  # a schedule may reach 0, where a constant may not be 0
            return LinearSchedule(end(given.start), end(given.end))
        if isinstance(given, bool | np.bool_):
            raise TypeError
        return bounded(float(given))

    return read


def integer(given: str | SupportsFloat) -> int:
    """Read a whole number of 32 bits; also text such as "1e3" and "2k"."""
    if abs(x := read_integer(given)) > LARGEST_INT32:
        raise ValueError
    return x


def whole_number(given: str | SupportsFloat) -> int:
    """Read a whole number ≥ 1."""
    if (x := integer(given)) < 1:
        raise ValueError
    return x


def sizes(given: str | float | Sequence[str | float] | np.ndarray) -> tuple[int, ...]:
    """Read sizes of layers: a sequence, one number, or text such as "64,64"; so many weights as fit an array."""
    parts = re.split(r"[\s,]+", given.strip("()[] ")) if isinstance(given, str) else np.atleast_1d(given).tolist()
    layers = tuple(whole_number(part) for part in parts if part != "")
    if len(layers) > MOST_LAYERS or sum(a * b for a, b in pairwise((1, *layers, 1))) > LARGEST_INT32:
        raise ValueError
    return layers


def switch(given: object) -> bool:
    """Read true or false; also yes, no, on, off, 1, 0."""
    word = str(given).lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError


def one_of(*words: str) -> Read:
    """Reader of one of these words, which are in small letters; capitals do not matter."""

    def read(given: object) -> str:
        if (word := str(given).lower()) not in words:
            raise ValueError
        return word

    return read


def directory(given: object) -> str:
    """Read a directory, as an absolute path: an environment may change the current one."""
    return str(read_path("directory", given))


def optional(read: Read) -> Read:
    """Reader of None or "none", or of what `read` takes."""
    return lambda given: None if given is None or str(given).lower() == "none" else read(given)


def groups(given: object) -> int | None:
    """Read a whole number ≥ 2, or None."""
    number_of_groups = optional(whole_number)(given)
    if number_of_groups == 1:
        raise ValueError
    return number_of_groups


positive = number(0, above=True)
POSITIVE = "a number above 0, or a schedule start:end"
POSITIVE_OR_NONE = "a number above 0, or none"
NON_NEGATIVE = "a number ≥ 0, or a schedule start:end"
WHOLE = f"a whole number, 1 … {LARGEST_INT32}"
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
MemoryCore = Annotated[
    str | None,
    Option(
        "memory core of policy and critic, for tasks that hide part of their state",
        "gru, lstm, mingru, attention or none",
        optional(one_of("gru", "lstm", "mingru", "attention")),
    ),
]
MemorySize = Annotated[int, Option("units of a memory core", WHOLE, whole_number)]
Context = Annotated[int, Option("steps that a memory core of attention looks back", WHOLE, whole_number)]
SequenceLength = Annotated[
    int | None,
    Option(
        "steps of the segments in which a memory learns from a rollout",
        "a whole number that divides num_steps, or none: the whole rollout",
        optional(whole_number),
    ),
]
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


OUR_NAMES: Mapping[str, tuple[str, ...]] = {
    "num_envs": ("n_envs", "num_environments", "n_environments", "num_actors", "n_actors"),
    "num_steps": ("n_steps", "rollout_length", "rollout_steps", "horizon", "unroll_length", "nsteps"),
    "minibatch_size": ("batch_size", "mini_batch_size", "sgd_minibatch_size"),
    "epochs": ("n_epochs", "num_epochs", "update_epochs", "ppo_epochs", "num_sgd_iter"),
    "learning_rate": ("lr", "pi_lr", "policy_lr", "actor_lr", "step_size"),
    "critic_learning_rate": ("critic_lr", "vf_lr", "value_lr", "lr_critic"),
    "gamma": ("discount", "discount_factor"),
    "gae_lambda": ("lambda", "lam", "lambda_", "gae"),
    "clip_range": (
        "clip_coef",
        "clip_eps",
        "clip_epsilon",
        "clip_ratio",
        "clip_param",
        "cliprange",
        "eps_clip",
        "clip",
    ),
    "vf_clip_range": ("clip_range_vf", "vf_clip_param"),
    "ent_coef": ("entropy_coef", "entropy_coeff", "entropy_cost", "entropy_bonus"),
    "vf_coef": ("value_coef", "value_loss_coef", "value_loss_coeff", "vf_loss_coeff", "critic_coef"),
    "max_grad_norm": ("max_gradient_norm", "grad_clip", "gradient_clip", "clip_grad_norm"),
    "normalize_advantages": ("norm_adv", "normalize_advantage"),
    "normalize_observations": ("norm_obs", "normalize_obs", "obs_norm"),
    "normalize_returns": ("norm_reward", "norm_ret", "normalize_reward", "normalize_rewards"),
    "hidden": ("net_arch", "hidden_sizes", "hidden_layers", "hidden_dims", "layers"),
    "max_kl": ("kl_target", "trust_region"),
    "cg_iterations": ("cg_max_steps", "cg_iters"),
    "damping": ("cg_damping",),
    "steps": ("total_timesteps", "timesteps", "num_timesteps", "n_timesteps", "total_steps", "num_env_steps", "frames"),
    "seeds": ("num_seeds", "n_seeds"),
    "workers": ("num_workers", "n_workers", "num_cpu", "num_processes"),
    "out": ("output", "output_dir", "log_dir", "logdir", "save_dir"),
    "episodes": ("n_eval_episodes", "eval_episodes", "num_episodes", "n_episodes"),
    "checkpoint_seconds": ("save_interval", "checkpoint_interval"),
    "env_arg": ("env_kwargs", "env_args", "env_config"),
    "stochastic": ("sample_actions",),
    "max_episode_steps": ("time_limit", "max_episode_length", "max_ep_len"),
}
"""Our options, and arguments of `train` and the command line, with the names that other libraries have for them."""

PEER_NAMES: Mapping[str, str] = {peer: ours for ours, peers in OUR_NAMES.items() for peer in peers}
ARGUMENTS_OF_TRAIN = ("steps", "seed", "workers", "out", "checkpoint_seconds")  # they are no options of a recipe


def option_hint(name: str, allowed: Iterable[str], spell: Callable[[str], str] = str) -> str:
    """Return what to write instead of an unknown option: our name for another library's, or the names most like it.

    - `name`: as it was given, with underscores.
    - `allowed`: the names that there are.
    - `spell`: writes one of our names as the user has to.
    """
    allowed = tuple(allowed)
    name = name.lower().replace("normalis", "normaliz").replace("behaviour", "behavior")
    if name in allowed:
        return f" (here it is {spell(name)})"
    if (ours := PEER_NAMES.get(name)) in allowed and ours is not None:
        return f" (here it is {spell(ours)})"
    if ours in ARGUMENTS_OF_TRAIN:
        return f" (here it is {spell(ours)}, an argument of train)"
    peers = [peer for peer, ours in PEER_NAMES.items() if ours in allowed]
    near = difflib.get_close_matches(name, [*allowed, *peers], n=3, cutoff=0.6)
    names = dict.fromkeys(PEER_NAMES.get(x, x) for x in near)
    return f": did you mean {' or '.join(map(spell, names))}?" if names else ""


def read_option(name: str, given: object, options: Mapping[str, Option]) -> Any:
    """Read the value of an option; raises LogpiError naming the option, the value and what is allowed."""
    if name not in options:
        hint = option_hint(name, options)
        raise LogpiError(f"unknown option {name}{hint or '; allowed: ' + ', '.join(options)}")
    try:
        return options[name].read(given)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise LogpiError(f"{name} is {shown(given)}; allowed: {options[name].allowed}") from None
