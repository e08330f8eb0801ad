"""Training: from clips to averaged weights.

config, build      the settings, and what they ask for: model, optimizer, step
start              initial weights
losses, schedule, optimizer, ema, accumulate, step   one training step
state, checkpoint  what is carried from step to step, and how it is stored
loop               the run: stages, steps, figures, validation, checkpoints
device, processes  how arrays lie on devices, and what several processes agree on
log, disk, validate                      its figures, its folder, its validation
export             weights with a card, for use
"""
