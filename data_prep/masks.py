"""Masks of every source as label maps: COCO's run lengths and polygons, palette PNG, renumbering.

Run lengths and polygons are COCO's own (`pycocotools`), whose rasteriser is the one that the
references were trained on.
"""

import io
import types
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from data_prep.pictures import LabelMap, Size
from vosjax.errors import InputError
from vosjax.io.palette import DAVIS

Mask = npt.NDArray[np.bool_]  # [H, W]


def coco() -> types.ModuleType:
    """The module `pycocotools.mask`; builders ask for it before they begin.

    Raises:
        InputError: it is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise InputError(
            "the masks of COCO, YouTube-VIS and OVIS need pycocotools, which is not installed: "
            "install the extra 'data' (pip install 'vosjax[data]') or pycocotools itself"
        ) from error
    module: types.ModuleType = mask
    return module


def from_rle(counts: str | bytes | Sequence[int], size: Size) -> Mask:
    """A mask bool [H, W] of run lengths in column order, off first.

        from_rle([6, 1, 5], (3, 4))  # one pixel

    Args:
        counts: the run lengths, or COCO's compressed string of them.
        size: (H, W).

    Raises:
        InputError: they do not add up to H * W, or one is negative.
    """
    height, width = size
    pixels, module = height * width, coco()
    try:
        if isinstance(counts, (str, bytes)):
            whole = {"counts": counts, "size": [height, width]}
            if pixels > 1 and _decodes({"counts": counts, "size": [pixels - 1, 1]}):
                raise ValueError("they end early")  # whole ones do not fit into one pixel less
        else:
            if sum(counts) != pixels or min(counts, default=0) < 0:
                raise ValueError(f"they add up to {sum(counts)}")
            whole = module.frPyObjects({"counts": list(counts), "size": [height, width]}, *size)
        return np.asarray(module.decode(whole)).astype(bool)
    except (ValueError, OverflowError, TypeError) as error:
        raise InputError(
            f"run lengths do not fit a mask of {height}x{width} ({error}): the file is damaged"
        ) from error


def from_polygons(polygons: Sequence[Sequence[float]], size: Size) -> Mask:
    """A mask bool [H, W] of polygons, filled as COCO fills them.

        from_polygons([[1, 1, 5, 1, 5, 4, 1, 4]], (10, 12)).sum()  # 12

    Args:
        polygons: flat lists x0, y0, x1, y1, ... in pixels, (0, 0) being the outer corner of the
            first pixel. Those of fewer than three points are dropped.
        size: (H, W).

    Raises:
        InputError: they are no numbers.
    """
    module = coco()
    try:
        areas = [[float(x) for x in polygon] for polygon in polygons if len(polygon) >= 6]
        if not areas:
            return np.zeros(size, bool)
        merged = module.merge(module.frPyObjects(areas, *size))
        return np.asarray(module.decode(merged)).astype(bool)
    except (ValueError, TypeError) as error:
        raise InputError(f"a polygon cannot be filled ({error}): the file is damaged") from error


def from_segmentation(segmentation: Any, size: Size) -> Mask:
    """A mask bool [H, W] of a JSON segmentation: polygons or run lengths, compressed or not.

    Raises:
        InputError: it is something else, or its size is not `size`.
    """
    if isinstance(segmentation, list):
        return from_polygons(segmentation, size)
    if isinstance(segmentation, dict) and {"counts", "size"} <= set(segmentation):
        if tuple(segmentation["size"]) != tuple(size):
            raise InputError(f"a mask of size {segmentation['size']} in an image of {list(size)}")
        return from_rle(segmentation["counts"], size)
    raise InputError(
        f"a segmentation is {type(segmentation).__name__}: polygons or run lengths are expected"
    )


def to_png(labels: npt.NDArray[np.uint8]) -> bytes:
    """A label map uint8 [H, W] as the bytes of a palette PNG, exact.

    Raises:
        ValueError: another dtype or shape.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"a label map is uint8 [H, W], got {labels.dtype} {list(labels.shape)}")
    image = Image.fromarray(labels)
    image.putpalette(DAVIS.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def renumbered(
    labels: LabelMap, *, void: Collection[int] = ()
) -> tuple[npt.NDArray[np.uint8], dict[int, int]]:
    """(uint8 [H, W] with ids 1..n for the rising values of `labels`, {id: value}).

        ids, values = renumbered(panoptic, void=(0, 200))

    Args:
        labels: integers [H, W] of any size.
        void: values that become 255.

    Raises:
        InputError: more than 254 values.
    """
    values, inverse = np.unique(labels, return_inverse=True)
    objects = [int(value) for value in values if value not in void]
    if len(objects) > 254:
        raise InputError(f"a mask of {len(objects)} objects: at most 254 can be told apart")
    ids = {value: i for i, value in enumerate(objects, start=1)}
    table = np.array([ids.get(int(value), 255) for value in values], np.uint8)
    return table[inverse].reshape(labels.shape), {i: value for value, i in ids.items()}


def _decodes(rle: dict[str, Any]) -> bool:
    """Whether run lengths fit into a mask: pycocotools refuses them where they do not."""
    try:
        coco().decode(rle)
    except ValueError:
        return False
    return True
