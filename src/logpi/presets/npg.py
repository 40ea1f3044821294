"""NPG: the natural policy gradient, with a fitted critic."""

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset


@preset(num_envs=4)
def npg(
    *,
    num_steps: opt.NumSteps = 500,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.97,
    max_kl: opt.MaxKl = 0.01,
    cg_iterations: opt.CgIterations = 10,
    damping: opt.Damping = 1e-3,
    critic_learning_rate: opt.CriticLearningRate = 1e-3,
    critic_epochs: opt.CriticEpochs = 80,
    critic_minibatch_size: opt.CriticMinibatchSize = None,
):
    """NPG: natural policy gradient with a fitted critic (Kakade 2002).

    θ ← θ + √(2δ / gᵀF⁻¹g) F⁻¹g,  g = mean_t ∇log π_θ(a_t|s_t) Â_t^GAE(γ,λ);  φ ← argmin mean_t (V_φ − R_t)².
    F is the Fisher matrix of π_θ and δ (`max_kl`) the mean KL of a step to second order; one step per iteration.

    Source: Kakade 2002, "A natural policy gradient"; Algorithm 2 of Lovatto's deck (2019).
    """
    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=logpi.score,
        update=logpi.NaturalGradient(max_kl, cg_iterations, damping),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, minibatch_size=critic_minibatch_size, epochs=critic_epochs),
        collect=logpi.Steps(num_steps),
    )
