"""A reference's state dict as weights of ours: strict, so that nothing is lost without a word."""

import re
from collections.abc import Mapping

import numpy as np

from vosjax.checkpoints.checks import Form, check_finite, complain
from vosjax.names import Names


def convert(
    state: Mapping[str, np.ndarray], names: Names, *, expected: Mapping[str, Form] | None = None
) -> dict[str, np.ndarray]:
    """Renames every tensor of a checkpoint and lays it out as ours.

        from vosjax.names import Name, same
        names = Names((Name("head/bias", "fc.bias", same),))
        flat = convert({"fc.bias": np.zeros(3)}, names)     # {"head/bias": ...}

    Args:
        state: {reference's key: array}, see `wrappers.state_dict`.
        names: where each weight of ours stands, and which other keys may be there.
        expected: {path: (shape, dtype)} of the network's weights, to be checked as well.

    Returns:
        {path: contiguous array}, flat; `paths.nest` makes params of it.

    Raises:
        InputError: names every key that is missing, not expected or of a wrong rank, and with
            `expected` every weight of another shape, all in one error; or every weight that is
            NaN or infinite.
    """
    ignored = [re.compile(pattern) for pattern in names.ignored]
    used = {entry.key for entry in names.entries}
    laid, misshapen = {}, []
    for path, key, layout in names.entries:
        if key not in state:
            continue
        try:
            laid[path] = layout(state[key])  # a view: nothing is copied before shapes are compared
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
        # Those that are missing above have been named; what is left differs by shape or is unknown.
        actual = {f"{keys[p]} as {p}": (a.shape, a.dtype) for p, a in laid.items()}
        fitting = {f"{keys[p]} as {p}": expected[p] for p in laid if p in expected}
    complain("the checkpoint does not fit the network", actual, fitting, notes=notes)
    flat = {path: np.asarray(array, order="C") for path, array in laid.items()}
    check_finite(flat, "the checkpoint")
    return flat
