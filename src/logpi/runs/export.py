"""A trained policy as one file that acts with NumPy alone."""

import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, PyTree

from logpi.core.numpy_trees import tree_map
from logpi.distributions.protocol import numpy_sampler
from logpi.errors import LogpiError
from logpi.numpy_policy import source
from logpi.numpy_policy.lower import lower
from logpi.numpy_policy.primitives import UnknownPrimitive
from logpi.numpy_policy.program import Program, format_tree
from logpi.policies.compatibility import require_spaces
from logpi.policies.memory import is_recurrent
from logpi.runs import configuration
from logpi.runs.files import read_bytes, replace_file
from logpi.runs.run import Run
from logpi.spaces.actions import to_native
from logpi.spaces.tree import buffer_dtype, empty, leaf_spaces, map_leaves

MARK = '"""A policy exported by logpi'


def export(run: Run | PyTree, path: str | Path, *, spaces: tuple[spaces.Space, spaces.Space] | None = None) -> Path:
    """Write a policy as a Python module that acts with NumPy alone: `from policy import act`; `act(obs)`.

    - `run`: a `Run`, as `train` and `load` return, or a policy.
    - `path`: the file, `….py`. An existing file is replaced only if it is an exported policy.
    - `spaces`: the spaces of observations and actions; needed with a policy.

    `act(obs)` takes one raw observation and returns the mode of π(·|obs), in the environment's own units and within
    its bounds; `act(obs, rng)` a sample, by a NumPy generator. Of a policy that remembers, `act(obs, memory)` returns
    (action, memory), and an episode begins with the memory `initial()`. The code is the policy's own computation, a
    line an operation, and the weights are in it. Raises LogpiError for a policy that is not made of what NumPy has, as
    one that sees pictures, and for a path that cannot be written.

        >>> import jax, logpi, runpy, tempfile
        >>> from gymnasium import spaces
        >>> seen, acted = spaces.Box(-1, 1, (3,)), spaces.Box(-2, 2, (1,))
        >>> policy = logpi.mlp_policy(seen, acted, key=jax.random.key(0))
        >>> path = logpi.export(policy, f"{tempfile.mkdtemp()}/policy.py", spaces=(seen, acted))
        >>> runpy.run_path(str(path))["act"]([0.1, 0.2, 0.3]).shape
        (1,)
    """
    path = Path(path)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise LogpiError(f"a policy is exported to a Python module, and {path.name} names none; allowed: as policy.py")
    try:
        if os.path.lexists(path) and not read_bytes(path).startswith(MARK.encode()):
            raise LogpiError(f"{path} exists and was not exported by logpi; name another file, or remove it")
        replace_file(path, _text(run, spaces).encode())
    except OSError as error:
        raise LogpiError(f"{path} cannot be written: {error.strerror}") from None
    return path


def _text(run: Run | PyTree, given: tuple[spaces.Space, spaces.Space] | None) -> str:
    if isinstance(run, Run):
        config = configuration.read(run.directory)
        seen, acted = configuration.trained_spaces(config)
        about = f", trained on {config['environment']} by {config['algorithm']}, seed {config['seed']}"
        return module(run.policy, seen, acted, about)
    if given is None:
        raise LogpiError("a policy knows no spaces: export(policy, path, spaces=(observation_space, action_space))")
    require_spaces(run, *given, "an environment of these spaces")
    return module(run, *given)


