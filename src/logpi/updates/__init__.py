"""Updates: (objective, θ, batch) → θ′."""
