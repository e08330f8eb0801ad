"""Benchmarks that anyone can repeat.

baselines   J and F of two methods without a network, which show how hard a dataset is
clips       the input pipeline
cost        operations and activations of a traced function
directions  tracking from one or from both sides between two given frames
engine      the offline engine: what each of its parts gains
scoring     the scoring of label maps
training    input pipeline and training step side by side
"""
