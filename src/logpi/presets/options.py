"""Every option an algorithm can be given: what it means, what is allowed, how it is read from text."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from logpi.core.schedules import LinearSchedule, parse_schedule
from logpi.errors import LogpiError


@dataclass(frozen=True)
class Option:
    """What an option means and takes. `read` turns text or a value into the value, or raises ValueError."""

    help: str
    allowed: str
    read: Callable[[Any], Any]


def _number(low: float, high: float, above: bool = False) -> Callable[[Any], Any]:
    """A number within bounds (above the lower one, if `above`), or a schedule between two such numbers."""

    def inside(x: float) -> float:
        if math.isnan(x) or not low <= x <= high or (above and x == low):
            raise ValueError
        return x

    def read(given: Any) -> float | LinearSchedule:
        if isinstance(given, str) and ":" in given:
            given = parse_schedule(given)
        if isinstance(given, LinearSchedule):
            numbers = _number(low, high)
            return LinearSchedule(numbers(given.start), numbers(given.end))
        return inside(float(given))

    return read


def _whole(given: Any) -> int:
    number = float(given)
    if number != int(number) or number < 1:
        raise ValueError
    return int(number)


def _sizes(given: Any) -> tuple[int, ...]:
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(_whole(part) for part in parts if part != "")


def _switch(given: Any) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if str(given).lower() not in words:
        raise ValueError
    return words[str(given).lower()]


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(given: Any) -> str:
        if given not in words:
            raise ValueError
        return given

    return read


def _optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda given: None if given is None or str(given).lower() == "none" else read(given)


def _groups(given: Any) -> int | None:
    groups = _optional(_whole)(given)
    if groups == 1:
        raise ValueError
    return groups


_POSITIVE = "a number above 0, or a schedule start:end"
_SHARE = "0 … 1"

OPTIONS: dict[str, Option] = {
    "num_envs": Option("environments stepped side by side", "a whole number ≥ 1", _whole),
    "num_steps": Option("steps per environment an iteration", "a whole number ≥ 1", _whole),
    "episodes": Option("whole episodes per environment an iteration", "a whole number ≥ 1", _whole),
    "max_episode_steps": Option(
        "the longest an episode may be", "a whole number ≥ 1, or none: the task's own", _optional(_whole)
    ),
    "gamma": Option("γ, what a reward one step later is worth", _SHARE, _number(0, 1)),
    "gae_lambda": Option("λ of GAE: 0 trusts V, 1 trusts returns", _SHARE, _number(0, 1)),
    "learning_rate": Option("step size of the policy's optimizer", _POSITIVE, _number(0, math.inf, above=True)),
    "critic_learning_rate": Option("step size of the critic's", _POSITIVE, _number(0, math.inf, above=True)),
    "epochs": Option("passes over each batch", "a whole number ≥ 1", _whole),
    "critic_epochs": Option("the critic's passes over each batch", "a whole number ≥ 1", _whole),
    "minibatch_size": Option("rows to a gradient step", "a whole number ≥ 1, at most the batch", _whole),
    "critic_minibatch_size": Option(
        "rows to a step of the critic's", "a whole number ≥ 1, or none: the batch", _optional(_whole)
    ),
    "clip_range": Option("ε, how far the ratio may pay to move from 1", _POSITIVE, _number(0, math.inf, above=True)),
    "max_kl": Option(
        "trust region δ: the mean KL(π_old‖π) that an update may reach",
        "a number above 0, or none",
        _optional(_number(0, math.inf, above=True)),
    ),
    "min_effective_sample_share": Option(
        "an epoch begins only while the effective sample size is at least this share of the batch",
        "0 … 1, or none",
        _optional(_number(0, 1)),
    ),
    "target_kl": Option(
        "the mean KL(π_old‖π) beyond which no further epoch begins; for ppo-kl, the one that the penalty aims at",
        "a number above 0, or none",
        _optional(_number(0, math.inf, above=True)),
    ),
    "penalty": Option("the first β of a KL penalty", _POSITIVE, _number(0, math.inf, above=True)),
    "cg_iterations": Option("iterations of conjugate gradients", "a whole number ≥ 1", _whole),
    "damping": Option("what is added to the Fisher matrix's diagonal", "a number ≥ 0", _number(0, math.inf)),
    "backtracks": Option("step lengths tried, the full one first", "a whole number ≥ 1", _whole),
    "backtrack_ratio": Option("each step length tried, as a share of the last", _SHARE, _number(0, 1)),
    "ent_coef": Option("weight of the entropy bonus", "a number ≥ 0", _number(0, math.inf)),
    "vf_coef": Option("weight of V's error where π and V learn together", "a number ≥ 0", _number(0, math.inf)),
    "vf_clip_range": Option(
        "how far V may be paid to move in one iteration, in its own units",
        "a number above 0, or none",
        _optional(_number(0, math.inf, above=True)),
    ),
    "max_grad_norm": Option(
        "gradients longer than this are shortened to it",
        "a number above 0, or none",
        _optional(_number(0, math.inf, above=True)),
    ),
    "sigma": Option("how far θ is moved: δ of a coordinate, σ of all", _POSITIVE, _number(0, math.inf, above=True)),
    "differences": Option("θ + Δ against θ − Δ, or against θ", "central or forward", _one_of("central", "forward")),
    "directions": Option(
        "random directions to an estimate", "a whole number ≥ 1, or none: as one iteration tries", _optional(_whole)
    ),
    "draw": Option("how directions are drawn", "gaussian or orthogonal", _one_of("gaussian", "orthogonal")),
    "top": Option("how many of the best directions count", "a whole number ≥ 1, or none: all", _optional(_whole)),
    "normalize_advantages": Option("standardize advantages in each minibatch", "true or false", _switch),
    "recompute_advantages": Option("compute advantages anew before each epoch", "true or false", _switch),
    "separate_optimizers": Option("π and V learn by optimizers of their own", "true or false", _switch),
    "ranks": Option("weigh directions by centered ranks, not by returns", "true or false", _switch),
    "stochastic": Option("perturbed policies sample their actions, else take the mode", "true or false", _switch),
    "hidden": Option("sizes of the hidden layers", "whole numbers ≥ 1, as 64,64", _sizes),
    "std": Option(
        "a Gaussian's σ: learned, the same in every state; fixed, as it begins; state, read from the network",
        "learned, fixed or state",
        _one_of("learned", "fixed", "state"),
    ),
    "squash": Option("keep Box actions within their bounds by tanh, not by clipping", "true or false", _switch),
    "initial_std": Option("first σ of a Gaussian, in half action ranges", "a number above 0", _number(0, 1e6, True)),
    "normalize_observations": Option("normalize by running statistics", "true or false", _switch),
    "noise_scale_groups": Option(
        "measure the gradient's noise between so many groups of environments", "a whole number ≥ 2, or none", _groups
    ),
    "expert": Option("the run whose policy is imitated", "a run's directory", _optional(str)),
    "normalize_returns": Option("let V learn returns in units of their running σ", "true or false", _switch),
}


def read_option(name: str, given: Any, known: Any) -> Any:
    """The value of an option, checked; raises LogpiError naming the key, the value and what is allowed."""
    if name not in known:
        raise LogpiError(f"unknown option {name}; allowed: {', '.join(known)}")
    try:
        return OPTIONS[name].read(given)
    except (ValueError, TypeError, OverflowError):
        raise LogpiError(f"{name} is {given}; allowed: {OPTIONS[name].allowed}") from None
