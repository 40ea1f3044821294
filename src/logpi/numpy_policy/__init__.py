"""Policies in NumPy: a compiler from a policy's jaxpr to lines of NumPy, for acting on the host and for export.

Enters: a behavior policy μ with examples of observations and noise. Leaves: a `Program`, plain data that processes
without JAX can bind to weights and run; or the text of a Python module that needs NumPy alone.
A jitted call costs 140–300 µs, the same forward pass of a small network in NumPy about 15 µs.

Read first: `lower.lower` (jaxpr to lines), `program.Program`, `blocks.Blocks` (rows that are evaluated together).

Glossary: weights, the arrays of μ; bind, to evaluate the lines that depend on weights alone, once per rollout; block,
the fixed number of rows that an actor evaluates together; primitive, an operation of a jaxpr.
"""
