"""Every credit, objective and update together: two iterations of what makes sense, a reason for what does not."""

import itertools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import mostly_slow

import logpi
from logpi.core.trees import scan
from logpi.credit.base import Credit
from logpi.loop.iteration import init_carry, run_iteration
from logpi.oracle.problems import two_state
from logpi.oracle.tables import TableActionCritic, TableCritic, TablePolicy
from logpi.policies.critic import mlp_critic
from logpi.types import ravel

V, Q, NONE = "V", "Q", "none"
CRITICS = {V: TableCritic(jnp.zeros(2)), Q: TableActionCritic(jnp.zeros((2, 2))), NONE: None}
γ = 0.9
TO_GO = logpi.RewardToGo(γ)

CREDITS = {  # the credit, and the critic that it reads
    "total return": (logpi.TotalReturn(γ), NONE),
    "reward-to-go": (TO_GO, NONE),
    "less mean": (TO_GO - logpi.mean_baseline, NONE),
    "less time mean": (TO_GO - logpi.time_mean_baseline, NONE),
    "less leave-one-out": (TO_GO - logpi.LeaveOneOut(), NONE),
    "less value": (TO_GO - logpi.value_baseline, V),
    "td": (logpi.TDResidual(γ), V),
    "n-step": (logpi.NStep(γ, 2), V),
    "gae": (logpi.GAE(γ, 0.9), V),
    "discounted": (logpi.TimeDiscounted(logpi.GAE(γ, 0.9), γ), V),
    "targeting": (logpi.WithTarget(logpi.GAE(γ, 0.9), TO_GO), V),
    "v-trace": (logpi.VTrace(γ), V),
    "shaped": (logpi.PotentialShapedCredit(TO_GO, CRITICS[V], γ), NONE),
    "constant": (logpi.Constant(1.0), NONE),
    "q": (logpi.ActionValue(γ), Q),
    "q less its optimal baseline": (logpi.ActionValue(γ) - logpi.OptimalStateBaseline(), Q),
    "q less mean": (logpi.ActionValue(γ) - logpi.action_mean_baseline, Q),
    "per decision": (logpi.PerDecision(γ), NONE),
}
OBJECTIVES = {
    "score": logpi.score,
    "importance": logpi.importance,
    "clipped": logpi.Clipped(0.2),
    "ppo": logpi.AdvantageNormalized(logpi.Clipped(0.2)) + 0.01 * logpi.entropy,
    "penalized": logpi.Penalized(1.0),
    "step weights": logpi.ImportanceWeighted(logpi.step_weights),
    "trajectory weights": logpi.ImportanceWeighted(logpi.SelfNormalized(logpi.trajectory_weights)),
    "optimal baseline": logpi.OptimalBaseline(),
    "naive": logpi.naive,
    "log-likelihood": logpi.log_likelihood,
}
SGD = logpi.Ascent(logpi.adam, 1e-2)
UPDATES = {
    "ascent": SGD,
    "minibatches": logpi.Ascent(logpi.adam, 1e-2, minibatch_size=4, epochs=2, max_grad_norm=0.5),
    "restricted": logpi.NormConstrainedStep(1e-3),
    "natural": logpi.NaturalGradient(1e-3),
    "trust region": logpi.TrustRegion(1e-3),
    "adaptive penalty": logpi.AdaptivePenalty(SGD, 1e-3),
    "adaptive rate": logpi.AdaptiveRate(SGD, 1e-3),
}
NOT_COMPARABLE = {"step weights", "trajectory weights", "optimal baseline"}
EVERY = [c for c in itertools.product(OBJECTIVES, UPDATES) if not (c[0] in NOT_COMPARABLE and c[1] == "trust region")]
SOME = {("importance", "trust region")}  # in every run; all of them in the slow ones


class Either(Credit):
    """One of several credits, by its number: one program serves them all."""

    which: jax.Array
    credits: tuple

    def __call__(self, state, tau):
        return jax.lax.switch(self.which, [lambda credit=credit: credit(state, tau) for credit in self.credits])


def composed(credit, objective, update, critic, collect=None, **parts):
    """The algorithm; its critic, if it reads one, is fitted by itself."""
    fit = None if critic == NONE else SGD
    parts = {"fit": fit, "critic_objective": logpi.action_value if critic == Q else logpi.value} | parts
    return logpi.PolicyGradient(credit, objective, update, collect=collect or logpi.Episodes(), **parts)


def two_iterations(algorithm, critic, limit=3):
    """θ and what is known of each iteration, on the two-state problem."""
    environment = logpi.Vmap(logpi.Tabular(two_state()), 4, limit)
    carry = init_carry(algorithm, environment, TablePolicy(jnp.array([[0.3, -0.2], [0.1, 0.5]])), critic, jr.key(0))
    done, info = scan(lambda carry, at: run_iteration(algorithm, environment, carry, at), carry, jnp.zeros(2))
    return ravel(done.state.policy)[0], info


