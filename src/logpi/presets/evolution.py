"""Evolution strategies: random perturbations of θ, weighted by what they return."""

import logpi
from logpi.presets.population import population
from logpi.presets.recipe import preset


@preset(num_envs=32, hidden=())
def evolution(
    *,
    num_envs,
    sigma=0.1,
    draw="gaussian",
    directions=None,
    differences="central",
    ranks=True,
    stochastic=False,
    learning_rate=0.1,
    gamma=1.0,
    episodes=1,
    max_episode_steps=None,
):
    """Evolution strategies: ascent along ĝ = 1/(2mσ) Σ_i [F(θ + σε_i) − F(θ − σε_i)] ε_i.

    F is the centered rank of the return among all of them, or the return itself. Each environment acts with a θ of its
    own; the two sides of a difference share starts and noise. A linear policy unless `hidden` says otherwise.

    Source: Salimans et al. 2017, "Evolution strategies as a scalable alternative to reinforcement learning".
    """
    shaping = logpi.centered_ranks if ranks else logpi.identity_shaping
    return logpi.ZerothOrder(
        estimator=logpi.EvolutionStrategies(sigma, getattr(logpi, draw), directions, shaping),
        update=logpi.Ascent(logpi.adam, learning_rate),
        gamma=gamma,
        **population(num_envs, differences, stochastic, episodes, max_episode_steps),
    )