def module(policy: PyTree, observation_space: spaces.Space, action_space: spaces.Space, about: str = "") -> str:
    """Return the source of a policy's module. Raises LogpiError for an operation that is not available in NumPy."""
    obs = tree_map(lambda x: jnp.asarray(x[0]), empty(observation_space, 1)())
    arrays, static = eqx.partition(policy, eqx.is_array)
    paths = [jax.tree_util.keystr(path).lstrip(".") for path, _ in jax.tree_util.tree_flatten_with_path(arrays)[0]]
    flat, treedef = jax.tree.flatten(arrays)
    bound = lambda weights: eqx.combine(treedef.unflatten(weights), static)
    try:
        program, pi, noise = _lowered(bound, flat, obs, to_native(action_space))
    except UnknownPrimitive as lacking:
        raise LogpiError(
            f"the policy uses {lacking}, which logpi does not write in NumPy: it cannot be exported"
        ) from None
    cast = map_leaves(action_space, lambda leaf: lambda name: f"{name}.astype('{leaf.dtype}')")
    mode, sample, *after = (format_tree(part) for part in (*map(cast, program.outputs[:2]), *program.outputs[2:]))
    seen = list(leaf_spaces(observation_space))
    given = [f"np.asarray(obs{path}, '{buffer_dtype(leaf)}').reshape({leaf.shape})" for path, leaf in seen]
    drawn = numpy_sampler(pi)
    draws = None if drawn is None else source.noise_expressions(drawn, noise)
    if is_recurrent(policy):
        first = [np.asarray(h) for h in jax.tree.leaves(policy.initial())]
        given += [f"np.asarray(memory[{i}], '{h.dtype}').reshape({h.shape})" for i, h in enumerate(first)]
        body = source.act(program, given, draws, f"({mode}, {after[0]})", f"({sample}, {after[0]})", "obs, memory")
        body = source.initial(first) + "\n\n" + body
    else:
        body = source.act(program, given, draws, mode, sample)
    head = _head(about, seen, list(leaf_spaces(action_space)), is_recurrent(policy))
    return head + source.imports(body) + "\n\n" + body + source.constants(program, flat, body, paths)


def _lowered(
    bound: Callable[..., PyTree], weights: list[Any], obs: PyTree, native: Callable[..., PyTree]
) -> tuple[Program, Any, list[Any]]:
    """Lower the policy: its program; π as shapes; shapes of its noise.

    The program is (weights, observation, noise) ↦ (mode, sample); of a policy that remembers
    (weights, observation, memory, noise) ↦ (mode, sample, the next memory's leaves).
    """
    policy = bound(weights)
    given = (obs, policy.initial()) if is_recurrent(policy) else (obs,)
    structure, cut = jax.tree.structure(given), len(weights)

    def answer(weights: Any, given: tuple[PyTree, ...]) -> tuple[Any, ...]:
        here = bound(weights)(*given)
        return (here[0], tuple(jax.tree.leaves(here[1]))) if is_recurrent(policy) else (here,)

    pi = eqx.filter_eval_shape(answer, weights, given)[0]
    noise, drawn = jax.tree.flatten(jax.eval_shape(lambda: answer(weights, given)[0].noise(jr.key(0))))
    seen = cut + structure.num_leaves

    def both(*flat: Array) -> tuple[Any, ...]:
        here, *after = answer(flat[:cut], structure.unflatten(flat[cut:seen]))
        mode, sample = here.mode(), here.push(drawn.unflatten(flat[seen:]))
        return native(here.to_env(mode)), native(here.to_env(sample)), *after

    zeros = [np.zeros(x.shape, x.dtype) for x in noise]
    return lower(both, weights, [*map(np.asarray, jax.tree.leaves(given)), *zeros]), pi, noise


def _head(about: str, seen: list[Any], acted: list[Any], remembers: bool) -> str:
    """Return the module's docstring; quotes and backslashes in names from a directory cannot end it."""
    kinds = lambda what, leaves: [f"{what}{path}: {leaf.dtype} {leaf.shape}" for path, leaf in leaves]
    calls = [
        "    action = act(obs)                            # the mode of the policy",
        "    action = act(obs, np.random.default_rng(0))  # a sample of it",
    ]
    calls_with_memory = [
        "    memory = initial()                                           # when an episode begins",
        "    action, memory = act(obs, memory)                            # the mode of the policy",
        "    action, memory = act(obs, memory, np.random.default_rng(0))  # a sample of it",
    ]
    lines = [
        f"A policy exported by logpi {metadata.version('logpi')}{about}.",
        "",
        *(calls_with_memory if remembers else calls),
        "",
        *kinds("obs", seen),
        *kinds("action", acted),
    ]
    text = "\n".join(lines).replace("\\", "/").replace('"', "'")
    return f'"""{text}\n"""\n\n'
