"""Scores of small and of large objects apart, as COCO gives them.

Areas are pixels of the ground truth in a frame whose short side is scaled to 480 pixels, so that
datasets of different sizes compare. COCO's bounds are 32x32 and 96x96; here they are finer below,
where networks that see a sixteenth of a frame lose most.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

SHORT_SIDE = 480
COLUMNS = ("J&F-Mean", "J-Mean", "F-Mean")


class Bin(NamedTuple):
    """Objects from one area up to, but not including, another.

    name   of the bin
    words  what it holds, for tables
    below  area in pixels from which on objects belong to the next bin
    """

    name: str
    words: str
    below: float


BINS = (
    Bin("tiny", "below 16x16", 16**2),
    Bin("small", "16x16 to 32x32", 32**2),
    Bin("medium", "32x32 to 64x64", 64**2),
    Bin("large", "64x64 and above", float("inf")),
)


def scaled_area(mask: npt.NDArray[np.bool_]) -> float:
    """Returns the pixels in a mask, bool [H, W], scaled to a frame whose short side has 480 pixels.

    scaled_area(np.ones((240, 10), bool))       # 2400 * (480 / 10)²
    """
    return float(np.count_nonzero(mask)) * (SHORT_SIDE / min(mask.shape)) ** 2


def median_area(areas: npt.ArrayLike) -> float | None:
    """Returns the median of the areas above 0, or None where there are none.

        median_area([0.0, 100.0, 300.0])        # 200.0

    Args:
        areas: float [T], of an object in its scored frames; 0 where it is hidden.
    """
    seen = [area for area in np.asarray(areas, dtype=np.float64).tolist() if area > 0]
    return float(np.median(seen)) if seen else None


def by_area(sequences: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Averages scores over the objects of each bin of areas.

        by_area(result["sequences"])["small"]["J-Mean"]     # 0..1

    Args:
        sequences: {name: result of a protocol}, whose objects have an "area", see `protocols`.

    Returns:
        {bin: {"objects": how many, "J&F-Mean", "J-Mean", "F-Mean"}} for the bins of `BINS` that
        hold an object, in this order. Objects without an area count nowhere: those that the truth
        shows in no scored frame, and those of results by earlier versions, which stored none.
    """
    bins: dict[str, list[Mapping[str, Any]]] = {bin.name: [] for bin in BINS}
    for sequence in sequences.values():
        for row in sequence["objects"].values():
            if row.get("area") is not None:
                bins[next(bin.name for bin in BINS if row["area"] < bin.below)].append(row)
    return {
        name: {
            "objects": len(rows),
            **{column: sum(row[column] for row in rows) / len(rows) for column in COLUMNS},
        }
        for name, rows in bins.items()
        if rows
    }


def worded(bins: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Words the bins for the rows of a table; {} where all objects are of one bin.

        worded(by_area(result["sequences"]))["small"]   # small (16x16 to 32x32, 12 objects)

    Args:
        bins: of `by_area`.
    """
    if len(bins) < 2:
        return {}
    counted = {bin: bins[bin.name]["objects"] for bin in BINS if bin.name in bins}
    return {
        bin.name: f"{bin.name} ({bin.words}, {count} object{'s' if count > 1 else ''})"
        for bin, count in counted.items()
    }


def table(bins: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Puts the scores by area in lines of text; none where all objects are of one bin.

        say(*table(by_area(result["sequences"])))
        # small (16x16 to 32x32, 12 objects)  J-Mean 0.412  F-Mean 0.530

    Args:
        bins: of `by_area`.
    """
    words = worded(bins)
    width = max(map(len, words.values()), default=0)
    return [
        f"{text:<{width}}  J-Mean {bins[name]['J-Mean']:.3f}  F-Mean {bins[name]['F-Mean']:.3f}"
        for name, text in words.items()
    ]
