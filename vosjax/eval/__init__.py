"""Evaluation: metrics, the rules of datasets, submissions, and the run over a whole dataset."""