@pytest.mark.thorough
@pytest.mark.parametrize("critic", [NONE, V, Q])
@pytest.mark.parametrize(("objective", "update"), mostly_slow(EVERY, SOME), ids=map(" · ".join, EVERY))
def test_every_credit_composes(objective, update, critic):
    credits = {name: credit for name, (credit, reads) in CREDITS.items() if reads == critic}

    @jax.jit
    def run(which):
        credit = Either(which, tuple(credits.values()))
        return two_iterations(composed(credit, OBJECTIVES[objective], UPDATES[update], critic), CRITICS[critic])

    for i, name in enumerate(credits):
        theta, info = run(jnp.int32(i))
        assert np.isfinite(theta).all() and (info["skipped_updates"] == 0).all(), name
        assert (info["kl"] >= -1e-7).all() and (info["kl"][0] > 0 or info["gradient_norm"][0] < 1e-6), name


WINDOW = logpi.Steps(4)
ILLEGAL = {
    "total return of a window": ((logpi.TotalReturn(γ), NONE, WINDOW), {}, "TotalReturn needs whole episodes"),
    "time mean of a window": ((TO_GO - logpi.time_mean_baseline, V, WINDOW), {}, "time_mean_baseline needs whole"),
    "per decision in a window": ((logpi.PerDecision(γ), NONE, WINDOW), {}, "PerDecision needs whole episodes"),
    "reward-to-go of a window": ((TO_GO, NONE, WINDOW), {}, "RewardToGo on windows of steps needs a critic"),
    "gae without V": ((logpi.GAE(γ, 0.9), NONE), {}, r"reads V\(s\) and there is no critic"),
    "value baseline without V": ((TO_GO - logpi.value_baseline, NONE), {}, r"reads V\(s\) and there is no critic"),
    "v-trace without V": ((logpi.VTrace(γ), NONE), {}, r"reads V\(s\) and there is no critic"),
    "Q credit without Q": ((logpi.ActionValue(γ), NONE), {}, r"reads Q\(s, a\) and there is no critic"),
    "a fit without a critic": ((TO_GO, NONE), {"fit": SGD}, "a fit but no critic to fit"),
    "a joint fit without a critic": ((TO_GO, NONE), {"fit": "joint"}, "a fit but no critic to fit"),
    "natural, joint": ((logpi.GAE(γ, 0.9), V), {"update": UPDATES["natural"], "fit": "joint"}, "policy's alone"),
    "trust region, joint": ((logpi.GAE(γ, 0.9), V), {"update": UPDATES["trust region"], "fit": "joint"}, "policy's"),
    "trust region of weights": (
        (TO_GO, NONE),
        {"update": UPDATES["trust region"], "objective": OBJECTIVES["step weights"] + 0.1 * logpi.entropy},
        "TrustRegion, which compares its values",
    ),
    "trust region of an optimal baseline": (
        (TO_GO, NONE),
        {"update": UPDATES["trust region"], "objective": OBJECTIVES["optimal baseline"]},
        "OptimalBaseline is no objective for TrustRegion",
    ),
    "leave-one-out in odd groups": ((TO_GO - logpi.LeaveOneOut(3), NONE), {}, "allowed: a divisor of 4"),
}


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("name", ILLEGAL)
def test_what_makes_no_sense_says_why(name):
    (credit, critic, *collect), parts, reason = ILLEGAL[name]
    parts = {"objective": logpi.score, "update": SGD} | parts
    algorithm = composed(credit, critic=critic, collect=collect[0] if collect else None, **parts)
    with pytest.raises(logpi.LogpiError, match=reason):
        jax.eval_shape(lambda: two_iterations(algorithm, CRITICS[critic]))


@pytest.mark.parametrize("critic", [V, Q])
def test_a_critic_of_the_other_kind_says_so(critic, key):
    """The library's own critics are told apart; anything callable is taken at its word."""
    environment = logpi.Vmap(logpi.Tabular(two_state()), 4, 3)
    seen, actions = environment.spec.observation_space, environment.spec.action_space
    of_states = mlp_critic(seen, hidden=(4,), key=key)
    of_actions = logpi.mlp_action_critic(seen, actions, hidden=(4,), key=key)
    credit, wrong = (logpi.GAE(γ, 0.9), of_actions) if critic == V else (logpi.ActionValue(γ), of_states)
    with pytest.raises(logpi.LogpiError, match="answers"):
        jax.eval_shape(lambda: two_iterations(composed(credit, logpi.score, SGD, critic), wrong))
