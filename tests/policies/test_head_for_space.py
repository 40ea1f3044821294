"""Every action space has its head; what it gives is an action of that space, in a policy's own units."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.special
import scipy.stats
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from logpi.errors import LogpiError
from logpi.policies.head_for_space import head_for_space
from logpi.policies.policy import mlp_policy
from logpi.spaces.actions import to_native
from logpi.types import ravel, trainable

SEEN = spaces.Box(-1, 1, (4,))
NESTED = spaces.Dict(
    b=spaces.Tuple((spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2, 2)))),
    a=spaces.Dict(x=spaces.MultiDiscrete([2, 4]), w=spaces.MultiBinary(3)),
)
SPACES = {
    "discrete": spaces.Discrete(5),
    "multi-discrete": spaces.MultiDiscrete([2, 5, 3]),
    "multi-discrete of equal sizes": spaces.MultiDiscrete([3, 3]),
    "multi-discrete matrix": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "multi-binary": spaces.MultiBinary(4),
    "multi-binary matrix": spaces.MultiBinary((2, 3)),
    "box": spaces.Box(-1.0, 1.0, (3,)),
    "box matrix": spaces.Box(-1.0, 1.0, (2, 3)),
    "box number": spaces.Box(-1.0, 1.0, ()),
    "tree": NESTED,
}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def at_random(space, seed=0, **choices):
    """The space's distribution at a random output of a network."""
    made, outputs = head_for_space(space, **choices)
    return made(jr.normal(jr.key(seed), (outputs,)))


@pytest.mark.thorough_after(4)
@every_space
def test_actions_are_the_spaces_own(space):
    """A thousand of them, clipped where the environment would; of the space's structure and shapes, counted from 0."""
    made, outputs = head_for_space(space)
    z = jnp.broadcast_to(jr.normal(jr.key(0), (outputs,)), (1000, outputs))
    action = jax.device_get(jax.jit(lambda z: jax.vmap(made)(z).sample(jr.key(1)))(z))
    clipped = jax.tree.map(lambda x: x.clip(-1, 1) if x.dtype == np.float32 else x, action)
    cast = lambda part, x: x.astype(part.dtype) if not isinstance(part, spaces.Dict | spaces.Tuple) else _cast(part, x)

    def _cast(part, x):
        inner = part.items() if isinstance(part, spaces.Dict) else enumerate(part)
        made = {key: cast(p, x[key]) for key, p in inner}
        return made if isinstance(part, spaces.Dict) else tuple(made.values())

    assert batch_space(space, 1000).contains(cast(space, clipped))
    for x in jax.tree.leaves(action):
        assert len(np.unique(x, axis=0)) > 1
        assert x.dtype in (np.int32, np.float32)


def test_every_choice_of_every_dimension_is_taken():
    action = at_random(SPACES["multi-discrete matrix"])
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (3000, *x.shape)), action)
    taken = np.asarray(many.sample(jr.key(0)))
    assert [len(np.unique(taken[:, i, j])) for i in (0, 1) for j in (0, 1)] == [2, 3, 4, 2]


def test_a_multi_discrete_head_is_one_softmax_after_the_other():
    made, outputs = head_for_space(spaces.MultiDiscrete([2, 5, 3]))
    z = jr.normal(jr.key(0), (outputs,))
    pieces = np.split(np.asarray(z, float), [2, 7])
    want = sum(scipy.special.log_softmax(piece)[a] for piece, a in zip(pieces, (1, 4, 0), strict=True))
    np.testing.assert_allclose(made(z).log_prob(jnp.array([1, 4, 0])), want, rtol=1e-5)
    np.testing.assert_array_equal(made(z).mode(), [piece.argmax() for piece in pieces])


def test_a_tree_of_heads_reads_each_output_once():
    """The gradient of each leaf's log π reaches as many outputs as it has, and no two leaves share one."""
    made, outputs = head_for_space(NESTED)
    z = jr.normal(jr.key(0), (outputs,))
    action = made(z).sample(jr.key(1))

    def by_leaf(z):
        parts = made(z).parts
        inner = {"x": parts["a"].parts["x"], "w": parts["a"].parts["w"], **dict(enumerate(parts["b"].parts))}
        each = {"x": action["a"]["x"], "w": action["a"]["w"], **dict(enumerate(action["b"]))}
        return jnp.stack([inner[key].log_prob(each[key]) for key in ("x", "w", 0, 1)])

    slopes, each, together = jax.jit(lambda z: (jax.jacobian(by_leaf)(z), by_leaf(z), made(z).log_prob(action)))(z)
    reached = np.asarray(slopes) != 0
    assert reached.sum(axis=1).tolist() == [6, 3, 3, 4] and np.all(reached.sum(axis=0) == 1)
    np.testing.assert_allclose(each.sum(), together, rtol=1e-5)


@pytest.mark.parametrize(("std", "learned"), [("learned", 2), ("fixed", 0)])
def test_a_sigma_that_is_fixed_is_no_part_of_theta(std, learned):
    made, outputs = head_for_space(spaces.Box(-1, 1, (2,)), std=std, initial_std=0.5)
    assert outputs == 2 and sum(x.size for x in jax.tree.leaves(trainable(made)[0])) == learned
    for mean in (jnp.zeros(2), jnp.array([3.0, -1.0])):
        np.testing.assert_allclose(jnp.exp(made(mean).log_std), 0.5, rtol=1e-6)
        np.testing.assert_array_equal(made(mean).mean, mean)


