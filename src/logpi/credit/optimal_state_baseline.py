"""The state baseline of least variance of a row's gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from logpi.credit.action_value import categorical, every_action
from logpi.policies.evaluate import map_rows_in_chunks
from logpi.policies.memory import require_memoryless
from logpi.types import State, Trajectory, ravel


class OptimalStateBaseline(eqx.Module):
    """Optimal state baseline b*(s) = Σ_a π(a|s) ‖∇log π(a|s)‖² Q(s, a) / Σ_a π(a|s) ‖∇log π(a|s)‖².

    Q is the learner's action critic.

    Among all functions of the state it makes tr Cov of ∇log π(a|s) (Q(s, a) − b(s)) least, for a state and action drawn
    alone. Rows of one trajectory are correlated, and their sum can have another optimum. V(s) weights actions by π(a|s)
    only.

    - `chunk`: number of rows whose scores, one for each action, are computed at the same time; ≥ 1, default 256.

    Needs a policy over finitely many actions. Source: Greensmith, Bartlett and Baxter 2004.
    """

    chunk: int = eqx.field(static=True, default=256)

    def __call__(self, state: State, tau: Trajectory, phi: Float[Array, "T N"]) -> Float[Array, "T N"]:
        """Return b*(s) of every row."""
        require_memoryless(state.policy, "OptimalStateBaseline")
        theta, unravel = ravel(state.policy)

        def at(obs: PyTree) -> Float[Array, ""]:
            pi = categorical(state.policy(obs))
            scores = jax.jacrev(lambda vector: jax.nn.log_softmax(unravel(vector)(obs).logits))(theta)
            weight = jax.nn.softmax(pi.logits) * jnp.sum(scores**2, axis=1)
            total = jnp.sum(weight)
            return jnp.sum(weight * every_action(state.critic, obs, pi)) / jnp.where(total > 0, total, 1)

        return map_rows_in_chunks(at, phi.ndim, self.chunk, tau.obs)
