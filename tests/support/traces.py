"""Reads the traces that a profile leaves in a run's folder."""

import warnings

from jax.profiler import ProfileData


def traces(folder):
    """The traces in a run's folder, where TensorBoard's profile plugin looks for them."""
    return sorted(folder.glob("tensorboard/plugins/profile/*/*.xplane.pb"))


def numbers(trace, what):
    """The numbers of the steps or frames in a trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of jaxlib's own types, in Python 3.13
        data = ProfileData.from_file(str(trace))
        events = [event for plane in data.planes for line in plane.lines for event in line.events]
        return sorted(dict(event.stats)["step_num"] for event in events if event.name == what)
