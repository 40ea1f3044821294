"""Baselines by name: the function subtracted from credit, and the rule for the estimator's exact mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from logpi.credit.action_value import action_mean_baseline
from logpi.credit.baseline import LeaveOneOut, mean_baseline, time_mean_baseline, value_baseline
from logpi.credit.optimal_state_baseline import OptimalStateBaseline
from logpi.lab.expectation import Rule, additive, leave_one_out_mean, per_time_mean, self_inclusive_mean
from logpi.objectives.base import Objective
from logpi.objectives.optimal_baseline import OptimalBaseline, per_parameter, scalar_product


@dataclass(frozen=True)
class Baseline:
    """A baseline b, subtracted from credit.

    - `about`: its formula.
    - `subtract`: (state, τ, Φ) ↦ b; None if nothing is subtracted from credit.
    - `objective`: replaces the estimator's objective, for baselines computed from scores ∇log π; else None.
    - `critic`: name in `Problem.critics` of the critic it needs; None if it needs none.
    - `rule`: computes the exact mean of an estimator with it; None means the estimator's own rule.
    """

    about: str
    subtract: Callable[..., Any] | None = None
    objective: Objective | None = None
    critic: str | None = None
    rule: Rule | None = None


BASELINES: dict[str, Baseline] = {
    "none": Baseline("b = 0"),
    "mean": Baseline("the batch's mean credit", mean_baseline, rule=self_inclusive_mean),
    "time-mean": Baseline("the batch's mean credit at each time", time_mean_baseline, rule=per_time_mean),
    "leave-one-out": Baseline("the mean credit of the other episodes", LeaveOneOut(), rule=leave_one_out_mean),
    "value": Baseline("V(s)", value_baseline, critic="value", rule=additive),
    "action-mean": Baseline("Σ_a π Q(s, a)", action_mean_baseline, critic="action value", rule=additive),
    "optimal": Baseline(
        "E[h·g]/E[g·g], from the others", objective=OptimalBaseline(scalar_product), rule=leave_one_out_mean
    ),
    "optimal-each": Baseline(
        "E[h_k g_k]/E[g_k²] for each parameter, from the others",
        objective=OptimalBaseline(per_parameter),
        rule=leave_one_out_mean,
    ),
    "optimal-state": Baseline(
        "E[‖∇log π‖² Q]/E‖∇log π‖² in each state", OptimalStateBaseline(), critic="action value", rule=additive
    ),
}
