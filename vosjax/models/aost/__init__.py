"""AOST: one set of weights that runs at any depth (Yang et al., arXiv 2203.11442)."""
