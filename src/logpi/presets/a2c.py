"""A2C: the synchronous advantage actor-critic."""

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset


@preset(num_envs=8)
def a2c(
    *,
    num_steps: opt.NumSteps = 16,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 1.0,
    learning_rate: opt.LearningRate = 1e-3,
    ent_coef: opt.EntCoef = 0.0,
    vf_coef: opt.VfCoef = 0.5,
    max_grad_norm: opt.MaxGradNorm = 0.5,
):
    """A2C: synchronous advantage actor-critic (Mnih et al. 2016).

    One gradient step per iteration on mean_t [log π_θ(a_t|s_t) Â_t + c_H H(π_θ(·|s_t)) − ½ c_V (V_φ(s_t) − R_t)²].
    With λ = 1, Â_t = r_t + … + γ^n V(s_{t+n}) − V(s_t) extends to the end of the rollout, which is short.

    Differs: Adam instead of the paper's RMSProp.

    Source: Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", algorithm S3, made synchronous.
    """
    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=logpi.score + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate, max_grad_norm=max_grad_norm),
        fit="joint",
        vf_coef=vf_coef,
        collect=logpi.Steps(num_steps),
    )
