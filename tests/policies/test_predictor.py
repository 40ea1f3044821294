"""What a policy predicts is what the environment takes."""

import gc
import pickle
import re
import weakref

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, SEEN, policy, stirred
from gymnasium import spaces

import logpi
from logpi.policies import predictor
from logpi.policies.cnn import cnn_policy
from logpi.policies.predictor import Predictor
from logpi.spaces.actions import to_native

SCREEN = spaces.Box(0, 255, (36, 36, 3), np.uint8)
MASKED = spaces.Dict({"action_mask": spaces.MultiBinary(3), "x": SEEN})
NESTED = spaces.Dict({"b": spaces.Tuple([SEEN, spaces.Discrete(4, start=2)]), "a": spaces.MultiDiscrete([2, 3])})
ACTIONS = {
    "discrete": spaces.Discrete(3, start=5),
    "multi-discrete": spaces.MultiDiscrete([2, 3], start=[1, 0]),
    "multi-binary": spaces.MultiBinary(2),
    "box": spaces.Box(np.array([-1.0, 10.0]), np.array([3.0, 10.5]), dtype=np.float64),
    "integers": spaces.Box(-7, 9, (2,), np.int16),
    "tree": spaces.Dict({"gear": spaces.Discrete(2), "rest": spaces.Tuple([spaces.Box(0, 8, (1,))])}),
}
CASES = {
    **{name: (SEEN, space) for name, space in ACTIONS.items()},
    "of an index": (spaces.Discrete(4, start=2), CHOICES),
    "of a tree": (NESTED, ACTIONS["box"]),
    "with a mask": (MASKED, CHOICES),
    "of pictures": (SCREEN, CHOICES),
}


def made(name):
    seen, acted = CASES[name]
    if seen is SCREEN:
        return stirred(cnn_policy(seen, acted, hidden=(8,), key=jr.key(1)), jr.key(2))
    return policy(acted, jr.key(1), seen, size=1.0)


def rows_of(space, count):
    """So many observations, as a list and as a vector environment gives them."""
    space.seed(3)
    drawn = [space.sample() for _ in range(count)]
    return drawn, jax.tree.map(lambda *x: np.stack(x), *drawn)


def native(action, space):
    """The action in the environment's units, by the same maps as a rollout."""
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(jax.tree.map(np.asarray, space.sample()))]
    leaves, structure = jax.tree.flatten(jax.device_get(to_native(space)(action)))
    return structure.unflatten([np.asarray(x).astype(dtype) for x, dtype in zip(leaves, dtypes, strict=True)])


@eqx.filter_jit
def mode_and_sample(pi, obs, key):
    """By the policy itself, in JAX."""
    expected = pi(obs)
    return expected.to_env(expected.mode()), expected.to_env(expected.sample(key))


@pytest.mark.parametrize("name", CASES)
def test_the_mode_and_a_sample_are_what_the_environment_takes_one_at_a_time_and_in_a_batch(name):
    seen, acted = CASES[name]
    pi = made(name)
    drawn, batch = rows_of(seen, 3)
    of_batch = pi.predict(batch)
    for i, obs in enumerate(drawn):
        mode, drawn_here = mode_and_sample(pi, jax.tree.map(jnp.asarray, obs), jr.key(i))
        one = pi.predict(obs)
        assert acted.contains(one), (one, acted)
        assert jax.tree.structure(one) == jax.tree.structure(acted.sample())
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), one, native(mode, acted))
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a, b[i], rtol=1e-5), one, of_batch)
        sample = pi.predict(obs, sample=True, seed=jr.key(i))
        assert acted.contains(sample)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5),
            sample,
            native(drawn_here, acted),
        )


def test_samples_have_the_probabilities_of_the_policy():
    pi, obs = policy(CHOICES, jr.key(0), size=1.0), np.array([0.3, -0.2, 0.9], np.float32)
    expected = np.asarray(jax.nn.softmax(pi(obs).logits))
    drawn = pi.predict(np.tile(obs, (4096, 1)), sample=True, seed=0)
    share = np.bincount(drawn, minlength=3) / 4096
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(share, expected, atol=4 * 0.5 / 64)


def test_a_seed_repeats_a_sample_and_a_generator_goes_on():
    pi, obs = policy(spaces.Box(-9.0, 9.0, (2,)), jr.key(0)), np.zeros(3, np.float32)
    sample = lambda seed: pi.predict(obs, sample=True, seed=seed).tolist()
    assert sample(4) == sample(np.int64(4)) != sample(5)
    generator = np.random.default_rng(4)
    assert sample(generator) == sample(4)
    assert sample(generator) != sample(4)
    assert sample(None) != sample(None)


def test_a_legal_action_is_predicted_although_an_illegal_one_is_more_probable():
    pi, x = made("with a mask"), np.zeros(3, np.float32)
    best = int(pi.predict({"action_mask": np.ones(3, np.int8), "x": x}))
    mask = np.ones(3, np.int8)
    mask[best] = 0
    batch = {"action_mask": np.tile(mask, (200, 1)), "x": np.tile(x, (200, 1))}
    assert pi.predict({"action_mask": mask, "x": x}) != best
    assert best not in pi.predict(batch, sample=True, seed=0)


