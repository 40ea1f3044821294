"""PPO learns on every kind of space: at least 95 % of the optimum, three of three seeds."""

import jax
import jax.numpy as jnp
import jax.random as jr
import pytest
from helpers import mostly_slow
from tasks import RULES, OneStep

import logpi
from logpi.core.trees import scan
from logpi.loop.iteration import init_carry, run_iteration
from logpi.policies.behavior import Greedy

SEEDS, CONTEXTS = 3, 512
UPDATES = 60
WHICH = mostly_slow(RULES, 0)
RECIPE = logpi.ppo(
    num_envs=64, num_steps=4, minibatch_size=64, epochs=4, learning_rate="1e-2:0", hidden=(32,), gamma=0.0
)


def trained(environment, recipe, key, updates):
    """The policy after so many updates, as a pure function of the key."""
    k_networks, key = jr.split(key)
    algorithm, policy, critic = recipe.build(environment.spec, recipe.settings("task"), k_networks)
    carry = init_carry(algorithm, environment, policy, critic, key)
    carry, _ = scan(lambda c, p: run_iteration(algorithm, environment, c, p), carry, jnp.linspace(0, 1, updates))
    return carry.state.policy


def worth(policy, rules, key):
    """The mean reward of the policy's modes at observations it has not met."""
    obs = jax.vmap(rules.draw)(jr.split(key, CONTEXTS))
    pi = jax.vmap(Greedy(policy))(obs)
    return jnp.mean(jax.vmap(rules.reward)(obs, pi.to_env(pi.push(pi.noise(key)))))


@pytest.mark.parametrize("name", WHICH)
def test_ppo_learns_it(name):
    environment = OneStep(name, 64)

    @jax.jit
    def score(key):
        k_train, k_test = jr.split(key)
        return worth(trained(environment, RECIPE, k_train, UPDATES), RULES[name], k_test)

    scores = jnp.stack([score(key) for key in jr.split(jr.key(0), SEEDS)])
    print(f"{name}: {scores}")
    assert jnp.all(scores >= 0.95), scores
