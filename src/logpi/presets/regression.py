"""Regression: random perturbations of θ, and a gradient by least squares."""

import logpi
from logpi.presets.population import population
from logpi.presets.recipe import preset


@preset(num_envs=32, hidden=())
def regression(
    *,
    num_envs,
    sigma=0.1,
    draw="gaussian",
    directions=None,
    differences="central",
    stochastic=False,
    learning_rate=0.1,
    gamma=1.0,
    episodes=1,
    max_episode_steps=None,
):
    """Regression: ascent along ĝ = argmin_g Σ_i (ΔU_i − gᵀΔ_i)², Δ_i = σ ε_i; of least norm where many fit alike.

    Each environment acts with a θ of its own; the two sides of a difference share starts and noise. A linear policy
    unless `hidden` says otherwise.

    Source: Peters and Schaal 2006, "Policy gradient methods for robotics", on finite-difference methods.
    """
    return logpi.ZerothOrder(
        estimator=logpi.Regression(sigma, getattr(logpi, draw), directions),
        update=logpi.Ascent(logpi.adam, learning_rate),
        gamma=gamma,
        **population(num_envs, differences, stochastic, episodes, max_episode_steps),
    )
