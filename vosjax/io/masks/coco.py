"""Reads COCO's JSON as raw masks: polygons and run lengths, one mask for each image.

Annotations with the same track (`track_id`, `instance_id` or `object_id`, also among the
`attributes`) are the same object. A crowd (`iscrowd`) is an object like any other, since tools set
this flag merely for run lengths. An image's `file_name` tells its frame, or else its `frame_id`,
the frame's index, if it has one.
"""

import functools
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.io.masks import shapes
from vosjax.io.masks.frames import Frames
from vosjax.io.masks.painting import Marked, field, image_size, paint, records
from vosjax.io.masks.raw import Page, TargetVideo
from vosjax.io.names import printable

TRACKS = ("track_id", "instance_id", "object_id")


def read_coco(content: dict, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of the images that have annotations.

        pages = read_coco(json.loads(data), "mask all.json", TargetVideo((480, 854)))

    Args:
        content: the file's `annotations`, with `images` (or one `image`) and `categories` if it has
            them.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is damaged, an image has another size, or an annotation marks no area.
    """
    labels = {
        field(category, "id", (int, str), name, None): str(category.get("name"))
        for category in records(content, "categories", name)
    }
    images = _images(content, name)
    by_image: dict[Any, list[Marked]] = {}
    for number, record in enumerate(records(content, "annotations", name), 1):
        where = f"annotation {number}"
        only = next(iter(images)) if len(images) == 1 else None
        image = field(record, "image_id", (int, str), f"{name}: {where}", only)
        if image not in images and (images or by_image.keys() - {image}):
            raise InputError(
                f"{name}: {where} is of image {printable(image)}, which is not among the images "
                "of the file: every image is expected there, with its file_name"
            )
        by_image.setdefault(image, []).append(_marked(record, where, name, labels))
    if not by_image:
        raise InputError(f"{name} holds no annotation: at least one object is expected")
    pages, frames = [], Frames(video)
    for image, marked in by_image.items():
        header = images.get(image, {})
        size = image_size(header, "height", "width", name, video)
        raw = paint(marked, size, name=name, what="COCO annotations")
        file_name = field(header, "file_name", str, name, None)
        index = field(header, "frame_id", int, name, None)
        pages.append(Page(raw, frames.told(file_name, index)))
    return pages


def _images(content: dict, name: str) -> dict[Any, dict]:
    """Returns {id: image}; a single image may have no id."""
    images = records(content, "images", name) or [field(content, "image", dict, name, {})]
    if images == [{}]:
        return {}
    return {field(image, "id", (int, str), name, None): image for image in images}


def _marked(record: dict, where: str, name: str, labels: dict) -> Marked:
    category = field(record, "category_id", (int, str), f"{name}: {where}", None)
    label = "object" if category is None else labels.get(category, f"category {category}")
    attributes = record.get("attributes")
    sources = [record, attributes] if isinstance(attributes, dict) else [record]
    tracks = [source[key] for source in sources for key in TRACKS if source.get(key) is not None]
    group = str(tracks[0]) if tracks else None
    draw = functools.partial(draw_segmentation, record.get("segmentation"))
    return Marked(where, label, group, draw)


def draw_segmentation(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """Draws the `segmentation` of an annotation, polygons or run lengths, as bool [H, W].

        draw_segmentation([[1, 1, 9, 1, 9, 7]], (10, 12))

    Args:
        segmentation: a list of polygons, or {'size': [H, W], 'counts': run lengths}.
        size: (H, W) of the image.

    Raises:
        ValueError: it is neither, is damaged, or is of another size.
    """
    if isinstance(segmentation, dict):
        if segmentation.get("size") != list(size):
            raise ValueError(
                f"its run lengths are for {segmentation.get('size')}, not {list(size)}"
            )
        return shapes.expand_runs(segmentation.get("counts"), size)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("it has no polygon and no run lengths: a box or a point marks no area")
    outlines = segmentation if isinstance(segmentation[0], list) else [segmentation]
    area = np.zeros(size, bool)
    for outline in outlines:
        area |= shapes.fill_polygon(shapes.points(outline), size)
    return area
