"""PPO: many small steps per batch on a clipped objective."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset

ClipRange = Annotated[
    opt.Number,
    opt.Option("clip range ε of the ratio ρ, which is clipped to [1 − ε, 1 + ε]", opt.POSITIVE, opt.positive),
]
VfClipRange = Annotated[
    opt.Number | None,
    opt.Option(
        "clip range of V's change per iteration, in units of returns", opt.POSITIVE_OR_NONE, opt.optional(opt.positive)
    ),
]
TargetKl = Annotated[
    opt.Number | None,
    opt.Option(
        "early stop: no epoch starts beyond this mean KL(π_old‖π)", opt.POSITIVE_OR_NONE, opt.optional(opt.positive)
    ),
]
NormalizeAdvantages = Annotated[bool, opt.Option("standardize advantages in each minibatch", opt.SWITCH, opt.switch)]
RecomputeAdvantages = Annotated[bool, opt.Option("compute advantages again before each epoch", opt.SWITCH, opt.switch)]
SeparateOptimizers = Annotated[bool, opt.Option("one optimizer each for π and V", opt.SWITCH, opt.switch)]


@preset(num_envs=8)
def ppo(
    *,
    num_steps: opt.NumSteps = 256,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.95,
    learning_rate: opt.LearningRate = 3e-4,
    epochs: opt.Epochs = 10,
    minibatch_size: opt.MinibatchSize = 64,
    clip_range: ClipRange = 0.2,
    ent_coef: opt.EntCoef = 0.0,
    vf_coef: opt.VfCoef = 0.5,
    vf_clip_range: VfClipRange = None,
    max_grad_norm: opt.MaxGradNorm = 0.5,
    target_kl: TargetKl = None,
    normalize_advantages: NormalizeAdvantages = True,
    recompute_advantages: RecomputeAdvantages = False,
    separate_optimizers: SeparateOptimizers = False,
):
    """PPO: proximal policy optimization with a clipped ratio (Schulman et al. 2017).

    Ascent on mean_t [min(ρ_t Â_t, clip(ρ_t, 1 ± ε) Â_t) + c_H H(π_θ) − ½ c_V (V_φ − R_t)²], where
    ρ_t = π_θ(a_t|s_t) / π_old(a_t|s_t) and Â_t is GAE(γ, λ), normalized in each minibatch; `epochs` passes over each
    batch in minibatches. With `recompute_advantages`, V_φ computes Â_t again before each epoch. With
    `separate_optimizers`, π and V have an optimizer each and each gradient is clipped by its own norm: V's errors then
    do not shorten π's steps, and on two CPU devices both are learned at the same time.

    Differs: advantages are normalized and gradients clipped by their norm, as implementations of the paper do; V is
    clipped with `vf_clip_range`, as in many of them.

    Source: Schulman et al. 2017, "Proximal policy optimization algorithms", eqs. (7) and (9).
    """
    # Where nothing depends on the policy between epochs, one call of the update makes all of them.
    one_call = separate_optimizers and target_kl is None and not recompute_advantages
    epochs_per_call = epochs if one_call else 1
    ascent = logpi.Ascent(
        logpi.adam, learning_rate, minibatch_size=minibatch_size, epochs=epochs_per_call, max_grad_norm=max_grad_norm
    )
    surrogate = (
        logpi.AdvantageNormalized(logpi.Clipped(clip_range)) if normalize_advantages else logpi.Clipped(clip_range)
    )
    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=surrogate + ent_coef * logpi.entropy,
        update=ascent,
        fit=ascent if separate_optimizers else "joint",
        vf_coef=vf_coef,
        critic_objective=logpi.value if vf_clip_range is None else logpi.ClippedValue(vf_clip_range),
        epochs=epochs // epochs_per_call,
        recompute_advantages=recompute_advantages,
        target_kl=target_kl,
        collect=logpi.Steps(num_steps),
    )
