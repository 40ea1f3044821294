"""‖Δθ‖ ≤ ε against KL ≤ δ on one policy: how far steps of one length, and of one divergence, go.

    python benchmarks/norm_and_kl.py [--out docs/figures/norm-and-kl.png]

A softmax over two actions with logits (z, 0), so that the second is taken with probability p = 1 / (1 + eᶻ). A step
along ∇log π of the second action is made once with ‖Δθ‖ = 0.3, once with KL(π_old‖π) ≈ 0.01 (the natural gradient's).
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import logpi

LENGTH, MAX_KL = 0.3, 0.01
ALONG = jnp.array([-1.0, 1.0]) / jnp.sqrt(2.0)  # ∇log π of the second action has this direction wherever θ is


def kl_of_step(z: jax.Array, length: jax.Array) -> jax.Array:
    """KL(π_old‖π) of a step of this length from the logits (z, 0)."""
    theta = jnp.stack([z, jnp.zeros_like(z)])
    return logpi.Categorical(theta).kl(logpi.Categorical(theta + length * ALONG))


def natural_length(z: jax.Array) -> jax.Array:
    """Length of the step whose KL is MAX_KL to second order: ½ Δᵀ F Δ, with F = p (1 − p) (1, −1)(1, −1)ᵀ."""
    p = jax.nn.sigmoid(-z)
    return jnp.sqrt(2 * MAX_KL / (2 * p * (1 - p)))


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures" / "norm-and-kl.png")
    out = parser.parse_args().out
    z = jnp.linspace(0.0, 9.0, 181)
    p = np.asarray(jax.nn.sigmoid(-z))
    lengths = {"‖Δθ‖ = 0.3": jnp.full_like(z, LENGTH), "KL ≈ 0.01, natural gradient": jax.vmap(natural_length)(z)}
    kls = {name: np.asarray(jax.vmap(kl_of_step)(z, length)) for name, length in lengths.items()}
    for i in (0, 60, 120, 180):
        row = "   ".join(f"{name}: length {float(lengths[name][i]):.3g}, KL {kls[name][i]:.2g}" for name in lengths)
        print(f"p = {p[i]:.2g}   {row}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for name in lengths:
        left.loglog(p, kls[name], label=name)
        right.loglog(p, lengths[name], label=name)
    for axes, label in ((left, "KL(π_old‖π) of the step, nats"), (right, "length ‖Δθ‖ of the step")):
        axes.set(xlabel="probability p of the action that becomes likelier", ylabel=label)
        axes.grid(alpha=0.3)
    left.legend()
    figure.savefig(out, dpi=130)


if __name__ == "__main__":
    main()
