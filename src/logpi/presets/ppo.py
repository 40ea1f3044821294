"""PPO: many small clipped steps on each batch."""

import logpi
from logpi.presets.recipe import preset


@preset(num_envs=8)
def ppo(
    *,
    rollout_length=256,
    discount=0.99,
    decay=0.95,
    learning_rate=3e-4,
    epochs=10,
    minibatch=64,
    clip=0.2,
    entropy_weight=0.0,
    value_weight=0.5,
    clip_value=None,
    max_gradient_norm=0.5,
    max_kl=None,
    standardise=True,
    recompute=False,
    separate=False,
):
    """PPO: ascent on mean_t [min(ρ_t Â_t, clip(ρ_t, 1 ± ε) Â_t) + c_H H(π_θ) − ½ c_V (V_φ − R_t)²].

    ρ_t = π_θ(a_t|s_t) / π_old(a_t|s_t); Â_t by GAE(γ, λ), standardised in each minibatch, and computed anew by V_φ
    before each epoch with `recompute`; `epochs` passes over each batch in minibatches. Differs from the paper in that
    advantages are standardised and gradients shortened, as its implementations do; V is clipped, as in many of them,
    with `clip_value`. With `separate`, π and V have an optimiser each, and gradients are shortened each by itself: V's
    errors then take nothing from π's steps, and on two CPU devices both are learned at the same time.

    Source: Schulman et al. 2017, "Proximal policy optimization algorithms", eqs. (7) and (9).
    """
    at_once = epochs if separate and max_kl is None and not recompute else 1  # nothing is to be seen between these
    ascent = logpi.Ascent(logpi.adam, learning_rate, minibatch_size=minibatch, epochs=at_once, max_grad_norm=max_gradient_norm)
    surrogate = logpi.AdvantageNormalized(logpi.Clipped(clip)) if standardise else logpi.Clipped(clip)
    return logpi.PolicyGradient(
        credit=logpi.GAE(discount, decay),
        objective=surrogate + entropy_weight * logpi.entropy,
        update=ascent,
        fit=ascent if separate else "joint",
        vf_coef=value_weight,
        critic_objective=logpi.value if clip_value is None else logpi.ClippedValue(clip_value),
        epochs=epochs // at_once,
        recompute_advantages=recompute,
        target_kl=max_kl,
        collect=logpi.Steps(rollout_length),
    )
