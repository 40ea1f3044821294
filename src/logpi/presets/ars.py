"""ARS: augmented random search, which uses the best of random perturbations of θ."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.population import population
from logpi.presets.recipe import preset

Top = Annotated[
    int | None,
    opt.Option("number of best directions that count", f"{opt.WHOLE}, or none: all", opt.optional(opt.whole_number)),
]


@preset(num_envs=32, hidden=(), normalize_observations=True)
def ars(
    *,
    num_envs: opt.NumEnvs,
    sigma: opt.Sigma = 0.1,
    directions: opt.Directions = None,
    top: Top = None,
    stochastic: opt.Stochastic = False,
    learning_rate: opt.LearningRate = 0.1,
    gamma: opt.Gamma = 1.0,
    episodes: opt.Episodes = 1,
    max_episode_steps: opt.MaxEpisodeSteps = None,
):
    """ARS: augmented random search, with normalized observations (V2-t) (Mania et al. 2018).

    θ ← θ + α/(b σ_R) Σ_{i ∈ top b} [U(θ + νε_i) − U(θ − νε_i)] ε_i. Each environment acts with its own θ; the two sides
    of a difference share initial states and noise.

    Source: Mania et al. 2018, "Simple random search provides a competitive approach to reinforcement learning".
    """
    import optax

    return logpi.ZerothOrder(
        estimator=logpi.ARS(sigma, top, num_directions=directions),
        update=logpi.Ascent(optax.sgd, learning_rate),
        gamma=gamma,
        **population(num_envs, "central", stochastic, episodes, max_episode_steps),
    )
