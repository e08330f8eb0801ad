"""Training: losses, schedules, EMA, optimizer, one step, checkpoints and the loop."""
