"""Datasets as people download them, turned into TFDS datasets: one builder a dataset.

Imports `vosjax.datasets`, `vosjax.io` and `vosjax.errors`, which read files, and no network.
"""
