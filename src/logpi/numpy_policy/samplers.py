"""How NumPy draws a distribution's noise."""

from typing import Any

import jax

from logpi.distributions.bernoulli import Bernoulli
from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.independent import Independent
from logpi.distributions.product import Product
from logpi.distributions.reshaped import Reshaped
from logpi.distributions.squashed import Squashed

DRAWS = {
    Gaussian: "standard_normal({0})",
    Categorical: "gumbel(size={0})",
    Bernoulli: "logistic(size={0})",
}
INSIDE = {Independent: "each", Reshaped: "vector", Squashed: "gaussian"}


def numpy_sampler(pi: Any) -> list[str] | None:
    """The method of a NumPy generator, with `{0}` for the shape, that draws each leaf of π's noise.

    None where π is, or holds, a distribution that is not one of logpi's.
    """
    kind = type(pi)
    if kind in DRAWS:
        return [DRAWS[kind]]
    if kind in INSIDE:
        return numpy_sampler(getattr(pi, INSIDE[kind]))
    if kind is not Product:
        return None
    parts = [numpy_sampler(part) for part in jax.tree.leaves(pi.parts, is_leaf=lambda x: hasattr(x, "noise"))]
    return None if None in parts else [one for part in parts for one in part or []]
