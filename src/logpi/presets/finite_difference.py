"""Finite differences: the gradient by perturbing one coordinate of θ at a time."""

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
    """Finite differences: gradient by perturbing one coordinate of θ at a time (Peters and Schaal 2006).

    Ascent along ĝ_j = [U(θ + δe_j) − U(θ − δe_j)] / 2δ, with separate rollouts for every coordinate. Each environment
    acts with its own θ; the two sides of a difference share initial states and noise. With more coordinates than
    `num_envs` covers, ĝ accumulates over iterations. The policy is linear by default (`hidden`).

    Source: Peters and Schaal 2006, "Policy gradient methods for robotics", on finite-difference methods.
    """
    return logpi.ZerothOrder(
        estimator=logpi.FiniteDifference(sigma),
        update=logpi.Ascent(logpi.adam, learning_rate),
        gamma=gamma,
        **population(num_envs, differences, stochastic, episodes, max_episode_steps),
    )
