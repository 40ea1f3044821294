"""Environments, on the device and on the host: what answers to actions."""
