"""Estimators by name: a credit, an objective, the acting policy, and the rule for the exact mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import PyTree

from logpi.credit.action_value import ActionValue
from logpi.credit.base import Credit
from logpi.credit.gae import GAE
from logpi.credit.n_step import NStep
from logpi.credit.per_decision import PerDecision
from logpi.credit.reward_to_go import RewardToGo
from logpi.credit.shaped import PotentialShapedCredit
from logpi.credit.td_residual import TDResidual
from logpi.credit.time_discounted import TimeDiscounted
from logpi.credit.total_return import TotalReturn
from logpi.lab.expectation import Rule, additive, normalized
from logpi.objectives.base import Objective
from logpi.objectives.importance_weighted import ImportanceWeighted
from logpi.objectives.naive import naive
from logpi.objectives.score import score
from logpi.objectives.weights import (
    SelfNormalized,
    TruncatedWeights,
    cumulative_weights,
    step_weights,
    trajectory_weights,
    unit_weights,
)

Critics = Mapping[str, PyTree]


def identity(credit: Credit, gamma: float) -> Credit:
    """Return the credit unchanged."""
    del gamma
    return credit


@dataclass(frozen=True)
class Estimator:
    """An estimator ĝ of ∇J from a batch of whole episodes.

    - `about`: its formula.
    - `credit`: (γ, critics) ↦ the credit, before any baseline and factor.
    - `objective`: J(θ; batch), whose gradient at θ_old is ĝ.
    - `factor`: wraps the credit after the baseline: `TimeDiscounted` multiplies by γ^t, `identity` leaves it unchanged.
    - `critic`: name in `Problem.critics` of the critic it needs; None if it needs none.
    - `off_policy`: True if the episodes are collected by μ = `Problem.other` instead of π.
    - `baselines`: names of the compatible baselines.
    - `rule`: computes its exact mean without a baseline.
    """

    about: str
    credit: Callable[[float, Critics], Credit]
    objective: Objective = score
    factor: Callable[[Credit, float], Credit] = TimeDiscounted
    critic: str | None = None
    off_policy: bool = False
    baselines: tuple[str, ...] = ("none",)
    rule: Rule = additive


RETURN = ("none", "mean", "time-mean", "leave-one-out", "value", "optimal", "optimal-each")
TO_GO = lambda gamma, critics: RewardToGo(gamma)
TOTAL = lambda gamma, critics: TotalReturn(gamma)
Q = lambda gamma, critics: ActionValue(gamma)
STATE = ("none", "value")

ESTIMATORS: dict[str, Estimator] = {
    "total-return": Estimator("Σ ∇log π R(τ)", TOTAL, factor=identity, baselines=RETURN),
    "reward-to-go": Estimator(
        "Σ γ^t ∇log π (Σ_{l≥t} γ^{l−t} r_l − b)", TO_GO, baselines=(*RETURN, "action-mean", "optimal-state")
    ),
    "no-factor": Estimator("reward-to-go without γ^t", TO_GO, factor=identity),
    "shaped": Estimator(
        "reward-to-go of r + γΦ(s') − Φ(s), Φ = ½V",
        lambda gamma, critics: PotentialShapedCredit(RewardToGo(gamma), critics["half value"], gamma),
        critic="half value",
    ),
    "q": Estimator(
        "Σ γ^t ∇log π (Q(s, a) − b)", Q, critic="action value", baselines=("none", "action-mean", "optimal-state")
    ),
    "td-residual": Estimator("Σ γ^t ∇log π δ_t with V", lambda gamma, critics: TDResidual(gamma), critic="value"),
    "td-half-value": Estimator(
        "Σ γ^t ∇log π δ_t with ½V", lambda gamma, critics: TDResidual(gamma), critic="half value"
    ),
    "n-step": Estimator("Σ γ^t ∇log π Â^(2) with V", lambda gamma, critics: NStep(gamma, 2), critic="value"),
    "gae": Estimator("Σ γ^t ∇log π Â^GAE(γ, 0.9) with V", lambda gamma, critics: GAE(gamma, 0.9), critic="value"),
    "gae-half-value": Estimator(
        "Σ γ^t ∇log π Â^GAE(γ, 0.9) with ½V", lambda gamma, critics: GAE(gamma, 0.9), critic="half value"
    ),
    "trajectory-weights-total": Estimator(
        "Π ρ · Σ ∇log π R(τ)", TOTAL, ImportanceWeighted(trajectory_weights), identity, off_policy=True
    ),
    "trajectory-weights": Estimator(
        "Π ρ · Σ γ^t ∇log π (reward-to-go − b)",
        TO_GO,
        ImportanceWeighted(trajectory_weights),
        off_policy=True,
        baselines=STATE,
    ),
    "self-normalized": Estimator(
        "the same, Π ρ divided by its mean",
        TO_GO,
        ImportanceWeighted(SelfNormalized(trajectory_weights)),
        off_policy=True,
        rule=normalized(ImportanceWeighted(trajectory_weights)),
    ),
    "truncated": Estimator(
        "the same, Π ρ at most 2", TO_GO, ImportanceWeighted(TruncatedWeights(trajectory_weights, 2.0)), off_policy=True
    ),
    "per-decision": Estimator(
        "Σ γ^t Π_{k≤t} ρ_k ∇log π (Σ_{l≥t} γ^{l−t} Π_{t<k≤l} ρ_k r_l)",
        lambda gamma, critics: PerDecision(gamma),
        ImportanceWeighted(cumulative_weights),
        off_policy=True,
    ),
    "step-weights": Estimator(
        "Σ γ^t ρ_t ∇log π (reward-to-go − b)", TO_GO, ImportanceWeighted(step_weights), off_policy=True, baselines=STATE
    ),
    "unit-weights": Estimator(
        "the same with ρ_t ≈ 1", TO_GO, ImportanceWeighted(unit_weights), off_policy=True, baselines=STATE
    ),
    "naive": Estimator("Σ γ^t ∇π (reward-to-go − b), no 1/π", TO_GO, naive, baselines=STATE),
    "naive-q": Estimator("Σ γ^t ∇π Q(s, a), no 1/π", Q, naive, critic="action value"),
}
