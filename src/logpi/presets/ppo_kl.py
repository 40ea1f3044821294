"""PPO with a penalty on KL instead of a clip."""

import logpi
from logpi.presets.recipe import preset


@preset(num_envs=8)
def ppo_kl(
    *,
    rollout_length=256,
    discount=0.99,
    decay=0.95,
    learning_rate=3e-4,
    epochs=10,
    minibatch=64,
    target_kl=0.01,
    penalty=1.0,
    entropy_weight=0.0,
    max_gradient_norm=0.5,
    critic_learning_rate=1e-3,
):
    """PPO-KL: ascent on mean_t [ρ_t Â_t − β KL(π_old‖π_θ) + c_H H(π_θ)], β doubled or halved to keep KL near a target.

    ρ_t, Â_t, epochs and minibatches as in `ppo`; the critic has an optimiser of its own.

    Source: Schulman et al. 2017, "Proximal policy optimization algorithms", eq. (8) and §4.
    """
    ascent = logpi.Ascent(logpi.adam, learning_rate, minibatch, epochs, max_gradient_norm)
    return logpi.PolicyGradient(
        credit=logpi.GAE(discount, decay),
        objective=logpi.AdvantageNormalized(logpi.importance) + entropy_weight * logpi.entropy,
        update=logpi.AdaptivePenalty(ascent, target_kl, penalty),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, minibatch, epochs),
        collect=logpi.Steps(rollout_length),
    )
