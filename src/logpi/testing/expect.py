"""Elementary conditions that all checks share."""

import jax
import numpy as np
from jaxtyping import ArrayLike, PyTree

from logpi.errors import LogpiError


def require(holds: object, wrong: str, remedy: str) -> None:
    """Raise LogpiError with the fault and the remedy unless the condition holds."""
    if not holds:
        raise LogpiError(f"{wrong}: {remedy}")


def offers(part: object, names: tuple[str, ...], what: str) -> None:
    """Require that every name is a method of the part."""
    missing = [name for name in names if not callable(getattr(part, name, None))]
    require(not missing, f"the {what} {type(part).__name__} has no {', '.join(missing)}", "add the missing methods")


def kinds(tree: PyTree) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of each array or scalar in a tree, by path."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    kind = lambda x: (tuple(x.shape), str(x.dtype)) if hasattr(x, "dtype") else (np.shape(x), str(np.result_type(x)))
    return {jax.tree_util.keystr(path): kind(x) for path, x in leaves if hasattr(x, "dtype") or np.isscalar(x)}


def same_kind(got: PyTree, wanted: PyTree, what: str, remedy: str) -> None:
    """Require that two trees have the same structure, shapes and dtypes."""
    one, other = kinds(got), kinds(wanted)
    different = [path for path in (*other, *one) if one.get(path) != other.get(path)]
    where = different[0] if different else ""
    text = lambda kind: "nothing" if kind is None else f"{kind[1]}{list(kind[0])}"
    wrong = f"{what}{where} is {text(one.get(where))} where {text(other.get(where))} was expected"
    require(not different, wrong, remedy)


def close(one: PyTree, other: PyTree, tolerance: float = 1e-4) -> bool:
    """Test two trees for equal numbers, within `tolerance` · (1 + |b|)."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) for a, b in pairs)


def within(samples: ArrayLike, truth: ArrayLike, errors: float = 4.0) -> bool:
    """Test that the mean of samples [n, ...] equals `truth` within `errors` standard errors plus float32 rounding."""
    x = np.asarray(samples, np.float64)
    slack = errors * x.std(axis=0) / np.sqrt(len(x)) + 1e-5 * (1 + np.abs(x).max(axis=0))
    return bool(np.all(np.abs(x.mean(axis=0) - np.asarray(truth, np.float64)) <= slack))
