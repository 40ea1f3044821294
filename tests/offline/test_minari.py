"""Minari's format, from objects and from files made here: what is read is what was written."""

from types import SimpleNamespace

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

import logpi
from logpi.errors import LogpiError
from logpi.offline.minari import read_minari

LENGTHS = (3, 5, 2)
BOX = spaces.Box(np.float32([-2, 0]), np.float32([2, 10]))


def episode(steps, action, seed, truncated=False):
    """One episode with Minari's names: one observation more than steps, 64 bits, an end at the last row."""
    rng = np.random.default_rng(seed)
    end = np.arange(steps) == steps - 1
    return SimpleNamespace(
        observations=rng.normal(size=(steps + 1, 4)),
        actions=np.stack([action(rng) for _ in range(steps)]),
        rewards=rng.normal(size=steps),
        terminations=end & (not truncated),
        truncations=end & truncated,
    )


class Dataset:
    """What `read_minari` asks of a `minari.MinariDataset`."""

    def __init__(self, space, episodes):
        self.action_space, self._episodes = space, episodes

    def iterate_episodes(self):
        return iter(self._episodes)


def discrete():
    """Three episodes of different lengths, the second cut by a time limit; actions 5 and 6."""
    made = [episode(n, lambda rng: np.int64(rng.integers(5, 7)), n, n == 5) for n in LENGTHS]
    return Dataset(spaces.Discrete(2, start=5), made)


def written(path, dataset):
    """The same as a file in Minari's layout."""
    h5py = pytest.importorskip("h5py")
    (path / "data").mkdir()
    with h5py.File(path / "data" / "main_data.hdf5", "w") as file:
        for i, one in enumerate(dataset.iterate_episodes()):
            for name, x in vars(one).items():
                parts = x.items() if isinstance(x, dict) else [(None, x)]
                for part, values in parts:
                    file[f"episode_{i}/{name}" + (f"/{part}" if part else "")] = values
    return path


def check(tau, dataset):
    """Each column is its episode, padded with rows that are not valid."""
    assert tau.complete and tau.reward.shape == (5, 3)
    np.testing.assert_array_equal(tau.valid.sum(axis=0), LENGTHS)
    for i, one in enumerate(dataset.iterate_episodes()):
        n = len(one.rewards)
        np.testing.assert_allclose(tau.obs[:n, i], one.observations[:-1], rtol=1e-6)
        np.testing.assert_allclose(tau.next_obs[:n, i], one.observations[1:], rtol=1e-6)
        np.testing.assert_allclose(tau.reward[:n, i], one.rewards, rtol=1e-6)
        np.testing.assert_array_equal(tau.action[:n, i], one.actions - 5)
        np.testing.assert_array_equal(tau.terminated[:n, i], one.terminations)
        np.testing.assert_array_equal(tau.truncated[:n, i], one.truncations)
        np.testing.assert_array_equal(tau.time[:n, i], np.arange(n))
    assert tau.obs.dtype == jnp.float32 and tau.action.dtype == jnp.int32


def test_a_dataset_becomes_whole_episodes():
    check(read_minari(discrete()), discrete())


def test_so_does_its_file_and_its_directory(tmp_path):
    path = written(tmp_path, discrete())
    for source in (path, path / "data", path / "data" / "main_data.hdf5", str(path)):
        check(read_minari(source, discrete().action_space), discrete())


def test_episodes_are_read_by_their_number_not_by_their_name(tmp_path):
    """episode_10 comes after episode_2."""
    made = [episode(1 + i, lambda rng: np.int64(5), i) for i in range(11)]
    tau = read_minari(written(tmp_path, Dataset(None, made)), spaces.Discrete(2, start=5))
    np.testing.assert_array_equal(tau.valid.sum(axis=0), np.arange(1, 12))


def test_vectors_come_back_into_a_policys_own_units(tmp_path):
    """−1 … 1 spans the bounds: the inverse of what the environment was handed."""
    made = [episode(4, lambda rng: BOX.low + (BOX.high - BOX.low) * rng.random(2), 0)]
    tau = read_minari(Dataset(BOX, made))
    native = np.asarray(made[0].actions)
    np.testing.assert_allclose(tau.action[:, 0], 2 * (native - BOX.low) / (BOX.high - BOX.low) - 1, atol=1e-6)
    free = read_minari(Dataset(spaces.Box(-np.inf, np.inf, (2,)), made))
    np.testing.assert_allclose(free.action[:, 0], native, rtol=1e-6)


def test_observations_may_have_parts(tmp_path):
    one = episode(3, lambda rng: np.int64(5), 0)
    one.observations = {"seen": one.observations, "count": np.arange(4)}
    tau = read_minari(written(tmp_path, Dataset(None, [one])), spaces.Discrete(2, start=5))
    assert set(tau.obs) == {"seen", "count"} and tau.obs["seen"].shape == (3, 1, 4)
    np.testing.assert_array_equal(tau.next_obs["count"][:, 0], [1, 2, 3])


