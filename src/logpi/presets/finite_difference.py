"""Finite differences: one coordinate of θ at a time."""

import logpi
from logpi.presets import options as opt
from logpi.presets.population import population
from logpi.presets.recipe import preset


@preset(num_envs=20, hidden=())
def finite_difference(
    *,
    num_envs: opt.NumEnvs,
    sigma: opt.Sigma = 0.1,
    differences: opt.Differences = "central",
    stochastic: opt.Stochastic = False,
    learning_rate: opt.LearningRate = 0.1,
    gamma: opt.Gamma = 1.0,
    episodes: opt.Episodes = 1,
    max_episode_steps: opt.MaxEpisodeSteps = None,
):
    """Finite differences: ascent along ĝ_j = [U(θ + δe_j) − U(θ − δe_j)] / 2δ, every coordinate by rollouts of its own.

    Each environment acts with a θ of its own; the two sides of a difference share starts and noise. With more
    coordinates than `num_envs` can try, ĝ accumulates over iterations. A linear policy unless `hidden` says otherwise.

    Source: Peters and Schaal 2006, "Policy gradient methods for robotics", on finite-difference methods.
    """
    return logpi.ZerothOrder(
        estimator=logpi.FiniteDifference(sigma),
        update=logpi.Ascent(logpi.adam, learning_rate),
        gamma=gamma,
        **population(num_envs, differences, stochastic, episodes, max_episode_steps),
    )
