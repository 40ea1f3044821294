"""Augmented random search: the best of random perturbations of θ."""

import logpi
from logpi.presets.population import population
from logpi.presets.recipe import preset


@preset(num_envs=32, hidden=(), normalise_observations=True)
def ars(
    *,
    num_envs,
    perturbation=0.1,
    directions=None,
    top=None,
    stochastic=False,
    learning_rate=0.1,
    discount=1.0,
    episodes=1,
    limit=None,
):
    """ARS: θ ← θ + α/(b σ_R) Σ_{i ∈ top b} [U(θ + νε_i) − U(θ − νε_i)] ε_i, observations normalised (V2-t).

    Each environment acts with a θ of its own; the two sides of a difference share starts and noise.

    Source: Mania et al. 2018, "Simple random search provides a competitive approach to reinforcement learning".
    """
    import optax

    return logpi.ZerothOrder(
        estimator=logpi.ARS(perturbation, top, num_directions=directions),
        update=logpi.Ascent(optax.sgd, learning_rate),
        discount=discount,
        **population(num_envs, "central", stochastic, episodes, limit),
    )
