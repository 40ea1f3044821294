"""Φ_t = Q(s_t, a_t): the value of the action taken, by an action critic."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.credit.base import Credit
from logpi.credit.discounted_sum import discounted_sum
from logpi.distributions.categorical import Categorical
from logpi.errors import LogpiError
from logpi.policies.critic import Critic
from logpi.policies.evaluate import evaluate_action_critic, map_rows
from logpi.policies.memory import require_memoryless
from logpi.types import Number, State, Trajectory


class ActionValue(Credit):
    """Action-value credit Φ_t = Q(s_t, a_t), Q the learner's action critic. Its target is the expected-Sarsa λ-return,

        G_t = r_t + γ (1 − terminated_t) ((1 − λ) V̄(s_{t+1}) + λ G_{t+1}),   V̄(s) = Σ_a π(a|s) Q(s, a),

    which bootstraps from V̄ alone where an episode is truncated and at the window's end. λ = 0 is expected Sarsa, λ = 1
    the return. Its fixed point is Q^π as long as π itself acted.

    - `gamma`: γ ∈ [0, 1], the discount.
    - `gae_lambda`: λ ∈ [0, 1], the trace decay, default 0.

    Needs a policy over finitely many actions. Source: Sutton et al. 2000, eq. (2), for the credit; van Seijen et al.
    2009, and Sutton and Barto 2018, §12.8, for the target.
    """

    gamma: Number
    gae_lambda: Number = 0.0

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return Q of every row, and its λ-return."""
        critic = require_action_critic(state.critic)
        next_value = jnp.where(tau.terminated, 0, expected_value(state, tau.next_obs))
        cut = tau.done.at[-1].set(True)
        decay = jnp.where(cut, 0.0, self.gae_lambda)
        gain = tau.reward + self.gamma * (1 - decay) * next_value
        target = discounted_sum(gain, self.gamma * decay)
        return evaluate_action_critic(critic, tau), target


def action_mean_baseline(state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
    """Compute b_t = Σ_a π(a|s_t) Q(s_t, a); subtracted from `ActionValue` it leaves the advantage of Q."""
    del phi
    return expected_value(state, tau.obs)


def expected_value(state: State, obs: PyTree) -> Float[Array, "T N"]:
    """Compute V̄(s) = Σ_a π(a|s) Q(s, a) at every observation of a trajectory."""
    policy, critic = state.policy, state.critic
    require_memoryless(policy, "the mean of Q over actions")

    def at(obs: PyTree) -> Float[Array, ""]:
        pi = categorical(policy(obs))
        return jnp.sum(jax.nn.softmax(pi.logits) * every_action(critic, obs, pi))

    return map_rows(at, 2, obs)


def every_action(critic: PyTree, obs: PyTree, pi: Categorical) -> Float[Array, " K"]:
    """Compute Q(s, a) of every action at one observation."""
    critic = require_action_critic(critic)
    return map_rows(lambda action: critic(obs, action), 1, jnp.arange(pi.logits.shape[-1], dtype=jnp.int32))


def require_action_critic(critic: PyTree) -> PyTree:
    """Return the critic itself; raise LogpiError where there is none, or one of states."""
    if critic is None or isinstance(critic, Critic):
        given = "there is no critic" if critic is None else "the critic answers V(s)"
        raise LogpiError(f"this credit reads Q(s, a) and {given}: give the algorithm a fit and an action critic=…")
    return critic


def categorical(pi: object) -> Categorical:
    """Return the distribution itself; raise LogpiError unless it is a Categorical, whose actions can be listed."""
    if not isinstance(pi, Categorical):
        raise LogpiError(f"a mean over actions needs a Categorical policy; this one answers with {type(pi).__name__}")
    return pi
