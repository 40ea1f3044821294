"""The cart-pole, in JAX."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Bool, Float, Int, Key


class CartPole(eqx.Module):
    """The task of balancing a pole on a cart that is pushed left or right; reward 1 for each step.

    The dynamics of Gymnasium's CartPole-v1 (Barto, Sutton and Anderson 1983, with Florian 2007's correction):
    equal to it over one step to 1e-5. The state is (x, ẋ, φ, φ̇); the episode terminates at |x| > 2.4 or |φ| > 12°.
    """

    force: float = 10.0

    @property
    def observation_space(self) -> spaces.Box:
        """Box of (x, ẋ, φ, φ̇)."""
        high = np.array([4.8, np.inf, 0.41887903, np.inf], np.float32)
        return spaces.Box(-high, high)

    @property
    def action_space(self) -> spaces.Discrete:
        """Two actions: 0 pushes left, 1 right."""
        return spaces.Discrete(2)

    def reset(self, key: Key[Array, ""]) -> tuple[Float[Array, " 4"], Float[Array, " 4"]]:
        """Begin near the upright balance: each coordinate uniform in ±0.05."""
        state = jr.uniform(key, (4,), minval=-0.05, maxval=0.05)
        return state, state

    def step(
        self, key: Key[Array, ""], state: Float[Array, " 4"], action: Int[Array, ""]
    ) -> tuple[Float[Array, " 4"], Float[Array, " 4"], Float[Array, ""], Bool[Array, ""]]:
        """Take one Euler step of 0.02 s."""
        del key
        _, v, angle, spin = state
        push = jnp.where(action == 1, self.force, -self.force)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        pressure = (push + 0.05 * spin**2 * sin) / 1.1
        turn = (9.8 * sin - cos * pressure) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
        acceleration = pressure - 0.05 * turn * cos / 1.1
        state = state + 0.02 * jnp.stack([v, acceleration, spin, turn])
        terminated = (jnp.abs(state[0]) > 2.4) | (jnp.abs(state[2]) > 12 * 2 * np.pi / 360)
        return state, state, jnp.ones(()), terminated
