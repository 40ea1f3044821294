"""Behavioral cloning: imitate what is in the data."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset

Expert = Annotated[
    str | None, opt.Option("run directory of the policy to imitate", "a run's directory", opt.optional(str))
]


@preset(num_envs=20)
def cloning(
    *,
    expert: Expert = None,
    max_episode_steps: opt.MaxEpisodeSteps = None,
    learning_rate: opt.LearningRate = 1e-3,
    epochs: opt.Epochs = 100,
    minibatch_size: opt.MinibatchSize = 64,
    ent_coef: opt.EntCoef = 0.0,
):
    """Cloning: θ ← θ + α mean_D ∇log π_θ(a|s), over minibatches of another policy's trajectories, no reward seen.

    `train` needs the `expert`, a run's directory: its policy plays an episode in each environment, every iteration.
    `clone` and `learn_offline` bring trajectories that `collect_episodes` collected or `read_minari` read, and need
    none.

    Source: Pomerleau 1991, "Efficient training of artificial neural networks for autonomous navigation".
    """
    del expert  # it acts, see `ActsAsExpert`; what is learned from it is the same
    return logpi.PolicyGradient(
        credit=logpi.Constant(),
        objective=logpi.log_likelihood + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate, minibatch_size, epochs),
        collect=logpi.Episodes(max_episode_steps),
    )
