"""Five tiny tasks, each of which fails if one thing is broken (value, sight, discount, action, both).

One program a method and kind of action solves all probes at three seeds side by side.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import pytest
from helpers import mostly_slow

import logpi
from logpi.core.trees import scan
from logpi.environments.tasks.probe import probe
from logpi.loop.iteration import init_carry, run_iteration

GAMMA, UPDATES, SEEDS = 0.9, 200, 3
SEEN = {"first": jnp.array([1.0, 0.0]), "other": jnp.array([-1.0, 0.0]), "second": jnp.array([1.0, 1.0])}

METHODS = {
    "reinforce": logpi.reinforce(gamma=GAMMA, learning_rate=1e-2, episodes=4),
    "vpg": logpi.vpg(
        gamma=GAMMA,
        num_envs=8,
        num_steps=16,
        learning_rate=1e-2,
        critic_epochs=10,
        critic_learning_rate="1e-2:0",
    ),
    "a2c": logpi.a2c(gamma=GAMMA, num_steps=16, learning_rate="1e-2:0"),
    "npg": logpi.npg(
        gamma=GAMMA, num_envs=8, num_steps=16, damping=1e-2, critic_epochs=10, critic_learning_rate="1e-2:0"
    ),
    "trpo": logpi.trpo(
        gamma=GAMMA, num_envs=8, num_steps=16, max_kl=0.02, critic_epochs=10, critic_learning_rate="1e-2:0"
    ),
    "ppo-kl": logpi.ppo_kl(
        gamma=GAMMA, num_steps=16, learning_rate="3e-3:0", critic_learning_rate="3e-3:0", epochs=4, minibatch_size=32
    ),
    "q-actor-critic": logpi.q_actor_critic(
        gamma=GAMMA, num_steps=16, learning_rate="1e-2:0", critic_learning_rate="1e-2:0"
    ),
    "off-policy": logpi.off_policy(
        gamma=GAMMA, num_steps=16, learning_rate="1e-2:0", critic_learning_rate="1e-2:0", epochs=4
    ),
    "ppo": logpi.ppo(gamma=GAMMA, num_steps=16, learning_rate="1e-2:0", epochs=4, minibatch_size=32, hidden=(16,)),
}


def trained(recipe, environment, key):
    """The policy and critic after 200 updates, as a pure function of the environment and the key."""
    k_networks, key = jr.split(key)
    algorithm, policy, critic = recipe.build(environment.spec, recipe.settings("probe"), k_networks)
    carry = init_carry(algorithm, environment, policy, critic, key)
    step = lambda carry, progress: run_iteration(algorithm, environment, carry, progress)
    carry, _ = scan(step, carry, jnp.linspace(0, 1, UPDATES))
    state = carry.state
    modes = {name: state.policy(obs).mode() for name, obs in SEEN.items()}
    values = {name: jnp.zeros(()) if critic is None else worth(state, obs) for name, obs in SEEN.items()}
    return values, modes


def worth(state, obs):
    """V(s), or Σ_a π(a|s) Q(s, a) where there is a Q."""
    if not isinstance(state.critic, logpi.ActionCritic):
        return state.critic(obs)
    return jax.nn.softmax(state.policy(obs).logits) @ jax.vmap(lambda a: state.critic(obs, a))(jnp.arange(2))


KINDS = [(m, c) for m in METHODS for c in (False, True) if (m, c) != ("q-actor-critic", True)]
CASES = mostly_slow([(kind,) for kind in KINDS], [(("ppo", False),)])  # each case is ten seconds of compiling


@pytest.fixture(scope="module", params=CASES, ids=str)
def solved(request):
    """(method, values, actions in [−1, 1]) for every probe and seed: leaves [5, 3]."""
    method, continuous = request.param
    probes = jax.tree.map(lambda *x: jnp.stack(x), *[probe(i, continuous) for i in range(1, 6)])
    recipe = METHODS[method]
    n = recipe.settings("probe")["num_envs"]
    one = lambda p, key: trained(recipe, logpi.Vmap(p, n, time_limit=3), key)
    keys = jr.split(jr.key(0), SEEDS)
    values, modes = jax.jit(jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None)))(probes, keys)
    actions = {k: jnp.clip(x[..., 0], -1, 1) if continuous else 2.0 * x.astype(float) - 1.0 for k, x in modes.items()}
    return method, values, actions


def within(values, expected, tolerance):
    """Every seed's value is within the tolerance."""
    return bool(jnp.all(jnp.abs(values - expected) <= tolerance))


@pytest.mark.thorough
def test_value_of_a_constant_reward(solved):
    method, values, _ = solved
    if method != "reinforce":
        assert within(values["first"][0], 1.0, 0.02), values["first"][0]


def test_value_follows_the_observation(solved):
    method, values, _ = solved
    if method != "reinforce":
        assert within(values["first"][1], 1.0, 0.05), values["first"][1]
        assert within(values["other"][1], -1.0, 0.05), values["other"][1]


def test_a_reward_one_step_later_is_discounted_once(solved):
    method, values, _ = solved
    if method != "reinforce":
        assert within(values["first"][2], GAMMA, 0.03), values["first"][2]
        assert within(values["second"][2], 1.0, 0.03), values["second"][2]


def test_the_policy_finds_the_better_action(solved):
    _, _, actions = solved
    assert bool(jnp.all(actions["first"][3] >= 0.98)), actions["first"][3]


def test_the_policy_finds_the_action_that_fits_the_observation(solved):
    _, _, actions = solved
    assert bool(jnp.all(actions["first"][4] >= 0.98)), actions["first"][4]
    assert bool(jnp.all(-actions["other"][4] >= 0.98)), actions["other"][4]
