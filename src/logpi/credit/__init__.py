"""Credit: the number Φ_t that each action's log-probability is multiplied by in the policy gradient.

Enters: the learner's `State` (policy and critic) and the trajectories τ [T, N]. Leaves: (Φ, target), both [T, N]; the
target is what V or Q is fitted to. A baseline is subtracted by `credit - baseline`. One formula, one file; every sum
over time is `discounted_sum`.

Read first: `base.Credit` (the contract), `reward_to_go.RewardToGo`, `td_residual.TDResidual`, `gae.GAE`.

Glossary: γ (`gamma`), the discount; λ (`gae_lambda`), the trace decay; δ_t, the TD residual; a window, T steps of each
environment whatever episodes they belong to; complete, columns that are whole episodes; terminated, the MDP ended and
V(next) := 0; truncated, observation stopped and V(next) counts; bootstrap, to put V in the place of unseen rewards.
"""
