"""Objectives: scalars whose gradient at θ_old is the policy gradient. One formula, one file."""
