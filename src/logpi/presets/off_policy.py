"""Off-policy gradient: several steps on one batch, with importance weights."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset

MinEffectiveSampleShare = Annotated[
    opt.Number | None,
    opt.Option(
        "smallest effective sample size, as a fraction of the batch, at which an epoch starts",
        "0 … 1, or none",
        opt.optional(opt.number(0, 1)),
    ),
]


@preset(num_envs=8)
def off_policy(
    *,
    num_steps: opt.NumSteps = 128,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.95,
    learning_rate: opt.LearningRate = 3e-3,
    epochs: opt.Epochs = 10,
    min_effective_sample_share: MinEffectiveSampleShare = 0.9,
    critic_learning_rate: opt.CriticLearningRate = 3e-3,
    critic_epochs: opt.CriticEpochs = 8,
    ent_coef: opt.EntCoef = 0.0,
):
    """Off-policy gradient: several importance-weighted steps per batch (Kakade and Langford 2002).

    θ ← θ + α mean_t ρ_t ∇log π_θ(a_t|s_t) Â_t, up to `epochs` times on a batch of μ = π_old, where
    ρ_t = π_θ(a_t|s_t) / μ(a_t|s_t). Only the end of the reuse bounds the distance of π from μ: no step is made while
    the effective sample size (Σρ)²/Σρ² is below `min_effective_sample_share` of the rows. Credit is standardized over
    the batch.

    Source: the off-policy algorithm of the course notes "Policy gradients" with weights for each time step; Kakade and
    Langford 2002; Kong 1992 for the effective sample size.
    """
    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=logpi.AdvantageNormalized(logpi.ImportanceWeighted(logpi.step_weights)) + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, epochs=critic_epochs),
        epochs=epochs,
        min_effective_sample_share=min_effective_sample_share,
        collect=logpi.Steps(num_steps),
    )
