"""Converts masks to label maps: COCO's run lengths and polygons, palette PNG, renumbering.

Run lengths and polygons are decoded by `pycocotools`, whose rasteriser made the masks that the
references were trained on.
"""

import io
import types
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from data_prep.pictures import HeightWidth, LabelMap
from vosjax.errors import InputError
from vosjax.io.palette import DAVIS

Mask = npt.NDArray[np.bool_]  # [H, W]


def coco() -> types.ModuleType:
    """Imports `pycocotools.mask`; builders call this before they begin.

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


def from_rle(counts: str | bytes | Sequence[int], size: HeightWidth) -> Mask:
    """Decodes run lengths in column order, zeros first, to a mask, bool [H, W].

        from_rle([6, 1, 5], (3, 4))  # one pixel

    Args:
        counts: the run lengths, or COCO's compressed string of them.
        size: (H, W) of the mask.

    Raises:
        InputError: the run lengths do not add up to H * W, or one is negative.
    """
    height, width = size
    pixels, module = height * width, coco()
    try:
        if isinstance(counts, (str, bytes)):
            whole = {"counts": counts, "size": [height, width]}
            if pixels > 1 and _decodes({"counts": counts, "size": [pixels - 1, 1]}):
                raise ValueError("they end early")  # complete ones do not fit one pixel less
        else:
            if sum(counts) != pixels or min(counts, default=0) < 0:
                raise ValueError(f"they add up to {sum(counts)}")
            whole = module.frPyObjects({"counts": list(counts), "size": [height, width]}, *size)
        return np.asarray(module.decode(whole)).astype(bool)
    except (ValueError, OverflowError, TypeError) as error:
        raise InputError(
            f"run lengths do not fit a mask of {height}x{width} ({error}): the file is damaged"
        ) from error


def from_polygons(polygons: Sequence[Sequence[float]], size: HeightWidth) -> Mask:
    """Fills polygons as COCO does; returns a mask, bool [H, W].

        from_polygons([[1, 1, 5, 1, 5, 4, 1, 4]], (10, 12)).sum()  # 12

    Args:
        polygons: flat lists x0, y0, x1, y1, ... in pixels, where (0, 0) is the outer corner of the
            first pixel. Polygons with fewer than three points are dropped.
        size: (H, W) of the mask.

    Raises:
        InputError: a coordinate is not a number.
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


def from_segmentation(segmentation: Any, size: HeightWidth) -> Mask:
    """Decodes a JSON segmentation, polygons or run lengths (compressed or not), to bool [H, W].

    Raises:
        InputError: the segmentation is neither, is damaged, or has another size than `size`.
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
    """Encodes a label map, uint8 [H, W], losslessly as a palette PNG.

    Raises:
        ValueError: the array has another dtype or shape.
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
    """Renumbers the n values of a label map as 1..n, in ascending order.

        ids, values = renumbered(panoptic, void=(0, 200))

    Args:
        labels: integers [H, W] of any range.
        void: values that become 255.

    Returns:
        Ids uint8 [H, W], and {id: value}.

    Raises:
        InputError: there are more than 254 values.
    """
    values, inverse = np.unique(labels, return_inverse=True)
    objects = [int(value) for value in values if value not in void]
    if len(objects) > 254:
        raise InputError(f"a mask of {len(objects)} objects: at most 254 can be told apart")
    ids = {value: i for i, value in enumerate(objects, start=1)}
    table = np.array([ids.get(int(value), 255) for value in values], np.uint8)
    return table[inverse].reshape(labels.shape), {i: value for value, i in ids.items()}


def _decodes(rle: dict[str, Any]) -> bool:
    """Returns whether run lengths fit into a mask; pycocotools raises an error if they do not."""
    try:
        coco().decode(rle)
    except ValueError:
        return False
    return True
