"""Q actor-critic: the policy gradient with a learned Q as credit."""

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset


@preset(num_envs=8)
def q_actor_critic(
    *,
    num_steps: opt.NumSteps = 64,
    gamma: opt.Gamma = 0.99,
    gae_lambda: opt.GaeLambda = 0.95,
    learning_rate: opt.LearningRate = 3e-3,
    critic_learning_rate: opt.CriticLearningRate = 3e-3,
    critic_epochs: opt.CriticEpochs = 10,
    ent_coef: opt.EntCoef = 0.0,
    max_grad_norm: opt.MaxGradNorm = 0.5,
):
    """Q actor-critic: policy gradient with a learned Q and its mean as baseline (Sutton et al. 2000).

    θ ← θ + α mean_t ∇log π_θ(a_t|s_t) (Q_φ(s_t, a_t) − Σ_a π_θ(a|s_t) Q_φ(s_t, a)). Q is fitted to expected-Sarsa
    λ-returns, so that credit depends on rewards and Q alone; no V is learned. For tasks with finitely many actions.

    Source: Sutton et al. 2000, "Policy gradient methods for reinforcement learning with function approximation",
    Theorem 1; van Seijen et al. 2009 for expected Sarsa.
    """
    return logpi.PolicyGradient(
        credit=logpi.ActionValue(gamma, gae_lambda) - logpi.action_mean_baseline,
        objective=logpi.score + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate, max_grad_norm=max_grad_norm),
        fit=logpi.Ascent(logpi.adam, critic_learning_rate, epochs=critic_epochs),
        critic_objective=logpi.action_value,
        collect=logpi.Steps(num_steps),
    )
