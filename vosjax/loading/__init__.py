"""Loads networks with their weights: one network, or the members of an ensemble as one."""
