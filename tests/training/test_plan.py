"""The plan: what is evaluated is what was trained on, and what a user may not expect is said."""

import gymnasium
from gymnasium.wrappers import NormalizeReward, TransformReward

import logpi

RECIPE = logpi.ppo(num_envs=2, num_steps=8, minibatch_size=16, hidden=(4,))


def train(env, out, evaluations):
    return logpi.train(env, RECIPE, steps=32, evaluations=evaluations, workers=0, out=out)


def test_arguments_and_wrappers_are_evaluated_too(tmp_path, capfd):
    """Each step of an episode of 4 pays 0, and the wrapper makes 3 of it."""
    made = gymnasium.make("CartPole-v1", sutton_barto_reward=True, max_episode_steps=4)
    last = train(TransformReward(made, lambda reward: reward + 3), tmp_path / "run", 1).metrics[-1]
    assert last["return_mean"] == last["eval_return_mean"] == 12
    assert "2 copies of CartPole-v1 are made from its specification" in capfd.readouterr().err


def test_one_copy_and_statistics_of_wrappers_are_said(tmp_path, capfd):
    env = gymnasium.make("CartPole-v1")
    env.unwrapped.gravity = 1.0
    run = train(NormalizeReward(env), tmp_path / "run", 1)
    lines = capfd.readouterr().err
    assert "CartPole-v1 was changed after it was made (gravity)" in lines and "1 copy is stepped" in lines
    assert "use normalize_returns=True instead" in lines and "no evaluation while training" in lines
    assert "eval_return_mean" not in run.metrics[-1]
