"""The laboratory: bias, variance and cost of every estimator of ∇J, on the same batches."""