def test_a_sigma_of_the_state_is_read_from_the_network_and_starts_where_it_is_told():
    made, outputs = head_for_space(spaces.Box(-1, 1, (2,)), std="state", initial_std=0.5)
    assert outputs == 4
    np.testing.assert_allclose(jnp.exp(made(jnp.zeros(4)).log_std), 0.5, rtol=1e-6)
    np.testing.assert_allclose(made(jnp.arange(4.0)).mean, [0, 1])
    np.testing.assert_allclose(jnp.exp(made(jnp.arange(4.0)).log_std), 0.5 * np.exp([2, 3]), rtol=1e-5)
    policy = mlp_policy(SEEN, spaces.Box(-1, 1, (2,)), std="state", key=jr.key(0))
    flat, unravel = ravel(policy)
    moved = unravel(flat + jr.normal(jr.key(1), flat.shape))
    assert not np.allclose(moved(jnp.ones(4)).log_std, moved(-jnp.ones(4)).log_std, atol=0.1)


@pytest.mark.parametrize("std", ["learned", "fixed", "state"])
@pytest.mark.parametrize("low, high", [(-3.0, 7.0), (np.array([-1.0, 2.0]), np.array([0.0, 4.0]))])
def test_a_squashed_policy_reaches_its_bounds_and_never_passes_them(std, low, high):
    box = spaces.Box(np.broadcast_to(np.float32(low), (2,)), np.broadcast_to(np.float32(high), (2,)), dtype=np.float32)
    pi = at_random(box, std=std, squash=True)
    native = lambda u: np.asarray(to_native(box)(pi.to_env(jnp.full(2, u))))
    np.testing.assert_allclose(native(20.0), box.high, rtol=1e-6)
    np.testing.assert_allclose(native(-20.0), box.low, rtol=1e-6)
    np.testing.assert_allclose(native(0.0), (box.high + box.low) / 2, rtol=1e-6, atol=1e-6)
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (2000, *x.shape)), pi)
    sent = np.asarray(to_native(box)(many.to_env(many.sample(jr.key(0)))))
    assert np.all((sent >= box.low) & (sent <= box.high)) and np.all(sent.std(axis=0) > 0.05)


@pytest.mark.parametrize("low, high", [(-np.inf, np.inf), (0.0, np.inf)])
def test_squashing_into_a_box_without_bounds_is_refused(low, high):
    box = spaces.Box(low, high, (2,))
    with pytest.raises(LogpiError, match=r"squash is true, but action space is Box\(.*allowed: squash false, or"):
        head_for_space(box, squash=True)
    with pytest.raises(LogpiError, match=r"action space: \['arm'\]\[1\] is Box\("):
        head_for_space(spaces.Dict(arm=spaces.Tuple((spaces.Discrete(2), box))), squash=True)
    assert head_for_space(box, squash=False)[1] == 2


def test_an_unsupported_leaf_is_refused_by_its_path():
    space = spaces.Dict(say=spaces.Tuple((spaces.Discrete(2), spaces.Text(5))))
    supported = "supported: Box, Discrete, MultiBinary, MultiDiscrete, Dict, Tuple"
    with pytest.raises(LogpiError, match=rf"action space: \['say'\]\[1\] is Text\(.*\); {supported}"):
        head_for_space(space)
    with pytest.raises(LogpiError, match=r"action space is Sequence\("):
        head_for_space(spaces.Sequence(spaces.Discrete(2)))


@pytest.mark.thorough_after(3)
@every_space
def test_a_new_policy_has_the_types_an_updated_one_has(space):
    for std in ("learned", "state"):
        policy = mlp_policy(SEEN, space, hidden=(4,), std=std, key=jr.key(0))
        assert not any(x.weak_type for x in jax.tree.leaves(eqx.filter(policy, eqx.is_array)))


def test_a_vector_of_very_unequal_choices_holds_a_number_for_each_of_them():
    """2000 and 200 × 2 choices: 2400 numbers a row, not 201 × 2000; a small table is padded as before."""
    sizes = [2000, *[2] * 200]
    made, outputs = head_for_space(spaces.MultiDiscrete(sizes))
    logits = jnp.asarray(np.random.default_rng(0).normal(size=outputs), jnp.float32)
    pi = made(logits)
    assert outputs == sum(x.size for x in jax.tree.leaves(pi.noise(jax.random.key(0)))) == 2400
    action = np.array(pi.mode())
    assert action[0] == np.argmax(logits[:2000]) and action[7] == np.argmax(logits[2012:2014])
    by_hand = [
        jax.nn.log_softmax(part)[a] for part, a in zip(jnp.split(logits, np.cumsum(sizes)[:-1]), action, strict=True)
    ]
    np.testing.assert_allclose(pi.log_prob(jnp.asarray(action)), sum(by_hand), rtol=1e-5)
    assert type(head_for_space(spaces.MultiDiscrete([2, 5, 3]))[0](jnp.zeros(10))).__name__ == "Independent"
