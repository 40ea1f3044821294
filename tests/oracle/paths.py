"""Brute force for POMDPs: every path of states, observations and actions, one after the other, in plain Python."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from logpi.distributions.categorical import Categorical
from logpi.oracle.pomdp import POMDP


class Recurrent(eqx.Module):
    """A small recurrent policy: h' = tanh(W h + U e_o), π = softmax(V h')."""

    w: Float[Array, "K K"]
    u: Float[Array, "K O"]
    v: Float[Array, "A K"]

    def initial(self):
        return jnp.zeros(self.w.shape[:1])

    def __call__(self, obs, memory):
        memory = jnp.tanh(self.w @ memory + self.u @ obs)
        return Categorical(self.v @ memory), memory


def recurrent(pomdp, key, units=3):
    k_w, k_u, k_v = jr.split(key, 3)
    shapes = (units, units), (units, pomdp.observations), (pomdp.actions, units)
    return Recurrent(*(jr.normal(k, shape, float) for k, shape in zip((k_w, k_u, k_v), shapes, strict=True)))


def drawn_pomdp(seed, states=3, actions=2, observations=2, horizon=3):
    """A POMDP drawn at random, of which the last state is terminal; every table depends on all that it may."""
    draw = np.random.default_rng(seed)
    start = np.append(draw.dirichlet(np.ones(states - 1)), 0)
    return POMDP(
        draw.dirichlet(np.ones(states), (states, actions)),
        draw.normal(size=(states, actions, states)),
        start,
        draw.dirichlet(np.ones(observations), (actions, states)),
        0.9,
        horizon,
        np.arange(states) == states - 1,
        draw.dirichlet(np.ones(observations), states),
    )


def paths(pomdp):
    """Yield (probability of all but the actions, states, observations, actions, rewards) of every episode."""
    tables = (pomdp.transition, pomdp.reward, pomdp.initial, pomdp.observation, pomdp.first_observation)
    transition, reward, initial, observation, first = (np.asarray(x) for x in tables)
    terminal = np.asarray(pomdp.terminal)

    def going_on(p, states, seen, actions, rewards):
        if terminal[states[-1]] or len(actions) == pomdp.horizon:
            yield p, states, seen, actions, rewards
            return
        for a in range(pomdp.actions):
            for after in range(pomdp.states):
                for o in range(pomdp.observations):
                    chance = transition[states[-1], a, after] * observation[a, after, o]
                    if chance > 0:
                        pay = reward[states[-1], a, after]
                        yield from going_on(p * chance, [*states, after], [*seen, o], [*actions, a], [*rewards, pay])

    for s, o in np.ndindex(pomdp.states, pomdp.observations):
        if initial[s] * first[s, o] > 0:
            yield from going_on(initial[s] * first[s, o], [s], [o], [], [])


def action_probabilities(policy, pomdp):
    """A function of o_0 … o_t that gives π(·|o_0 … o_t), step by step."""
    known = {}
    call = eqx.filter_jit(policy)

    def of(seen):
        if seen not in known:
            memory = of(seen[:-1])[1] if len(seen) > 1 else policy.initial()
            pi, after = call(jnp.eye(pomdp.observations)[seen[-1]], memory)
            known[seen] = np.asarray(jax.nn.softmax(pi.logits)), after
        return known[seen]

    return lambda seen: of(tuple(seen))[0]


def episodes(pomdp, policy):
    """Every episode with its probability under the policy: (p, states, observations, actions, rewards)."""
    pi = action_probabilities(policy, pomdp)
    for p, states, seen, actions, rewards in paths(pomdp):
        chances = [pi(seen[: t + 1])[a] for t, a in enumerate(actions)]
        yield p * float(np.prod(chances)), states, seen, actions, rewards


def returns(pomdp, rewards, start=0):
    """Σ_{l ≥ start} γ^{l − start} r_l."""
    return sum(float(pomdp.gamma) ** (t - start) * rewards[t] for t in range(start, len(rewards)))


def brute_utility(pomdp, policy):
    return sum(p * returns(pomdp, rewards) for p, *_, rewards in episodes(pomdp, policy))
