"""Environments without some entries of their observations, in JAX."""

import equinox as eqx
import numpy as np
from jaxtyping import Array, Key, PyTree, Shaped

from logpi.environments.protocol import Environment, Spec, Step
from logpi.environments.wrappers.hidden_entries import visible_spec


class JaxVisibleEntries(eqx.Module):
    """N environments of whose observations only some entries are seen (an `Environment`).

    - `environment`: the environments, with observations [N, D].
    - `visible`: indices of the entries that are left, in order.
    """

    environment: Environment
    visible: tuple[int, ...] = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        """Name, spaces, number of copies, time limit."""
        return visible_spec(self.environment.spec, self.visible)

    def reset(self, key: Key[Array, "..."]) -> tuple[PyTree, Shaped[Array, "N V"]]:
        """Begin an episode everywhere."""
        state, obs = self.environment.reset(key)
        return state, self._seen(obs)

    def step(self, key: Key[Array, "..."], state: PyTree, action: PyTree) -> tuple[PyTree, Step]:
        """Step all copies."""
        state, step = self.environment.step(key, state, action)
        return state, step._replace(obs=self._seen(step.obs), next_obs=self._seen(step.next_obs))

    def _seen(self, obs: Shaped[Array, "N D"]) -> Shaped[Array, "N V"]:
        return obs[:, np.array(self.visible)]
