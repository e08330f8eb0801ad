"""Weights on disk: the project's own format, and published PyTorch files."""
