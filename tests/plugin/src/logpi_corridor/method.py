"""Advantage-weighted regression: an objective, an option and a method of one's own."""

from typing import Annotated

import logpi
from logpi.presets import Option, preset
from logpi.presets.options import EntCoef, GaeLambda, Gamma, LearningRate, NumSteps, number

Temperature = Annotated[
    float, Option("temperature β of the weights exp(Â/β)", "a number above 0", number(0, above=True))
]


@preset(num_envs=4)
def advantage_weighted(
    *,
    num_steps: NumSteps = 32,
    gamma: Gamma = 0.99,
    gae_lambda: GaeLambda = 0.95,
    learning_rate: LearningRate = 1e-2,
    temperature: Temperature = 1.0,
    ent_coef: EntCoef = 0.0,
):
    """Advantage-weighted regression: ascent on mean_t exp(Â_t/β) log π_θ(a_t|s_t); V is fitted to returns.

    Source: Peng et al. 2019, "Advantage-weighted regression".
    """
    # Imported here, so that `logpi algorithms` lists the method without importing JAX.
    from logpi_corridor.objective import ExponentiallyWeighted

    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=ExponentiallyWeighted(temperature) + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate),
        fit=logpi.Ascent(logpi.adam, learning_rate),
        collect=logpi.Steps(num_steps),
    )
