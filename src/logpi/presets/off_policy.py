"""Off-policy: several gradient steps on one batch, each row weighted by how likely its action still is."""

import logpi
from logpi.presets.recipe import preset


@preset(num_envs=8)
def off_policy(
    *,
    num_steps=128,
    gamma=0.99,
    gae_lambda=0.95,
    learning_rate=3e-3,
    epochs=10,
    min_effective_sample_share=0.9,
    critic_learning_rate=3e-3,
    critic_epochs=8,
    ent_coef=0.0,
):
    """Off-policy gradient: θ ← θ + α mean_t ρ_t ∇log π_θ(a_t|s_t) Â_t, up to `epochs` times on a batch of μ = π_old.

    ρ_t = π_θ(a_t|s_t) / μ(a_t|s_t). Nothing holds π near μ but the end of the reuse: no step begins while the effective
    sample size (Σρ)²/Σρ² is below a share of the rows. Credit is standardized over the batch.

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
