"""Behavioral cloning: maximum likelihood of the actions in a data set."""

from typing import Annotated

import logpi
from logpi.presets import options as opt
from logpi.presets.recipe import preset

Expert = Annotated[
    str | None, opt.Option("run directory of the policy to imitate", "a run's directory", opt.optional(opt.directory))
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
    """Behavioral cloning: maximum likelihood of an expert's actions (Pomerleau 1991).

    θ ← θ + α mean_D ∇log π_θ(a|s) over minibatches of another policy's trajectories; rewards are not used. `train`
    needs the `expert`, a run directory: its policy plays one episode per environment and iteration. `clone` and
    `learn_offline` use trajectories from `collect_episodes` or `read_minari` instead, and need no expert.

    Source: Pomerleau 1991, "Efficient training of artificial neural networks for autonomous navigation".
    """
    del expert  # `ActsAsExpert` makes it the behavior policy; the learner is the same for every expert
    return logpi.PolicyGradient(
        credit=logpi.Constant(),
        objective=logpi.log_likelihood + ent_coef * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate, minibatch_size, epochs),
        collect=logpi.Episodes(max_episode_steps),
    )
