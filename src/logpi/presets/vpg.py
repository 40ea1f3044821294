"""VPG: the vanilla policy gradient, with generalized advantages and a fitted critic."""

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset


@preset(num_envs=4)
def vpg(
    *,
    num_steps: opt.NumSteps = 500,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.97,
    learning_rate: opt.LearningRate = 7e-3,
    critic_learning_rate: opt.CriticLearningRate = 1e-3,
    critic_epochs: opt.CriticEpochs = 80,
    ent_coef: opt.EntCoef = 0.0,
):
    """VPG: policy gradient with generalized advantages and a fitted critic (Schulman et al. 2016).

    θ ← θ + α mean_t ∇log π_θ(a_t|s_t) Â_t^GAE(γ,λ);  φ ← argmin mean_t (V_φ(s_t) − R_t^γ)². Each iteration makes one
    step of the policy and `critic_epochs` steps of the critic.

    Source: Algorithm 1 of Lovatto's deck (2019); Schulman et al. 2016 (GAE); Achiam 2018 (Spinning Up).
    """
    return logpi.PolicyGradient(
        credit=logpi.WithTarget(logpi.GAE(gamma, gae_lambda), logpi.RewardToGo(gamma)),
        objective=logpi.score + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, epochs=critic_epochs),
        collect=logpi.Steps(num_steps),
    )
