"""Reads YouTube-VIS' JSON as raw masks: tracks of one video, with a mask or null for each frame.

The list of results that the public evaluation takes is read, too; it names no frames, so a track's
masks are those of the frames 0, 1, 2, ...
"""

import functools
from typing import Any

from vosjax.errors import InputError
from vosjax.io.masks.coco import draw_segmentation
from vosjax.io.masks.frames import Frames
from vosjax.io.masks.painting import Marked, field, image_size, paint, records
from vosjax.io.masks.raw import Page, TargetVideo

KEY = "segmentations"  # of an annotation


def is_youtube_vis(content: dict) -> bool:
    """Returns whether a file's annotations are tracks.

    is_youtube_vis({"annotations": [{"segmentations": [None]}]})    # True
    """
    annotations = content.get("annotations")
    return isinstance(annotations, list) and any(
        isinstance(record, dict) and KEY in record for record in annotations
    )


def read_youtube_vis(content: dict, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of the frames in which a track has one.

        pages = read_youtube_vis(json.loads(data), "mask all.json", TargetVideo((480, 854)))

    Args:
        content: the file's `annotations`, with `videos` and `categories` if it has them.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is damaged or holds tracks of several videos, the video has another
            size, or a mask is none.
    """
    labels = {
        field(category, "id", (int, str), name, None): str(category.get("name"))
        for category in records(content, "categories", name)
    }
    tracks = records(content, "annotations", name)
    ids = {field(track, "video_id", (int, str), name, None) for track in tracks}
    if len(ids) > 1:
        raise InputError(
            f"{name} holds tracks of {len(ids)} videos, one is expected: leave only the "
            "annotations of one video_id in it"
        )
    headers = [entry for entry in records(content, "videos", name) if entry.get("id") in ids]
    header = headers[0] if headers else {}
    files = field(header, "file_names", list, name, [])
    by_frame: dict[int, list[Marked]] = {}
    for number, track in enumerate(tracks, 1):
        category = field(track, "category_id", (int, str), f"{name}: annotation {number}", None)
        label = "object" if category is None else labels.get(category, f"category {category}")
        group = str(track.get("id", number))
        segmentations = field(track, KEY, list, f"{name}: annotation {number}", [])
        for frame, segmentation in enumerate(segmentations):
            if segmentation is not None:
                where = f"annotation {number}, frame {frame}"
                draw = functools.partial(draw_segmentation, segmentation)
                by_frame.setdefault(frame, []).append(Marked(where, label, group, draw))
    if not by_frame:
        raise InputError(f"{name} holds no mask: at least one object is expected")
    size = image_size(header, "height", "width", name, video)
    pages, frames = [], Frames(video)
    for frame, marked in sorted(by_frame.items()):
        raw = paint(marked, size, name=name, what="YouTube-VIS annotations")
        file: Any = files[frame] if frame < len(files) else None
        pages.append(Page(raw, frames.told(file if isinstance(file, str) else None, frame)))
    return pages
