"""Behavioural cloning: imitate what is in the data."""

import logpi
from logpi.algorithms.recipe import preset


@preset(num_envs=1)
def cloning(*, learning_rate=1e-3, epochs=100, minibatch=64, entropy_weight=0.0):
    """Cloning: θ ← θ + α mean_D ∇log π_θ(a|s), over minibatches of another policy's trajectories, no reward seen.

    For `learn_offline` and `clone`, which bring the trajectories: `gather` collects them, `read_minari` reads them.

    Source: Pomerleau 1991, "Efficient training of artificial neural networks for autonomous navigation".
    """
    return logpi.PolicyGradient(
        credit=logpi.Constant(),
        objective=logpi.log_likelihood + entropy_weight * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate, minibatch, epochs),
    )
