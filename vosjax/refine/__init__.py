"""Stages that refine the probabilities of a frame after the network that tracks."""
