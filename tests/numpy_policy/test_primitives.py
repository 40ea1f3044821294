"""Each operation in NumPy is JAX's: the same numbers of the same dtype and shape."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from logpi.numpy_policy.lower import lower
from logpi.numpy_policy.primitives import UnknownPrimitive

X = np.linspace(-2.5, 2.5, 12, dtype=np.float32).reshape(3, 4)
POSITIVE, WHOLE, FLAGS = np.abs(X) + 0.1, (10 * X).astype(np.int32), X > 0.6
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

OF_NUMBERS = {
    **{name: getattr(jnp, name) for name in "exp exp2 expm1 tanh sign floor ceil sin cos square abs".split()},
    **{name: getattr(jnp, name) for name in "negative isfinite".split()},
    "logistic": jax.nn.sigmoid,
    "erf": jax.lax.erf,
    "erfc": jax.lax.erfc,
    "erf_inv": lambda x: jax.lax.erf_inv(x / 3),
    "round, to even": lambda x: jax.lax.round(x * 2, jax.lax.RoundingMethod.TO_NEAREST_EVEN),
    "clamp": lambda x: jax.lax.clamp(jnp.float32(-1), x, jnp.float32(0.5)),
    "select": lambda x: jax.lax.select_n(x > 0, x, -2 * x),
    "cube": lambda x: jax.lax.integer_pow(x, 3),
    "one over it": lambda x: jax.lax.integer_pow(x, -1),
    "quotient": lambda x: x / (x * x + 1),
    "sum": lambda x: jnp.sum(x, axis=0),
    "greatest": lambda x: jnp.max(x, axis=1),
    "least": lambda x: jnp.min(x, axis=1, keepdims=True),
    "place of the greatest": lambda x: jnp.argmax(x, axis=1),
    "split": lambda x: jax.lax.split(x, (1, 3), axis=1)[1],
    "split, the first axis": lambda x: jax.lax.split(x, (1, 2), axis=0)[1],
    "every second": lambda x: x[::2, 1:4:2],
    "cumulative": lambda x: jnp.cumsum(x, axis=1),
    "cumulative, from behind": lambda x: jax.lax.cumsum(x, axis=0, reverse=True),
    "turned": lambda x: jnp.transpose(x)[:, None],
    "beside": lambda x: jnp.concatenate([x, x[:, :1]], axis=1),
    "stacked": lambda x: jnp.stack([x, -x], axis=1),
    "counted": lambda x: jax.lax.broadcasted_iota(jnp.int32, (3, 4), 1) + jnp.int32(1),
    "to whole numbers": lambda x: x.astype(jnp.int32),
    "by columns": lambda x: jnp.einsum("ij,kj->ik", x, x),
    "outer": lambda x: jnp.einsum("i,j->ij", x[:, 0], x[0]),
}
CASES = {name: (function, X) for name, function in OF_NUMBERS.items()}
CASES |= {name: (getattr(jnp, name), POSITIVE) for name in "log log1p sqrt".split()}
CASES |= {
    "rsqrt": (jax.lax.rsqrt, POSITIVE),
    "power": (lambda x: jax.lax.pow(x, x), POSITIVE),
    "sum of whole numbers": (lambda x: jnp.sum(x, axis=1), WHOLE),
    "cumulative, of whole numbers": (lambda x: jnp.cumsum(x, axis=1), WHOLE),
    "cumulative, of whole numbers, from behind": (lambda x: jax.lax.cumsum(x, axis=1, reverse=True), WHOLE),
    "bits": (lambda x: (x & 6) | ~x, WHOLE),
    "any": (lambda x: jnp.any(x, axis=1), FLAGS),
    "all": (lambda x: jnp.all(x[:, 2:], axis=1), FLAGS),
    "not": (lambda x: ~x, FLAGS),
    "of each its own": (lambda x: jnp.einsum("bij,bjk->bik", x, jnp.swapaxes(x, 1, 2)), CUBE),
    "sums over two": (lambda x: jnp.einsum("bij,bij->b", x, x), CUBE),
}

GIVEN = {name: jnp.asarray(x) for name, (_, x) in CASES.items()}


@pytest.fixture(scope="module")
def truths():
    """What JAX answers, all of it as one program."""
    return jax.device_get(jax.jit(lambda given: {name: CASES[name][0](x) for name, x in given.items()})(GIVEN))


@pytest.mark.parametrize("name", CASES)
def test_it_is_jaxs(name, truths):
    """Whether it is worked out when it is called, or beforehand: of weights alone, nothing is left to do then."""
    (function, x), truth = CASES[name], truths[name]
    late, early = lower(function, [], [x]), lower(function, [x], [])
    assert not early.per_call
    for got in (late.bind([])(x), early.bind([x])()):
        assert got.dtype == truth.dtype and got.shape == truth.shape
        np.testing.assert_allclose(got, truth, rtol=2e-6, atol=1e-6)


AWAY = jax.lax.RoundingMethod.AWAY_FROM_ZERO
UNKNOWN = {
    "div of integers": (lambda x: jax.lax.div(x, x), WHOLE + 1),
    "round away from zero": (lambda x: jax.lax.round(x, AWAY), X),
    "select_n of more than two cases": (lambda x: jax.lax.select_n(x, x, -x, 2 * x), WHOLE),
    "sort": (jnp.sort, X),
    "actions that are a NoneType": (lambda x: {"a": x, "b": (None,)}, X),
}


@pytest.mark.parametrize(("said", "case"), UNKNOWN.items(), ids=UNKNOWN)
def test_what_is_not_known_is_said(said, case):
    function, x = case
    with pytest.raises(UnknownPrimitive, match=said):
        lower(function, [], [x])


def test_what_nobody_asks_for_is_not_computed():
    program = lower(lambda w, x: (jnp.tanh(w), jnp.sin(x), x + 1)[2], [X], [X])
    assert not program.weights_only and len(program.per_call) == 1 and len(program.constants) == 1


def test_constants_that_look_alike_stay_apart():
    """0 of two dtypes, and of two shapes, are the same bytes."""
    wide, high = np.zeros((3, 4), np.float32), np.zeros((4, 3), np.float32)
    beside = lambda x, zeros: jnp.concatenate([x, zeros], axis=1)
    function = lambda x: (beside(x, wide), beside(x.T, high), x.astype(jnp.int32) * np.int32(0), x + np.float32(0))
    for got, truth in zip(lower(function, [], [X]).bind([])(X), function(jnp.asarray(X)), strict=True):
        assert got.dtype == truth.dtype and got.shape == truth.shape


def test_functions_called_twice_have_their_own_names():
    """Each call of an inner function reads its own arguments, and leaves the caller's alone."""
    inner = jax.jit(lambda a, b: jnp.sin(a) - b)
    function = lambda x: inner(inner(x, 2 * x), x) + x
    got = lower(function, [], [X]).bind([])(X)
    np.testing.assert_allclose(got, jax.device_get(function(jnp.asarray(X))), rtol=1e-5, atol=1e-6)
