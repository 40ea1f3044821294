"""REINFORCE: complete episodes, reward-to-go, a constant baseline."""

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset


@preset(num_envs=8)
def reinforce(
    *,
    gamma: opt.Gamma = 0.99,
    learning_rate: opt.LearningRate = 1e-2,
    ent_coef: opt.EntCoef = 0.0,
    episodes: opt.Episodes = 1,
    max_episode_steps: opt.MaxEpisodeSteps = None,
):
    """REINFORCE: Monte-Carlo policy gradient with a mean baseline (Williams 1992).

    θ ← θ + α (1/m) Σ_i Σ_t ∇log π_θ(a_t|s_t) (Σ_{l≥t} γ^{l−t} r_l − b), where b is the mean credit of the batch.

    Differs: the factor γ^t of the exact discounted gradient is dropped, as is usual; `TimeDiscounted` restores it.

    Source: Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning".
    """
    return logpi.PolicyGradient(
        credit=logpi.RewardToGo(gamma) - logpi.mean_baseline,
        objective=logpi.score + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate),
        collect=logpi.Episodes(max_episode_steps, episodes),
    )
