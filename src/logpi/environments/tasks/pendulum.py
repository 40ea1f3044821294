"""The pendulum, in JAX."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Key


class Pendulum(eqx.Module):
    """The task of swinging a pendulum up and holding it with a weak motor; it never terminates.

    The dynamics of Gymnasium's Pendulum-v1: equal to it over one step to 1e-5. The state is (φ, φ̇), φ = 0 upright;
    the reward is −(φ² + 0.1 φ̇² + 0.001 u²), with φ in (−π, π].
    """

    @property
    def observation_space(self) -> spaces.Box:
        """Box of (cos φ, sin φ, φ̇)."""
        high = np.array([1.0, 1.0, 8.0], np.float32)
        return spaces.Box(-high, high)

    @property
    def action_space(self) -> spaces.Box:
        """Box of the torque u, −2 … 2."""
        return spaces.Box(-2.0, 2.0, (1,))

    def reset(self, key: Key[Array, ""]) -> tuple[Float[Array, " 2"], Float[Array, " 3"]]:
        """Begin at any angle, with at most 1 rad/s."""
        bound = jnp.array([jnp.pi, 1.0])
        state = jr.uniform(key, (2,), minval=-bound, maxval=bound)
        return state, self._observe(state)

    def step(
        self, key: Key[Array, ""], state: Float[Array, " 2"], action: Float[Array, " 1"]
    ) -> tuple[Float[Array, " 2"], Float[Array, " 3"], Float[Array, ""], Bool[Array, ""]]:
        """Take one Euler step of 0.05 s."""
        del key
        angle, spin = state
        torque = jnp.clip(action[0], -2, 2)
        wrapped = (angle + jnp.pi) % (2 * jnp.pi) - jnp.pi
        cost = wrapped**2 + 0.1 * spin**2 + 0.001 * torque**2
        spin = jnp.clip(spin + (15 * jnp.sin(angle) + 3 * torque) * 0.05, -8, 8)
        state = jnp.stack([angle + spin * 0.05, spin])
        return state, self._observe(state), -cost, jnp.asarray(False)

    def _observe(self, state: Float[Array, " 2"]) -> Float[Array, " 3"]:
        return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0]), state[1]])
