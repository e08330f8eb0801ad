"""A video's way through a network: the step, the tracker, whole videos."""
