"""Benchmarks that anyone can repeat.

baselines   J and F of two methods without a network, which show how hard a dataset is
boundary    what boundary refinement adds to a network's frame
clips       the input pipeline
compiled    a network's frame on a chip that is not there
cost        operations and activations of a traced function
directions  tracking from one or from both sides between two given frames
plan        a training on a machine that is not there
engine      the offline engine: what each of its parts gains
marking     what boxes and clicks give, beside methods without a network
refinement  what every stage of refinement is worth: J, F and the time of a frame
scoring     the scoring of label maps
serving     sessions of a server, batched beside one by one
studio      J after corrections in the studio, beside segmenting anew
training    input pipeline and training step side by side
"""
