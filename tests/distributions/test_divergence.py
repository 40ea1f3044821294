"""The two directions of KL, on distributions where they are far apart."""

import jax.numpy as jnp
import numpy as np

from logpi.distributions.categorical import Categorical
from logpi.distributions.divergence import forward, reverse

OLD, NEW = np.array([0.5, 0.5]), np.array([0.9, 0.1])


def test_forward_averages_under_the_old_policy_and_reverse_under_the_new():
    old, new = (Categorical(jnp.log(jnp.asarray(p, jnp.float32))) for p in (OLD, NEW))
    np.testing.assert_allclose(forward(old, new), OLD @ np.log(OLD / NEW), rtol=1e-5)
    np.testing.assert_allclose(reverse(old, new), NEW @ np.log(NEW / OLD), rtol=1e-5)
