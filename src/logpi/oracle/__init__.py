"""Exact answers on small problems: what every estimator is held against."""
