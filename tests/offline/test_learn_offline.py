"""Learning without an environment: the same learning, from what is there."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import bits
from oracle.worlds import Softmax

import logpi
from logpi.core.collection import Episodes
from logpi.environments.tasks.tabular import Tabular
from logpi.errors import LogpiError
from logpi.objectives.weights import cumulative_weights
from logpi.offline.demonstrations import collect_episodes
from logpi.offline.learn import clone, learn_offline, require_trajectories
from logpi.oracle import problems
from logpi.policies.behavior import Behavior
from logpi.types import State

MDP = problems.chain(4, 0.1, 1.0, 6)
UNIFORM = Softmax(jnp.zeros((4, 2)))
EXPERT = Softmax(6.0 * jnp.array([[-1.0, 1.0]] * 4))
ENVIRONMENT = logpi.Vmap(Tabular(MDP), 400, 6)
CORRECTED = logpi.PolicyGradient(
    logpi.PerDecision(1.0) - logpi.mean_baseline,
    logpi.ImportanceWeighted(cumulative_weights),
    logpi.Ascent(optax.adam, 0.05),
)


@pytest.fixture(scope="module")
def tau():
    """Four hundred episodes of a policy that cares for nothing."""
    return collect_episodes(UNIFORM, ENVIRONMENT, episodes=400)


@pytest.mark.thorough
def test_one_iteration_is_one_call_of_learn(tau):
    state, figures = learn_offline(CORRECTED, tau, UNIFORM, seed=3)
    key = jr.split(jr.key(3), 1)[0]
    want, info = eqx.filter_jit(CORRECTED.learn)(CORRECTED.init(UNIFORM), Behavior(UNIFORM), tau, key)
    np.testing.assert_allclose(state.policy.logits, want.policy.logits, rtol=1e-6)
    np.testing.assert_allclose(figures["entropy"][0], info["entropy"], rtol=1e-5)


class Telling(eqx.Module):
    """An algorithm that says which key it was given."""

    collect = Episodes()
    num_envs_required = critic_kind = None
    learns_separately = False

    def init(self, policy, critic=None):
        return State(policy, critic, (), ())

    def at(self, progress):
        return self

    def behavior(self, state, key):
        return Behavior(state.policy)

    def learn(self, state, mu, tau, key):
        return state, {"key": jr.key_data(key)}


def test_every_iteration_has_a_key_of_its_own_and_the_seed_says_which(tau, monkeypatch):
    told = learn_offline(Telling(), tau, UNIFORM, iterations=3, seed=5)[1]["key"]
    np.testing.assert_array_equal(told, jr.key_data(jr.split(jr.key(5), 3)))
    seeds = []
    monkeypatch.setattr(
        "logpi.offline.learn.learn_offline", lambda *args, seed=0: (seeds.append(seed) or Telling().init(None),)
    )
    clone(tau, ENVIRONMENT, seed=7)
    assert seeds == [7]


@pytest.mark.thorough
def test_schedules_run_over_the_iterations(tau):
    method = eqx.tree_at(
        lambda m: m.update.learning_rate, CORRECTED, logpi.LinearSchedule(0.4, 0.0), is_leaf=lambda x: x is None
    )
    figures = learn_offline(method, tau, UNIFORM, iterations=4)[1]
    np.testing.assert_allclose(figures["learning_rate"], [0.4, 0.3, 0.2, 0.1], rtol=1e-6)


@pytest.mark.thorough
def test_from_aimless_data_it_finds_a_policy_that_is_almost_the_best(tau):
    """What a uniform policy saw is enough: U rises from its own to 95 % of the optimum; ESS falls on the way."""
    state, figures = learn_offline(CORRECTED, tau, UNIFORM, iterations=60)
    before, after, best = MDP.utility(UNIFORM), MDP.utility(state.policy), MDP.optimal().utility
    assert before < 0.6 * best and after > 0.95 * best
    share = np.asarray(figures["effective_share"])
    assert share[0] > 0.9 and share[-1] < 0.5 * share[0]


@pytest.mark.thorough
def test_cloning_the_same_data_learns_nothing_of_what_is_good(tau):
    policy = clone(tau, ENVIRONMENT, logpi.cloning(epochs=20, hidden=()))
    assert abs(float(MDP.utility(policy) - MDP.utility(UNIFORM))) < 0.1 * float(MDP.utility(UNIFORM))


def test_a_clone_does_what_the_expert_did(tau):
    """Where the right action was taken, it is the likeliest: the good half of the data, and nothing else."""
    good = eqx.tree_at(lambda t: t.valid, tau, tau.action == jnp.argmax(EXPERT.logits, axis=1)[jnp.argmax(tau.obs, -1)])
    copied = clone(good, ENVIRONMENT, logpi.cloning(epochs=20, hidden=(), learning_rate=1e-2))
    states = jnp.eye(4)
    np.testing.assert_array_equal(jax.vmap(copied)(states).mode(), jax.vmap(EXPERT)(states).mode())
    assert float(MDP.utility(copied)) > 2 * float(MDP.utility(UNIFORM))


@pytest.mark.thorough
def test_training_begins_from_the_policy_it_is_given(tmp_path):
    """A rate next to nothing leaves it as it was, bit for bit; the recipe itself still begins anew."""
    recipe = logpi.reinforce(learning_rate=1e-30)
    run = logpi.train(ENVIRONMENT, recipe.from_policy(EXPERT), steps=2400, out=tmp_path, evaluations=0)
    assert bits(run.policy) == bits(EXPERT) and run.summary["steps"] == 2400 and recipe.start is None


def test_gathered_episodes_are_whole_and_scored_by_who_acted(tau):
    assert tau.complete and tau.reward.shape == (6, 400) and bool(tau.valid.all())
    np.testing.assert_allclose(tau.log_prob, np.log(0.5), rtol=1e-6)
    assert bool(tau.terminated[-1].all())
    assert abs(float(tau.reward.sum(axis=0).mean()) - float(MDP.utility(UNIFORM))) < 0.3


@pytest.mark.thorough
def test_the_host_gives_the_same_kind_of_episodes_and_other_seeds_other_ones():
    env = logpi.make("CartPole-v1", 1)
    policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, hidden=(4,), key=jr.key(0))
    one, other = (collect_episodes(policy, "CartPole-v1", episodes=3, seed=s) for s in (0, 1))
    assert one.complete and one.reward.shape == (500, 3) and not bool(one.valid.all())
    assert bits(one.obs) != bits(other.obs)
    scored = jax.jit(jax.vmap(jax.vmap(policy)))(one.obs).log_prob(one.action)
    np.testing.assert_allclose(one.log_prob[one.valid], scored[one.valid], atol=1e-5)


def test_what_cannot_be_is_refused(tau):
    with pytest.raises(LogpiError, match="iterations is 0"):
        learn_offline(CORRECTED, tau, UNIFORM, iterations=0)
    with pytest.raises(LogpiError, match="episodes is 0"):
        collect_episodes(UNIFORM, "CartPole-v1", episodes=0)


def changed(tau, **fields):
    return eqx.tree_at(lambda t: [getattr(t, name) for name in fields], tau, list(fields.values()))


WRONG = {
    "observations of another shape": (lambda tau: changed(tau, obs=jnp.zeros((*tau.valid.shape, 2))), "observations"),
    "observations of another structure": (lambda tau: changed(tau, obs={"x": tau.obs}), "dict is no array"),
    "more rows than flags": (lambda tau: changed(tau, obs=tau.obs[:3]), "observations.*shape"),
    "actions that there are not": (lambda tau: changed(tau, action=tau.action + 2), "actions.*allowed are 0 … 1"),
    "actions of another shape": (lambda tau: changed(tau, action=tau.action[..., None]), "actions.*shape"),
}


@pytest.mark.parametrize("name", WRONG)
def test_trajectories_of_other_spaces_are_refused_in_one_line(name, tau):
    make, says = WRONG[name]
    with pytest.raises(LogpiError, match=f"the trajectories do not fit Tabular: their .*{says}"):
        clone(make(tau), ENVIRONMENT)
    require_trajectories(tau, ENVIRONMENT.spec)
