"""TRPO: the natural step with a line search on the exact KL."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset

Backtracks = Annotated[int, opt.Option("step lengths tried, the full one first", opt.WHOLE, opt.whole_number)]
BacktrackRatio = Annotated[
    opt.Number, opt.Option("ratio of a step length to the one tried before", "0 … 1", opt.number(0, 1))
]


@preset(num_envs=4)
def trpo(
    *,
    num_steps: opt.NumSteps = 500,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.97,
    max_kl: opt.MaxKl = 0.01,
    cg_iterations: opt.CgIterations = 10,
    damping: opt.Damping = 0.1,
    backtracks: Backtracks = 10,
    backtrack_ratio: BacktrackRatio = 0.8,
    critic_learning_rate: opt.CriticLearningRate = 1e-3,
    critic_epochs: opt.CriticEpochs = 80,
    critic_minibatch_size: opt.CriticMinibatchSize = None,
):
    """TRPO: trust region policy optimization (Schulman et al. 2015).

    Maximize mean_t ρ_t Â_t^GAE(γ,λ) subject to mean KL(π_old‖π_θ) ≤ δ;  φ ← argmin mean_t (V_φ − R_t)². The natural
    step √(2δ / gᵀF⁻¹g) F⁻¹g is shortened by `backtrack_ratio` until the surrogate does not decrease and the exact KL is
    at most δ (`max_kl`); if no length satisfies both, the policy is left unchanged.

    Source: Schulman et al. 2015, "Trust region policy optimization"; Algorithms 3 and 4 of Lovatto's deck (2019).
    """
    return logpi.PolicyGradient(
        credit=logpi.GAE(gamma, gae_lambda),
        objective=logpi.importance,
        update=logpi.TrustRegion(
            max_kl, cg_iterations, damping, backtracks=backtracks, backtrack_ratio=backtrack_ratio
        ),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, minibatch_size=critic_minibatch_size, epochs=critic_epochs),
        collect=logpi.Steps(num_steps),
    )
