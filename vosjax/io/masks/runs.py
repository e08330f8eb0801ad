"""Encodes masks as COCO's run lengths, plain and compressed, and measures their boxes.

`shapes.expand_runs` and `shapes.uncompress` decode them. The strings are those of pycocotools
(T.-Y. Lin et al., "Microsoft COCO", arXiv 1405.0312; `rleToString` of its `maskApi`), which is not
needed here.
"""

import numpy as np


def run_lengths(mask: np.ndarray) -> list[int]:
    """Returns the lengths of a mask's runs, along columns; the first is of the background.

        run_lengths(np.array([[0, 1], [0, 1]], bool))       # [2, 2]

    Args:
        mask: bool [H, W].
    """
    flat = np.asarray(mask, bool).ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(ends, prepend=0, append=flat.size).tolist()
    return [0, *runs] if flat[:1].any() else runs


def compress(counts: list[int]) -> str:
    """Encodes run lengths as COCO's compressed string.

        compress([6, 1, 40, 4, 5])      # '61X13mN'

    Args:
        counts: the run lengths, the first of the background.
    """
    letters = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            group = value & 31
            value >>= 5
            # The fifth bit is the sign of what follows, so the last group has to carry it.
            more = value != (-1 if group & 16 else 0)
            letters.append(chr(ord("0") + group + (32 if more else 0)))
    return "".join(letters)


def encode(mask: np.ndarray) -> dict:
    """Encodes a mask as COCO's segmentation.

        encode(np.array([[0, 1], [0, 1]], bool))    # {'size': [2, 2], 'counts': '22'}

    Args:
        mask: bool [H, W].
    """
    return {"size": [int(side) for side in mask.shape], "counts": compress(run_lengths(mask))}


def bounding_box(mask: np.ndarray) -> list[int]:
    """Returns the box around a mask, [x, y, width, height] in pixels; all 0 for an empty one.

        bounding_box(np.array([[0, 1], [0, 1]], bool))      # [1, 0, 1, 2]

    Args:
        mask: bool [H, W].
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return [0, 0, 0, 0]
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]
