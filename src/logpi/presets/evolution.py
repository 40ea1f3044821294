"""Evolution strategies: random perturbations of θ, weighted by their returns."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.population import population
from logpi.presets.recipe import preset

Ranks = Annotated[bool, opt.Option("weight directions by centered ranks instead of returns", opt.SWITCH, opt.switch)]


@preset(num_envs=32, hidden=())
def evolution(
    *,
    num_envs: opt.NumEnvs,
    sigma: opt.Sigma = 0.1,
    draw: opt.Draw = "gaussian",
    directions: opt.Directions = None,
    differences: opt.Differences = "central",
    ranks: Ranks = True,
    stochastic: opt.Stochastic = False,
    learning_rate: opt.LearningRate = 0.1,
    gamma: opt.Gamma = 1.0,
    episodes: opt.Episodes = 1,
    max_episode_steps: opt.MaxEpisodeSteps = None,
):
    """Evolution strategies: random perturbations of θ, weighted by ranked returns (Salimans et al. 2017).

    Ascent along ĝ = 1/(2mσ) Σ_i [F(θ + σε_i) − F(θ − σε_i)] ε_i, where F is the centered rank of the return among all
    perturbations (`ranks`), or the return itself. Each environment acts with its own θ; the two sides of a difference
    share initial states and noise. The policy is linear by default (`hidden`).

    Source: Salimans et al. 2017, "Evolution strategies as a scalable alternative to reinforcement learning".
    """
    shaping = logpi.centered_ranks if ranks else logpi.identity_shaping
    return logpi.ZerothOrder(
        estimator=logpi.EvolutionStrategies(sigma, getattr(logpi, draw), directions, shaping),
        update=logpi.Ascent(logpi.adam, learning_rate),
        gamma=gamma,
        **population(num_envs, differences, stochastic, episodes, max_episode_steps),
    )
