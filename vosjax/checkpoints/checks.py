"""Checks weights before they are used: their names, shapes and types, and that they are finite."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from vosjax.checkpoints.paths import flatten
from vosjax.errors import InputError

MOST = 10  # at most so many arrays of each kind are listed in an error
LONGEST = 200  # characters that are said of each

Form = tuple[Sequence[int], npt.DTypeLike]  # an array's shape and dtype


def is_floating(dtype: npt.DTypeLike) -> bool:
    """Returns whether a dtype is a floating-point one, which NumPy alone does not know of bfloat16.

    is_floating(np.float16)     # True
    """
    return np.dtype(dtype).kind == "f" or np.dtype(dtype) == ml_dtypes.bfloat16


def array_digest(array: npt.ArrayLike) -> str:
    """Returns the sha256 of an array's dtype, shape and values, in hexadecimal digits.

    array_digest(np.zeros(3)) == array_digest(np.zeros((3, 1)))     # False
    """
    array = np.asarray(array)
    total = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    total.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return total.hexdigest()


def listed(names: Iterable[str]) -> str:
    """Lists the first of several names, and says how many more there are.

    listed(["head/bias", "head/kernel"])        # 'head/bias, head/kernel'
    """
    names = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in names]
    rest = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + rest


def check_finite(flat: Mapping[str, np.ndarray], what: str) -> None:
    """Refuses weights that are not finite.

        check_finite({"head/bias": np.zeros(3)}, "weights/aot_r50/weights.safetensors")

    Args:
        flat: {path: array}, of any shapes and dtypes; only floating-point ones can be wrong.
        what: where they come from, for the message.

    Raises:
        InputError: arrays have NaN or infinite values; the message names these, with how many
            values of each.
    """
    wrong = []
    for path, array in flat.items():
        if not is_floating(array.dtype) or np.isfinite(array).all():
            continue
        nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
        counts = [f"{count:,} {kind}" for count, kind in ((nan, "NaN"), (infinite, "infinite"))]
        held = " and ".join(text for text, count in zip(counts, (nan, infinite)) if count)
        wrong.append(f"array {path!r} holds {held} of {array.size:,} values")
    if wrong:
        raise InputError(
            f"{what}: {listed(wrong)}; weights have to be finite numbers, so take another "
            "checkpoint or train again"
        )


def narrowed(flat: Mapping[str, np.ndarray], dtype: npt.DTypeLike) -> dict[str, np.ndarray]:
    """Converts finite floating-point weights to another dtype; integers and booleans are kept.

        half = narrowed(flatten(params), np.float16)

    Args:
        flat: {path: array}, of any shapes and dtypes.
        dtype: a floating-point dtype.

    Raises:
        InputError: arrays have values that are too large for the dtype; the message names them.
    """
    cast = {}
    with np.errstate(over="ignore"):  # the check below names arrays that overflow
        for path, array in flat.items():
            cast[path] = np.asarray(array, dtype) if is_floating(array.dtype) else array
    wrong = []
    for path, array in cast.items():
        lost = 0
        if is_floating(array.dtype) and array.dtype.itemsize < flat[path].dtype.itemsize:
            lost = int(np.sum(~np.isfinite(array)))
        if lost:
            largest = float(np.abs(flat[path].astype(np.float64)).max())
            wrong.append(f"{path} ({lost:,} of {array.size:,} values, up to {largest:.3g})")
    if wrong:
        raise InputError(f"weights that {np.dtype(dtype)} cannot hold: {listed(wrong)}")
    return cast


def check_params(params: Mapping[str, Any], expected: Mapping[str, Form]) -> None:
    """Checks that all arrays of a network are there with their shapes, and no other arrays.

        check_params(params, {"head/bias": ((3,), np.float32)})

    Args:
        params: nested dicts of arrays, or a flat dict with '/'-joined paths.
        expected: {path: (shape, dtype)}. A floating-point dtype may differ from the expected one,
            as readers widen half-precision files; integers and booleans have to agree.

    Raises:
        InputError: arrays are missing, not expected, or of another shape or type; the message names
            all of them.
    """
    flat = params if any("/" in name for name in params) else flatten(params)
    complain(
        "the weights do not fit the network",
        {path: (np.shape(array), array.dtype) for path, array in flat.items()},
        expected,
    )


def complain(
    what: str,
    actual: Mapping[str, Form],
    expected: Mapping[str, Form],
    *,
    notes: Iterable[tuple[str, list[str]]] = (),
) -> None:
    """Raises InputError with all differences between two {path: (shape, dtype)}, if there are any.

        complain("wrong weights", {"bias": ((3,), np.int32)}, {"bias": ((3,), np.float32)})

    Args:
        what: beginning of the message.
        actual: the arrays that exist.
        expected: the arrays that should exist.
        notes: further complaints, as (kind, [names]).
    """
    misshapen = [
        f"{path} ({_form(*actual[path])} instead of {_form(*expected[path])})"
        for path in sorted(actual.keys() & expected.keys())
        if not fits(actual[path], expected[path])
    ]
    sorts = [
        ("missing", sorted(expected.keys() - actual.keys())),
        ("not expected", sorted(actual.keys() - expected.keys())),
        ("of another shape or type", misshapen),
        *notes,
    ]
    parts = [f"{len(names)} {sort}: {listed(names)}" for sort, names in sorts if names]
    if parts:
        raise InputError(
            f"{what}: {'; '.join(parts)}. Use the config that the weights were made with"
        )


def fits(actual: Form, expected: Form) -> bool:
    """Returns whether a (shape, dtype) can replace another: shapes agree, and dtypes or both float.

    fits(((3,), np.float16), ((3,), np.float32))        # True
    """
    (shape, dtype), (expected_shape, expected_dtype) = actual, expected
    if tuple(shape) != tuple(expected_shape):
        return False
    return np.dtype(dtype) == np.dtype(expected_dtype) or (
        is_floating(dtype) and is_floating(expected_dtype)
    )


def _form(shape: Sequence[int], dtype: npt.DTypeLike) -> str:
    return f"{np.dtype(dtype)} {list(shape)}"
