"""Clips made of nothing: sprites that move before a background."""