def test_a_predictor_is_made_once_beside_the_policy_and_goes_with_it():
    pi = policy(CHOICES, jr.key(0))
    before = jax.tree.structure(pi), pickle.dumps(pi)
    assert pi.predict is pi.predict
    pi.predict([0.0, 0.0, 0.0])
    assert (jax.tree.structure(pi), pickle.dumps(pi)) == before
    kept, made = weakref.ref(pi.predict), len(predictor._PREDICTORS)
    del pi
    gc.collect()
    assert kept() is None and len(predictor._PREDICTORS) < made


def test_another_policy_of_the_same_form_predicts_by_its_own_parameters():
    obs, box = np.ones(3, np.float32), spaces.Box(-1.0, 1.0, (2,))
    one, other = policy(box, jr.key(0)), policy(box, jr.key(1))
    assert one.predict(obs).tolist() != other.predict(obs).tolist()
    np.testing.assert_allclose(other.predict(obs), np.clip(other(obs).mode(), -1, 1), rtol=1e-6)


def test_bounds_belong_to_the_policy():
    make = lambda high: logpi.mlp_policy(SEEN, spaces.Box(0, high, (1,)), key=jr.key(0))
    assert [make(high).predict([0.0, 0.0, 0.0]).item() for high in (2, 8)] == [1.0, 4.0]
    assert jax.tree.structure(make(2)) == jax.tree.structure(make(2)) != jax.tree.structure(make(8))


WRONG = {
    "another shape": ([0.0, 0.0], r"shape \(2,\) is not \(3,\)"),
    "a batch of batches": (np.zeros((2, 2, 3)), r"shape \(2, 2, 3\) is not \(3,\)"),
    "another shape in a batch": (np.zeros((5, 4)), r"shape \(5, 4\) is not \(5, 3\)"),
    "an empty batch": (np.zeros((0, 3)), "a batch of 0 observations"),
    "no number": ([0.0, np.nan, 0.0], "nan is not finite"),
    "text": ("left", "left .* is no array of numbers"),
    "nothing": (None, "None .* is no array of numbers"),
    "a dict": ({"x": 1.0}, "no array of numbers"),
    "lists of unequal length": ([[0.0], [0.0, 1.0]], "no array of numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_observation_that_does_not_fit_is_one_line(name):
    obs, message = WRONG[name]
    with pytest.raises(logpi.LogpiError, match=message) as raised:
        policy(CHOICES, jr.key(0)).predict(obs)
    assert "\n" not in str(raised.value)


def test_an_index_out_of_range_is_refused_since_it_has_no_encoding():
    with pytest.raises(logpi.LogpiError, match=r"6 is outside Discrete\(4, start=2\): allowed are 2 … 5"):
        made("of an index").predict([2, 6])


def test_a_seed_for_the_mode_is_refused():
    with pytest.raises(logpi.LogpiError, match="allowed: seed with sample=True"):
        policy(CHOICES, jr.key(0)).predict(np.zeros(3), seed=0)
    with pytest.raises(logpi.LogpiError, match="seed is -1"):
        policy(CHOICES, jr.key(0)).predict(np.zeros(3), sample=True, seed=-1)


def test_parameters_that_are_not_finite_give_no_action():
    pi = jax.tree.map(lambda x: x * jnp.nan, policy(spaces.Box(-1, 1, (2,)), jr.key(0)))
    with pytest.raises(logpi.LogpiError, match="action is not finite"):
        pi.predict(np.zeros(3))


CALLED = {
    "a batch": (jnp.zeros((5, 3)), r"shape \(5, 3\) is not \(3,\)"),
    "a list": ([0.0, 0.0, 0.0], "list is no array"),
    "another shape": (jnp.zeros(2), r"shape \(2,\) is not \(3,\)"),
    "a dict": ({"x": jnp.zeros(3)}, "dict is no array"),
}


@pytest.mark.parametrize("name", CALLED)
def test_a_policy_called_with_something_else_than_one_observation_is_one_line(name):
    obs, message = CALLED[name]
    with pytest.raises(logpi.LogpiError, match=f"a policy is a function of one observation.*{message}.*predict"):
        policy(CHOICES, jr.key(0))(obs)
    with pytest.raises(logpi.LogpiError, match="a policy is a function of one observation"):
        made("with a mask")(obs)


def test_a_policy_of_ones_own_predicts_for_spaces_that_are_named():
    class Own(eqx.Module):
        gain: jax.Array

        def __call__(self, obs):
            return logpi.Categorical(self.gain * obs)

    own = Own(jnp.float32(2.0))
    assert Predictor(own, SEEN, spaces.Discrete(3, start=1))([0.1, 0.9, 0.2]) == 2
    with pytest.raises(logpi.LogpiError, match=re.escape("actions do not fit the action space: shape () is not (2,)")):
        Predictor(own, SEEN, spaces.Box(-1, 1, (2,)))([0.1, 0.9, 0.2])


def test_a_policy_without_spaces_names_the_way():
    parts = policy(CHOICES, jr.key(0))
    with pytest.raises(logpi.LogpiError, match=r"logpi\.Predictor"):
        logpi.Policy(parts.encode, parts.network, parts.head).predict(np.zeros(3))


def test_predict_inside_jit_is_one_line():
    pi = policy(CHOICES, jr.key(0))
    with pytest.raises(logpi.LogpiError, match="cannot be traced"):
        jax.jit(lambda weights: eqx.combine(weights, eqx.filter(pi, eqx.is_array, inverse=True)).predict(np.zeros(3)))(
            eqx.filter(pi, eqx.is_array)
        )
