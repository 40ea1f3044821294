"""Tianshou 2's PPO, environments stepped in the same process; see `report.py`."""

from importlib import metadata

from report import SAME, Watch, asked

ASKED = asked()

import gymnasium
import numpy as np
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy, ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, VectorEnvNormObs
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from torch.distributions import Independent, Normal


class Listening(Collector):
    """A collector that tells a watch of the episodes that end; it gathers one rollout a call."""

    watch: Watch
    taken = 0

    def collect(self, **how):
        """As the collector does."""
        stats = Collector.collect(self, **how)
        self.taken += stats.n_collected_steps
        for gain in stats.returns:
            self.watch.episode(self.taken, gain)
        return stats


def networks(env: gymnasium.Env) -> tuple:
    """(policy, critic)."""
    shape, space = env.observation_space.shape, env.action_space
    body = lambda: Net(state_shape=shape, hidden_sizes=SAME["hidden"], activation=torch.nn.Tanh)
    if isinstance(space, gymnasium.spaces.Discrete):
        actor = DiscreteActor(preprocess_net=body(), action_shape=space.n, softmax_output=False)
        return DiscreteActorPolicy(actor=actor, action_space=space), DiscreteCritic(preprocess_net=body())
    actor = ContinuousActorProbabilistic(preprocess_net=body(), action_shape=space.shape, unbounded=True)
    draw = lambda both: Independent(Normal(*both), 1)
    policy = ProbabilisticActorPolicy(
        actor=actor, dist_fn=draw, action_space=space, action_scaling=True, action_bound_method="clip"
    )
    return policy, ContinuousCritic(preprocess_net=body())


def main() -> None:
    """Train and print the figures."""
    torch.set_num_threads(1)
    np.random.seed(ASKED.seed)
    torch.manual_seed(ASKED.seed)
    env = DummyVectorEnv([lambda: gymnasium.make(ASKED.env) for _ in range(SAME["environments"])])
    env = VectorEnvNormObs(env) if ASKED.normalized else env
    env.seed(ASKED.seed)
    policy, critic = networks(gymnasium.make(ASKED.env))
    learner = PPO(
        policy=policy,
        critic=critic,
        optim=AdamOptimizerFactory(lr=SAME["rate"]),
        gamma=SAME["gamma"],
        gae_lambda=SAME["gae_lambda"],
        eps_clip=SAME["clip_range"],
        max_grad_norm=SAME["norm"],
        advantage_normalization=True,
        return_scaling=ASKED.normalized,
    )
    batch = SAME["environments"] * SAME["steps"]
    collector = Listening(learner, env, VectorReplayBuffer(batch, SAME["environments"]))
    collector.watch = Watch(ASKED)
    learner.run_training(
        OnPolicyTrainerParams(
            training_collector=collector,
            test_collector=None,
            max_epochs=1,
            epoch_num_steps=ASKED.steps // batch * batch,
            collection_step_num_env_steps=batch,
            update_step_num_repetitions=SAME["epochs"],
            batch_size=SAME["minibatch_size"],
            verbose=False,
            show_progress=False,
        )
    )
    collector.watch.answer(collector.taken, metadata.version("tianshou"))


if __name__ == "__main__":
    main()
