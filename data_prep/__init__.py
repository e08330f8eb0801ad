"""Datasets as people download them, turned into TFDS datasets: one builder a dataset."""
