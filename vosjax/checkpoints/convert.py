"""Converts a reference's state dict to weights of ours, strictly, so that nothing is lost."""

import re
from collections.abc import Mapping

import numpy as np

from vosjax.checkpoints.checks import Form, check_finite, complain
from vosjax.names import Names


def convert(
    state: Mapping[str, np.ndarray], names: Names, *, expected: Mapping[str, Form] | None = None
) -> dict[str, np.ndarray]:
    """Renames every tensor of a checkpoint, and converts it to our layout.

        from vosjax.names import Name, same
        names = Names((Name("head/bias", "fc.bias", same),))
        flat = convert({"fc.bias": np.zeros(3)}, names)     # {"head/bias": ...}

    Args:
        state: {reference's key: array}, see `wrappers.state_dict`.
        names: the reference's key for each of our weights, and other keys that are allowed.
        expected: {path: (shape, dtype)} of the network's weights, which are then checked, too.

    Returns:
        {path: contiguous array}, flat; `paths.nest` turns it into params.

    Raises:
        InputError: keys are missing, not expected or of a wrong rank or, with `expected`, weights
            have another shape (all are named in one error); or weights are NaN or infinite.
    """
    ignored = [re.compile(pattern) for pattern in names.ignored]
    used = {entry.key for entry in names.entries}
    laid, misshapen = {}, []
    for path, key, layout in names.entries:
        if key not in state:
            continue
        try:
            laid[path] = layout(state[key])  # a view: shapes are compared before copying
        except (ValueError, IndexError) as error:
            misshapen.append(f"{key} {list(state[key].shape)} ({error})")
    missing = sorted(used - state.keys())
    extra = sorted(
        key for key in state.keys() - used if not any(pattern.fullmatch(key) for pattern in ignored)
    )
    keys = {entry.path: entry.key for entry in names.entries}
    notes = [("missing", missing), ("not expected", extra), ("of a wrong rank", misshapen)]
    actual, fitting = {}, {}
    if expected is not None:
        if unnamed := sorted(expected.keys() - keys.keys()):
            notes.append(("without a name in the checkpoint", unnamed))
        # Missing keys have been named above; what remains differs in shape or is unknown.
        actual = {f"{keys[p]} as {p}": (a.shape, a.dtype) for p, a in laid.items()}
        fitting = {f"{keys[p]} as {p}": expected[p] for p in laid if p in expected}
    complain("the checkpoint does not fit the network", actual, fitting, notes=notes)
    flat = {path: np.asarray(array, order="C") for path, array in laid.items()}
    check_finite(flat, "the checkpoint")
    return flat
