"""Layers that several networks share: attention, convolutions, norms, resizing, residual blocks."""
