"""A policy and what it answered at a batch's observations, so that several terms of an objective ask it once."""

import inspect
from typing import Any

import jax
from jaxtyping import PyTree

from logpi.policies.evaluate import map_rows
from logpi.types import Batch


@jax.tree_util.register_pytree_node_class
class Evaluated:
    """Parameters, and what they gave at every row of `obs`; in all else it is the parameters.

    Where each term of a sum evaluates the policy, the compiler joins the passes forward but not those back, and a
    gradient costs a whole pass back for each term. Whatever takes it apart as a PyTree gets the parameters alone.
    """

    def __init__(self, params: PyTree, obs: PyTree, answer: PyTree):
        """`answer` is what `params` give at `obs`."""
        self.params, self.obs, self.answer = params, obs, answer

    def __call__(self, obs: PyTree) -> PyTree:
        """What the parameters give at other observations."""
        return self.params(obs)

    def __getattr__(self, name: str) -> Any:
        """A part of the parameters, such as `critic`."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.params, name)

    def tree_flatten(self) -> tuple[tuple[PyTree], None]:
        """The parameters alone."""
        return (self.params,), None

    @classmethod
    def tree_unflatten(cls, aux: None, children: tuple[PyTree]) -> PyTree:
        """The parameters, changed maybe: what was answered before no longer holds."""
        return children[0]


def evaluated(params: PyTree, batch: Batch) -> PyTree:
    """The parameters together with what they give at the batch's observations, if they do not have it yet.

    What asks for more than observations, such as Q(s, a), is left as it is.
    """
    if (isinstance(params, Evaluated) and params.obs is batch.obs) or len(inspect.signature(params).parameters) != 1:
        return params
    return Evaluated(params, batch.obs, at_rows(params, batch))


def at_rows(function: PyTree, batch: Batch) -> PyTree:
    """A policy or critic evaluated at every observation of a batch, however many leading axes it has."""
    if isinstance(function, Evaluated) and function.obs is batch.obs:
        return function.answer
    return map_rows(function, batch.valid.ndim, batch.obs)
