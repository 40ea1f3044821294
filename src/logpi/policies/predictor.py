"""Prediction: from raw observations to the actions that an environment takes, on the host."""

import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jax.core import Tracer
from jaxtyping import Array, PyTree

from logpi.core.compilation import compiler_options
from logpi.core.numpy_trees import tree_leaves, tree_map
from logpi.core.scalars import WholeNumber
from logpi.core.seeds import read_seed
from logpi.distributions.protocol import numpy_sampler
from logpi.errors import LogpiError
from logpi.numpy_policy.lower import lower
from logpi.numpy_policy.primitives import UnknownPrimitive
from logpi.numpy_policy.source import draws
from logpi.policies.evaluate import map_rows
from logpi.spaces.actions import to_native, unscaled
from logpi.spaces.elements import element_fault, form_fault
from logpi.spaces.pair import SpacePair
from logpi.spaces.tree import LeafSpace, buffer_dtype, check, empty, map_leaves

Seed: TypeAlias = WholeNumber | np.random.Generator | Array | None
"""The source of a sample's randomness: a whole number, a NumPy generator, a JAX key, or None for a new one."""

Rows: TypeAlias = int | None
"""The number of observations in a batch; None for one observation without a leading axis."""


class Predictor:
    """A policy on the host, in the environment's own units: raw observations ↦ actions that the environment takes.

    The policy is traced at the first call, and once more for a batch of another size (sizes are rounded up to a power
    of two). It acts in NumPy, or by a jitted call where NumPy has no counterpart, as for pictures.

        >>> import jax, logpi
        >>> seen, acted = spaces.Box(-1, 1, (3,)), spaces.Box(0, 10, (1,))
        >>> policy = logpi.mlp_policy(seen, acted, key=jax.random.key(0))
        >>> Predictor(lambda obs: policy(obs), seen, acted)([0.0, 0.0, 0.0])
        array([5.], dtype=float32)
    """

    def __init__(self, policy: PyTree, observation_space: spaces.Space, action_space: spaces.Space):
        """Predict with a policy, any callable PyTree from one raw observation to a distribution, for these spaces."""
        check(observation_space, "observation")
        check(action_space, "action")
        arrays, self._static = eqx.partition(policy, eqx.is_array)
        self._weights, self._treedef = jax.tree.flatten(arrays)
        if any(isinstance(x, Tracer) for x in self._weights):
            raise LogpiError("predict acts on the host and cannot be traced; inside jit, call policy(obs) instead")
        self._observation_space, self._action_space = observation_space, action_space
        self._read = map_leaves(observation_space, lambda leaf: lambda x: np.asarray(x, buffer_dtype(leaf)))
        self._to_env_dtypes = map_leaves(action_space, _to_env_dtype)
        self._programs: dict[tuple[Rows, bool], Callable[..., Any]] = {}
        self._noises: dict[Rows, Callable[[Seed], list[np.ndarray]]] = {}

    def __call__(self, obs: Any, *, sample: bool = False, seed: Seed = None) -> Any:
        """Predict the action that the environment takes, for one observation or each of a batch.

        - `obs`: one raw observation, or a batch with one more leading axis; arrays or lists, as an environment or a
          vector environment gives them.
        - `sample`: sample from π(·|obs) instead of taking its mode.
        - `seed`: of the sample: a whole number, a NumPy generator (which goes on with each call), or a JAX key, for
          which the sample is that of `policy(obs).sample(key)`; by default a new one.

        Raises LogpiError for an observation that does not fit its space.
        """
        if seed is not None and not sample:
            raise LogpiError("seed is given for the mode, which is not random; allowed: seed with sample=True")
        rows = self._count(obs)
        if fault := element_fault(self._observation_space, obs, () if rows is None else (rows,)):
            raise LogpiError(f"the policy cannot take this observation: {fault}")
        leaves = tree_leaves(self._read(obs))
        inputs = [*leaves, *self._noise(rows)(seed)] if sample else leaves
        if rows is None:
            return self._to_env_dtypes(self._program(None, sample)(*inputs))
        padded = 1 << (rows - 1).bit_length()
        if padded != rows:
            inputs = [np.resize(x, (padded, *x.shape[1:])) for x in inputs]
        return self._to_env_dtypes(tree_map(lambda x: x[:rows], self._program(padded, sample)(*inputs)))

    def _count(self, obs: Any) -> Rows:
        """Count the observations of a batch by the axes of its first leaf; None for one, and for what is neither."""
        space = self._observation_space
        try:
            while isinstance(space, spaces.Dict | spaces.Tuple):
                first: Any = min(space.spaces) if isinstance(space, spaces.Dict) else 0
                space, obs = space.spaces[first], obs[first]
            shape = np.shape(obs)
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        if len(shape) != len(space.shape or ()) + 1:
            return None
        if not shape[0]:
            raise LogpiError("the policy was given a batch of 0 observations; allowed: 1 or more")
        return shape[0]

    def _program(self, rows: Rows, sample: bool) -> Callable[..., Any]:
        """The function (leaves of obs and noise) ↦ action, made once."""
        if (rows, sample) not in self._programs:
            self._programs[rows, sample] = self._make(rows, sample)
        return self._programs[rows, sample]

    def _make(self, rows: Rows, sample: bool) -> Callable[..., Any]:
        """Lower the policy to NumPy, or compile it where NumPy has no counterpart."""
        obs, noise = self._example(rows), self._noise_shapes(rows) if sample else None
        structure, drawn = jax.tree.structure(obs), jax.tree.structure(noise)
        cut = len(self._weights)
        seen, native = cut + structure.num_leaves, to_native(self._action_space)

        def choose(*flat: Array) -> PyTree:
            pi = self._distribution(flat[:cut], structure.unflatten(flat[cut:seen]), rows)
            return pi.to_env(pi.push(drawn.unflatten(flat[seen:])) if sample else pi.mode())

        def act(*flat: Array) -> PyTree:
            return native(choose(*flat))

        inputs = [*jax.tree.leaves(obs), *[np.zeros(x.shape, x.dtype) for x in jax.tree.leaves(noise)]]
        self._require_actions(jax.eval_shape(choose, *self._weights, *inputs), rows)
        try:
            return lower(act, self._weights, inputs).bind(self._weights)
        except UnknownPrimitive:
            jitted, weights = jax.jit(act, compiler_options=compiler_options()), jax.device_put(self._weights)
            return lambda *inputs: jax.device_get(jitted(*weights, *inputs))

    def _require_actions(self, action: PyTree, rows: Rows) -> None:
        """Raise LogpiError unless the policy's own actions, before they are scaled, have the space's form."""
        if fault := form_fault(unscaled(self._action_space), action, () if rows is None else (rows,)):
            raise LogpiError(f"the policy's actions do not fit the action space: {fault}")

    def _noise(self, rows: Rows) -> Callable[[Seed], list[np.ndarray]]:
        """The function seed ↦ leaves of the noise for so many observations, made once."""
        if rows not in self._noises:
            self._noises[rows] = self._make_noise(rows)
        return self._noises[rows]

    def _make_noise(self, rows: Rows) -> Callable[[Seed], list[np.ndarray]]:
        obs = self._example(rows)
        by_key = jax.jit(lambda key: jax.tree.leaves(self._distribution(self._weights, obs, rows).noise(key)))
        pi = jax.eval_shape(lambda: self._distribution(self._weights, obs, rows))
        texts = numpy_sampler(pi)
        by_generator = None if texts is None else draws(texts, jax.tree.leaves(self._noise_shapes(rows)))

        def noise(seed: Seed) -> list[np.ndarray]:
            if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
                return jax.device_get(by_key(seed))
            generator = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(read_seed(seed))
            if by_generator is None:
                return jax.device_get(by_key(jr.key(generator.integers(2**31))))
            return by_generator(generator)

        return noise

    def _distribution(self, weights: Any, obs: PyTree, rows: Rows) -> Any:
        """π(·|obs), of one observation or of each of a batch."""
        policy = eqx.combine(self._treedef.unflatten(weights), self._static)
        return map_rows(policy, 0 if rows is None else 1, obs)

    def _example(self, rows: Rows) -> PyTree:
        """An observation, or a batch, of zeros."""
        zeros = empty(self._observation_space, rows or 1)()
        return tree_map(lambda x: jnp.asarray(x if rows else x[0]), zeros)

    def _noise_shapes(self, rows: Rows) -> PyTree:
        obs = self._example(rows)
        return jax.eval_shape(lambda: self._distribution(self._weights, obs, rows).noise(jr.key(0)))


