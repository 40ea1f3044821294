"""The baselines there are, by name: what is subtracted from credit, and what that does to the estimator's mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from logpi.credit.action_value import action_mean_baseline
from logpi.credit.baseline import LeaveOneOut, mean_baseline, time_mean_baseline, value_baseline
from logpi.credit.optimal_state_baseline import OptimalStateBaseline
from logpi.lab.expectation import Rule, additive, at_each_time, its_own_share, of_strangers
from logpi.objectives.base import Objective
from logpi.objectives.optimal_baseline import OptimalBaseline, each, together


@dataclass(frozen=True)
class Baseline:
    """What is subtracted from credit.

    - `about`: its formula.
    - `subtract`: (state, τ, Φ) ↦ b; None for none.
    - `objective`: one that subtracts it, in place of the estimator's own; for baselines made of scores.
    - `critic`: the critic it needs, by its name in `Problem.critics`.
    - `rule`: how the exact mean of an estimator with it is computed; None leaves that to the estimator.
    """

    about: str
    subtract: Callable[..., Any] | None = None
    objective: Objective | None = None
    critic: str | None = None
    rule: Rule | None = None


BASELINES: dict[str, Baseline] = {
    "none": Baseline("b = 0"),
    "mean": Baseline("the batch's mean credit", mean_baseline, rule=its_own_share),
    "time-mean": Baseline("the batch's mean credit at each time", time_mean_baseline, rule=at_each_time),
    "leave-one-out": Baseline("the mean credit of the other episodes", LeaveOneOut(), rule=of_strangers),
    "value": Baseline("V(s)", value_baseline, critic="value", rule=additive),
    "action-mean": Baseline("Σ_a π Q(s, a)", action_mean_baseline, critic="action value", rule=additive),
    "optimal": Baseline("E[h·g]/E[g·g], from the others", objective=OptimalBaseline(together), rule=of_strangers),
    "optimal-each": Baseline(
        "E[h_k g_k]/E[g_k²] for each parameter, from the others", objective=OptimalBaseline(each), rule=of_strangers
    ),
    "optimal-state": Baseline(
        "E[‖∇log π‖² Q]/E‖∇log π‖² in each state", OptimalStateBaseline(), critic="action value", rule=additive
    ),
}
