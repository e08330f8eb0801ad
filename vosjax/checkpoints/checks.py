"""What is checked of weights before they are used: names, shapes, and that they are numbers."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from vosjax.checkpoints.paths import flatten
from vosjax.errors import InputError

MOST = 10  # arrays that an error lists of each sort
LONGEST = 200  # characters of what is said of each

Form = tuple[Sequence[int], npt.DTypeLike]  # an array's shape and dtype


def is_floating(dtype: npt.DTypeLike) -> bool:
    """Whether a dtype is a floating one; bfloat16 is, which NumPy alone does not know.

    is_floating(np.float16)     # True
    """
    return np.dtype(dtype).kind == "f" or np.dtype(dtype) == ml_dtypes.bfloat16


def array_digest(array: npt.ArrayLike) -> str:
    """The sha256 of an array's dtype, shape and values, in hexadecimal digits.

    array_digest(np.zeros(3)) == array_digest(np.zeros((3, 1)))     # False
    """
    array = np.asarray(array)
    total = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    total.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return total.hexdigest()


def listed(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are.

    listed(["head/bias", "head/kernel"])        # 'head/bias, head/kernel'
    """
    names = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in names]
    rest = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + rest


def check_finite(flat: Mapping[str, np.ndarray], what: str) -> None:
    """Refuses weights that are no numbers.

        check_finite({"head/bias": np.zeros(3)}, "weights/aot_r50/weights.safetensors")

    Args:
        flat: {path: array}, of any shapes and dtypes; only floating ones can be wrong.
        what: where they come from, for the message.

    Raises:
        InputError: names every array that holds NaN or infinite values, with how many of each.
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
    """Finite floating weights in another dtype, integers and booleans as they are.

        half = narrowed(flatten(params), np.float16)

    Args:
        flat: {path: array}, of any shapes and dtypes.
        dtype: a floating one.

    Raises:
        InputError: names every array with values beyond what the dtype can hold.
    """
    cast = {}
    with np.errstate(over="ignore"):  # named below
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
    """Checks that there are all of a network's arrays, in their shapes, and no others.

        check_params(params, {"head/bias": ((3,), np.float32)})

    Args:
        params: nested dicts of arrays, or flat ones with '/'-joined paths.
        expected: {path: (shape, dtype)}. Any floating dtype will do for another, as half-precision
            files are widened by their reader; integers and booleans have to agree.

    Raises:
        InputError: names every array that is missing, not expected, or of another shape or type.
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
    """Raises InputError with all differences of two {path: (shape, dtype)}; nothing if none.

        complain("wrong weights", {"bias": ((3,), np.int32)}, {"bias": ((3,), np.float32)})

    Args:
        what: the message's beginning.
        actual: of the arrays that there are.
        expected: of those that there should be.
        notes: further complaints, as (sort, [names]).
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
    """Whether (shape, dtype) will do for another: one shape, and one dtype or two floating ones.

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