def predictor_of(policy: PyTree, pair: SpacePair | None) -> Predictor:
    """Return the predictor of a policy that knows its spaces; it is made once and lives as long as the policy.

    It is kept beside the policy, not in it: a policy is a tree of arrays that is mapped, saved and sent.
    """
    predictor = _PREDICTORS.get(id(policy))
    if predictor is None:
        if pair is None:
            raise LogpiError(
                "this policy was made without spaces, so it does not know what an environment takes; allowed:"
                " logpi.Predictor(policy, observation_space, action_space)"
            )
        predictor = _PREDICTORS[id(policy)] = Predictor(policy, pair.observation, pair.action)
        weakref.finalize(policy, _PREDICTORS.pop, id(policy), None).atexit = False
    return predictor


_PREDICTORS: dict[int, Predictor] = {}


def require_one_observation(pair: SpacePair | None, obs: PyTree) -> None:
    """Raise LogpiError unless `obs` is one observation of the space that a policy was made for, where that is known.

    Only structure, shapes and dtypes are looked at, so that it costs nothing in a compiled program.
    """
    if pair is None:
        return
    given = np.asarray(obs) if isinstance(obs, bool | int | float) else obs
    if fault := form_fault(pair.observation, given):
        raise LogpiError(
            f"a policy is a function of one observation, an array of its space's shape: {fault}; allowed, too:"
            " policy.predict(obs) for a list or a batch, jax.vmap(policy)(batch)"
        )


def _to_env_dtype(leaf: LeafSpace) -> Callable[[Any], Any]:
    """Make the function that gives an action the space's own dtype, and refuses one that is not finite."""
    dtype, may_fail = np.dtype(leaf.dtype or np.float32), isinstance(leaf, spaces.Box)

    def convert(x: Any) -> Any:
        if may_fail and not np.isfinite(x).all():
            raise LogpiError(f"the policy's action is not finite: {x}; are its parameters?")
        return x.astype(dtype)[()]

    return convert