def test_data_that_stops_without_an_end_is_truncated_there():
    one = episode(3, lambda rng: np.int64(5), 0)
    one.terminations = np.zeros(3, bool)
    tau = read_minari(Dataset(spaces.Discrete(2, start=5), [one]))
    np.testing.assert_array_equal(tau.truncated[:, 0], [False, False, True])


def test_so_many_episodes_as_asked_for():
    assert read_minari(discrete(), episodes=2).reward.shape == (5, 2)


@pytest.mark.thorough
def test_log_mu_is_not_known_and_cloning_does_not_ask(key):
    tau = read_minari(discrete())
    assert bool(jnp.isnan(tau.log_prob[tau.valid]).all())
    policy = logpi.mlp_policy(spaces.Box(-9, 9, (4,)), spaces.Discrete(2), hidden=(8,), key=key)
    method = logpi.PolicyGradient(logpi.Constant(), logpi.log_likelihood, logpi.Ascent(logpi.adam, 1e-2, epochs=30))
    state, figures = logpi.learn_offline(method, tau, policy)
    assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves(logpi.trainable(state.policy)[0]))
    assert float(figures["log_likelihood"][0]) > np.log(0.5) + 0.05 and figures["skipped_updates"][0] == 0


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(LogpiError, match="does not say which space"):
        read_minari(Dataset(None, [episode(2, lambda rng: np.int64(5), 0)]))
    with pytest.raises(LogpiError, match="no episodes in"):
        read_minari(Dataset(BOX, []))
    with pytest.raises(LogpiError, match="no dataset at"):
        read_minari(tmp_path / "nothing", BOX)
    with pytest.raises(LogpiError, match=r"action space Text.* is not supported; supported: Box, Discrete"):
        read_minari(Dataset(spaces.Text(3), [episode(2, lambda rng: np.int64(5), 0)]))


def test_actions_may_have_parts():
    """A dict of a vector, choices and switches: each part in a policy's own units."""
    space = spaces.Dict({"go": BOX, "pick": spaces.MultiDiscrete([2, 3], start=[1, 5]), "on": spaces.MultiBinary(2)})
    one = episode(3, lambda rng: 0, 0)
    one.actions = {
        "go": np.float32([[-2, 0], [0, 5], [2, 10]]),
        "pick": np.array([[1, 5], [2, 6], [1, 7]]),
        "on": np.int8([[0, 1], [1, 1], [0, 0]]),
    }
    tau = read_minari(Dataset(space, [one]))
    np.testing.assert_allclose(tau.action["go"][:, 0], [[-1, -1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(tau.action["pick"][:, 0], [[0, 0], [1, 1], [0, 2]])
    np.testing.assert_array_equal(tau.action["on"][:, 0], one.actions["on"])
    assert tau.action["on"].dtype == tau.action["pick"].dtype == jnp.int32


def test_encoded_images_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "main_data.hdf5", "w") as file:
        frames = file.create_dataset("episode_0/observations", (2,), h5py.vlen_dtype(np.uint8))
        frames[0] = np.arange(3, dtype=np.uint8)
    with pytest.raises(LogpiError, match="/episode_0/observations holds encoded images"):
        read_minari(tmp_path, BOX)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Ten episodes of CartPole-v1 that Minari itself collected and wrote, of a pole pushed the way it leans."""
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    collector = minari.DataCollector(gymnasium.make("CartPole-v1", max_episode_steps=60))
    for seed in range(10):
        obs, _ = collector.reset(seed=seed)
        ended = False
        while not ended:
            obs, _, terminated, truncated, _ = collector.step(int(obs[2] + obs[3] > 0))
            ended = terminated or truncated
    made = collector.create_dataset("cartpole/leaning-v0", algorithm_name="leaning", description="a test")
    collector.close()
    return made, tmp_path / "cartpole" / "leaning-v0"


@pytest.mark.filterwarnings("ignore")  # Minari's own, of a dataset without an author
def test_what_minari_itself_wrote_is_read_and_cloned(recorded):
    """Through the package and from the file alone; a clone acts as the data does."""
    made, directory = recorded
    tau, alone = read_minari(made), read_minari(directory, made.action_space)
    for x, y in zip(jax.tree.leaves(tau), jax.tree.leaves(alone), strict=True):
        np.testing.assert_array_equal(x, y)
    assert tau.reward.shape[1] == made.total_episodes == 10 and int(tau.valid.sum()) == made.total_steps
    ends = (tau.terminated | tau.truncated)[tau.valid.sum(axis=0) - 1, np.arange(10)]
    assert bool(ends.all()) and not bool((tau.terminated & tau.truncated).any())
    seen = np.asarray(tau.obs)[np.asarray(tau.valid)]
    leans = np.asarray(tau.action)[np.asarray(tau.valid)] == (seen[:, 2] + seen[:, 3] > 0)
    assert leans.all()
    policy = logpi.clone(tau, "CartPole-v1", logpi.cloning(hidden=(8,), learning_rate=1e-2))
    clone = jax.jit(jax.vmap(lambda obs: policy(obs).mode()))(jnp.asarray(seen))
    assert np.mean(np.asarray(clone) == (seen[:, 2] + seen[:, 3] > 0)) > 0.9
