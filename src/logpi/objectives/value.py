"""J = −½ E[(V − target)²]: the fit of a critic by least squares."""

from jaxtyping import Array, Float

from logpi.objectives.base import Objective, mean
from logpi.objectives.outputs import Outputs
from logpi.policies.normalization import return_scale
from logpi.types import Batch


class CriticObjective(Objective):
    """An objective that fits a critic to `batch.target`, alone or together with the policy (`ActorCritic`)."""

    def predict(self, outputs: Outputs) -> Float[Array, "*B"]:
        """Return the critic's answer that is compared with the target."""
        raise NotImplementedError


class Value(CriticObjective):
    """−½ mean((V_φ(s) − target)² / σ²) over valid rows; σ is the critic's running scale of returns, 1 without one.

    A mean whatever the batch's scale: a fit to targets is no sum over an episode.
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Return minus half the mean squared error, in units of σ."""
        error = (self.predict(outputs) - batch.target) / return_scale(outputs.critic)
        return -0.5 * mean(error**2, batch)

    def predict(self, outputs: Outputs) -> Float[Array, "*B"]:
        """Return V(s) of every row."""
        return outputs.value


class ActionValueFit(Value):
    """`Value` for an action critic: −½ mean((Q_φ(s, a) − target)² / σ²) over valid rows."""

    def predict(self, outputs: Outputs) -> Float[Array, "*B"]:
        """Return Q(s, a) of every row."""
        return outputs.action_value


value = Value()
action_value = ActionValueFit()
