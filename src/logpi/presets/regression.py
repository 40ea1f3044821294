"""Regression: the gradient by least squares on random perturbations of θ."""

import logpi
from logpi.presets import options as opt
from logpi.presets.population import population
from logpi.presets.recipe import preset


@preset(num_envs=32, hidden=())
def regression(
    *,
    num_envs: opt.NumEnvs,
    sigma: opt.Sigma = 0.1,
    draw: opt.Draw = "gaussian",
    directions: opt.Directions = None,
    differences: opt.Differences = "central",
    stochastic: opt.Stochastic = False,
    learning_rate: opt.LearningRate = 0.1,
    gamma: opt.Gamma = 1.0,
    episodes: opt.Episodes = 1,
    max_episode_steps: opt.MaxEpisodeSteps = None,
):
    """Regression: gradient by least squares on random perturbations of θ (Peters and Schaal 2006).

    Ascent along ĝ = argmin_g Σ_i (ΔU_i − gᵀΔ_i)², Δ_i = σ ε_i; the solution of least norm where it is not unique. Each
    environment acts with its own θ; the two sides of a difference share initial states and noise. The policy is linear
    by default (`hidden`).

    Source: Peters and Schaal 2006, "Policy gradient methods for robotics", on finite-difference methods.
    """
    return logpi.ZerothOrder(
        estimator=logpi.Regression(sigma, getattr(logpi, draw), directions),
        update=logpi.Ascent(logpi.adam, learning_rate),
        gamma=gamma,
        **population(num_envs, differences, stochastic, episodes, max_episode_steps),
    )
