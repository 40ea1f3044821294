"""Updates that are not finite are left out and counted; a run of nothing else is ended."""

import json

import gymnasium
import numpy as np
import pytest

import logpi
from logpi.errors import NothingLearned
from logpi.runs.divergence_guard import PATIENCE, StopOnSkippedUpdates

OUT, MADE = {"skipped_updates": 4.0, "step_norm": 0.0}, {"skipped_updates": 3.0, "step_norm": 0.1}


def test_only_iterations_in_a_row_count(tmp_path):
    watch = StopOnSkippedUpdates(tmp_path)
    for row in [OUT] * (PATIENCE - 1) + [MADE] + [OUT] * (PATIENCE - 1):
        watch.record(row)
    with pytest.raises(NothingLearned, match=r"skipped_updates: in 10 iterations.*checkpoints"):
        watch.record(OUT)


def test_steps_of_length_zero_that_were_not_left_out_are_fine(tmp_path):
    watch = StopOnSkippedUpdates(tmp_path)
    for row in [{"skipped_updates": 0.0, "step_norm": 0.0}, {"step_norm": 0.0}, {"kl": 0.0}] * PATIENCE:
        watch.record(row)


class Huge(gymnasium.Env):
    """Rewards so large that no gradient of them is finite."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self._t += 1
        return np.zeros(2, np.float32), 1e30 * (1 + action), self._t == 5, False, {}


@pytest.mark.thorough
def test_a_run_of_nothing_else_is_ended_with_its_first_policy(tmp_path):
    recipe = logpi.trpo(num_envs=2, num_steps=8, hidden=(4,), critic_epochs=1)
    with pytest.raises(NothingLearned) as error:
        logpi.train(Huge, recipe, steps=10_000, evaluations=0, out=tmp_path)
    assert error.value.status == 4 and str(tmp_path / "checkpoints") in str(error.value)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == PATIENCE and all(row["skipped_updates"] >= 1 and row["kl"] == 0 for row in rows)
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "failed"
    assert np.isfinite(logpi.load(tmp_path).policy.network.layers[0].weight).all()
