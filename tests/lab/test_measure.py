"""Estimators on small tasks: each sampled mean within four standard errors of the exact one, and 3 % more is seen."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from oracle.worlds import drawn

import logpi
from logpi.environments.source import EnvironmentId
from logpi.errors import LogpiError
from logpi.lab.baselines import BASELINES
from logpi.lab.estimators import ESTIMATORS
from logpi.lab.expectation import EpisodeTable
from logpi.lab.measure import NAMES, _mean, compatible_pairs, measure, method
from logpi.lab.problem import exact_gradient, problem
from logpi.lab.sampling import episodes, estimates
from logpi.lab.statistics import exactly, figures
from logpi.oracle.history_critics import critic_bias, observation_value
from logpi.oracle.pomdp_problems import tiger
from logpi.oracle.tables import TablePolicy

PAIRS = [("q", "optimal-state"), ("reward-to-go", "mean")]


@functools.cache
def world(seed):
    """Three steps in a task drawn at random, with an end that may come sooner: all of one shape."""
    return problem(drawn(seed, 3), seed=seed)


@functools.cache
def measured(seed, estimator, baseline):
    """(estimates, ∇J, the exact mean)."""
    on, one = world(seed), method(world(seed), estimator, baseline)
    tau, _ = episodes(on, on.acting(one.off_policy), 4 * 8000, jr.key(7))
    found, _ = estimates(one, on.state(one.critic), tau, 4)
    return found, np.asarray(exact_gradient(on), np.float64), _mean(EpisodeTable(on), one, estimator, baseline, 4).value


@pytest.mark.thorough
@pytest.mark.parametrize(("estimator", "baseline"), PAIRS)
@pytest.mark.parametrize("seed", range(5))
def test_the_sampled_mean_is_within_four_standard_errors_of_the_exact_one(seed, estimator, baseline):
    found, gradient, expected = measured(seed, estimator, baseline)
    said = figures(found, exactly(gradient), expected)
    assert abs(said.z) <= 4 and said.p > 1e-4
    off = np.linalg.norm(expected - gradient) / np.linalg.norm(gradient)
    assert off < 1e-4 if estimator == "q" else off > 0.01


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("seed", range(5))
def test_three_per_cent_more_is_not(seed):
    found, gradient, expected = measured(seed, "q", "optimal-state")
    said = figures(1.03 * found, exactly(gradient), expected)
    assert abs(said.z) > 4 or said.p <= 1e-4


def until_known(seed, estimator, baseline):
    """(estimates, so many that their mean along ∇J is known to 0.35 % of its length, ∇J, the exact mean).

    Three per cent are then more than eight standard errors: chance does not hide them.
    """
    on, one = world(seed), method(world(seed), estimator, baseline)
    gradient = np.asarray(exact_gradient(on), np.float64)

    def more(turn):
        tau, _ = episodes(on, on.acting(one.off_policy), 4 * 8000, jr.key(10 + turn))
        return estimates(one, on.state(one.critic), tau, 4)[0]

    first = more(0)
    turns = int(np.ceil((figures(first, exactly(gradient)).bias_error / 0.0035) ** 2))
    found = np.concatenate([first, *(more(turn) for turn in range(1, turns))])
    return found, gradient, _mean(EpisodeTable(on), one, estimator, baseline, 4).value


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "baseline"), compatible_pairs(list(ESTIMATORS), list(BASELINES)))
def test_every_mean_is_met_and_three_per_cent_more_is_not(estimator, baseline):
    """On five tasks, with a standard error of 0.75 % of the gradient or less; the biased ones meet their exact bias."""
    for seed in range(5):
        found, gradient, expected = until_known(seed, estimator, baseline)
        said, more = (figures(c * found, exactly(gradient), expected) for c in (1.0, 1.03))
        assert said.bias_error <= 0.0075 and abs(said.z) <= 4 and said.p > 1e-4, seed
        if np.linalg.norm(expected - gradient) < 1e-4 * np.linalg.norm(gradient):
            assert abs(more.z) > 4 or more.p <= 1e-4, seed


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("estimator", ["trajectory-weights", "step-weights"])
def test_from_another_policys_episodes_too(estimator):
    found, gradient, expected = measured(0, estimator, "none")
    said = figures(found, exactly(gradient), expected)
    assert abs(said.z) <= 4 and said.p > 1e-4


@pytest.mark.thorough
def test_every_estimator_is_given_the_same_episodes():
    """Two names for one estimator, V(s) and Σ_a π Q, agree in every figure."""
    rows = measure(world(0), estimators=["reward-to-go"], baselines=["value", "action-mean"], batches=8000, batch=4)
    for name in ("bias", "z", "p", "variance", "variance_low", "cosine", "exact_variance", "steps"):
        assert getattr(rows[0], name) == pytest.approx(getattr(rows[1], name), rel=1e-2, abs=1e-4), name
    assert 4 <= rows[0].steps <= 12 and rows[0].exact_variance is not None


def test_rows_come_in_the_order_asked_for_and_only_where_both_fit():
    assert compatible_pairs(["q", "naive"], ["value", "none", "mean"]) == [
        ("q", "none"),
        ("naive", "value"),
        ("naive", "none"),
    ]
    named = {name for estimator in ESTIMATORS.values() for name in estimator.baselines}
    assert named == set(BASELINES)


@pytest.mark.thorough
def test_what_is_unknown_or_does_not_fit_is_refused():
    for words, arguments in {
        "unknown estimator foo; allowed: total-return": {"estimators": ["foo"]},
        "unknown baseline bar; allowed: none": {"baselines": ["bar"]},
        "q with mean is nothing; allowed: none, action-mean, optimal-state": {
            "estimators": ["q"],
            "baselines": ["mean"],
        },
        "batches is 2; allowed: a whole number ≥ 3": {"batches": 2},
        "reference is 9; allowed: a whole number ≥ 64": {"reference": 9},
    }.items():
        with pytest.raises(LogpiError, match=words):
            measure("tabular:chain", **arguments)
    with pytest.raises(LogpiError, match=r"reference is 64, from which ‖∇J‖ is .* too uncertain"):
        measure("logpi:Pendulum-v1", estimators=["naive"], baselines=["none"], reference=64, batches=3)
    with pytest.raises(LogpiError, match="without the critic that td-residual would need"):
        measure("logpi:CartPole-v1", estimators=["td-residual"], baselines=["none"])
    with pytest.raises(LogpiError, match="∇J is 0 on tabular:grid: in 2 steps no action makes a difference"):
        measure(problem("tabular:grid", horizon=2))
    with pytest.raises(LogpiError, match=r"horizon is 70, with which 6 states are 421, one for each time; .* ≤ 66"):
        problem("tabular:chain", horizon=70)


@pytest.mark.slow
def test_on_a_task_of_ones_own_the_reference_is_sampled():
    """An unbiased estimator agrees with ∇J from other episodes, with the critic that came along as its baseline."""
    environment = logpi.make("logpi:CartPole-v1", 1, 20).spec
    critic = logpi.mlp_critic(environment.observation_space, hidden=(8,), key=jax.random.key(0))
    policy = logpi.mlp_policy(
        environment.observation_space, environment.action_space, hidden=(8,), key=jax.random.key(1)
    )
    on = problem("logpi:CartPole-v1", policy, critic, horizon=20)
    rows = measure(on, estimators=["reward-to-go"], baselines=["value"], batch=4, batches=60, reference=400)
    for row in rows:
        assert row.exact_bias is None and row.p is None and abs(row.z) < 4
        assert 0 < row.variance_low < row.variance < row.variance_high and 4 * 5 < row.steps <= 4 * 20


def test_the_discount_is_the_one_given_else_the_mdps_own_else_a_usual_one():
    assert problem("tabular:two-state", horizon=1).gamma == pytest.approx(0.9)
    assert problem("tabular:two-state", horizon=1, gamma=0.5).listed.gamma == 0.5
    policy = TablePolicy(jnp.ones((4, 2)))
    assert [problem("logpi:CartPole-v1", policy, gamma=x).gamma for x in (None, 0.0)] == [0.99, 0.0]


@pytest.mark.slow
def test_a_task_too_long_to_list_has_an_exact_gradient_and_no_exact_means():
    """On the grid nothing that is done in the four steps that could be listed makes a difference."""
    grid, chain = problem("tabular:grid"), problem("tabular:chain")
    assert grid.listed is None and grid.mdp.horizon > 6 and np.linalg.norm(exact_gradient(grid)) > 0
    assert chain.listed is chain.mdp and chain.mdp.horizon == 7
    long = problem("tabular:two-state", horizon=20)
    (row,) = measure(long, estimators=["reward-to-go"], baselines=["value"], batches=200)
    assert long.listed is None and row.exact_bias is None and abs(row.z) <= 4 and row.steps == 8 * 20


FIVE = ["tabular:two-state", "tabular:chain", "tabular:cliff", "tabular:random", drawn(0, 5)]


@pytest.mark.slow
@pytest.mark.parametrize("env", FIVE, ids=[*FIVE[:4], "with an end that may come sooner"])
def test_every_estimator_with_every_baseline(env):
    """What `logpi lab tabular:… --all` shows: every row within four standard errors of its exact value."""
    rows = measure(env, estimators=list(NAMES), baselines=list(BASELINES))
    assert len(rows) == sum(len(estimator.baselines) for estimator in NAMES.values())
    for row in rows:
        assert abs(row.z) <= 4 and (row.p is None or row.p > 1e-4), (row.estimator, row.baseline)


@pytest.mark.thorough
def test_where_the_state_is_hidden_the_bias_of_its_critic_is_exact():
    """∇J and every mean are exact on a POMDP; that of the TD residual with V(o) is what the oracle computes."""
    on = problem("pomdp:tiger", horizon=2)
    rows = measure(on, estimators=["reward-to-go", "td-residual"], baselines=["none"], batches=400)
    to_go, residual = rows
    gradient = exact_gradient(on)
    bias = critic_bias(on.mdp, on.policy, observation_value(on.mdp, on.policy)).logits
    expected = float(jnp.linalg.norm(bias) / jnp.linalg.norm(gradient))
    assert to_go.exact_bias_norm < 1e-4 and expected > 0.01
    assert residual.exact_bias_norm == pytest.approx(expected, rel=1e-3)
    assert all(abs(row.z) < 4 for row in rows)


def test_a_pomdp_has_the_longest_horizon_that_can_be_listed():
    assert problem("pomdp:tiger").mdp.horizon == 4
    long = problem(EnvironmentId("pomdp:repeat-first", {"delay": 20}))
    assert (long.mdp.horizon, long.listed) == (21, None)
    assert problem(tiger(gamma=0.5), horizon=2, gamma=0.75).gamma == 0.75
    assert problem("pomdp:tiger", horizon=1).name == "pomdp:tiger" and problem(tiger(), horizon=1).name == "POMDP"
