"""PPO with an adaptive penalty on KL instead of a clip."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset

TargetKl = Annotated[
    opt.Number, opt.Option("mean KL(π_old‖π) that the penalty is adapted to", opt.POSITIVE, opt.positive)
]
Penalty = Annotated[opt.Number, opt.Option("initial coefficient β of the KL penalty", opt.POSITIVE, opt.positive)]


@preset(num_envs=8)
def ppo_kl(
    *,
    num_steps: opt.NumSteps = 256,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.95,
    learning_rate: opt.LearningRate = 3e-4,
    epochs: opt.Epochs = 10,
    minibatch_size: opt.MinibatchSize = 64,
    target_kl: TargetKl = 0.01,
    penalty: Penalty = 1.0,
    ent_coef: opt.EntCoef = 0.0,
    max_grad_norm: opt.MaxGradNorm = 0.5,
    critic_learning_rate: opt.CriticLearningRate = 1e-3,
):
    """PPO-KL: proximal policy optimization with an adaptive KL penalty (Schulman et al. 2017).

    Ascent on mean_t [ρ_t Â_t − β KL(π_old‖π_θ) + c_H H(π_θ)]; β is doubled or halved to keep the KL near `target_kl`.
    ρ_t, Â_t, epochs and minibatches as in `ppo`; the critic has its own optimizer.

    Source: Schulman et al. 2017, "Proximal policy optimization algorithms", eq. (8) and §4.
    """
    ascent = logpi.Ascent(logpi.adam, learning_rate, minibatch_size, epochs, max_grad_norm)
    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=logpi.AdvantageNormalized(logpi.importance) + ent_coef * logpi.entropy,
        update=logpi.AdaptivePenalty(ascent, target_kl, penalty),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, minibatch_size, epochs),
        collect=logpi.Steps(num_steps),
    )
