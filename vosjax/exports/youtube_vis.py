"""The formats `youtube-vis` and `youtube-vis-results`: a track of masks for each object.

The first is a file of annotations (videos, annotations, categories), the second the list of results
that the public evaluation of YouTube-VIS compares with such a file.
"""

import json
import pathlib
from typing import Any

from vosjax.exports.categories import Categories
from vosjax.exports.coco import INFO, file_name
from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation, object_ids
from vosjax.io.masks import runs

VIDEO = 1  # the id of the video


def write(path: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes the file of annotations.

    Args:
        path: the file.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
    """
    height, width = map(int, segmentation.video.size)
    length, names = _length(segmentation), segmentation.name
    categories, tracks = Categories(segmentation), _tracks(segmentation, length, tell)
    size = {"height": height, "width": width, "length": length}
    annotations = [
        {
            "id": id,
            "video_id": VIDEO,
            "category_id": categories.of(id),
            "iscrowd": 0,
            **size,
            **track,
        }
        for id, track in sorted(tracks.items())
    ]
    files = [f"{names}/{file_name(segmentation, index)}" for index in range(length)]
    content = {
        "info": INFO,
        "licenses": [],
        "videos": [{"id": VIDEO, **size, "file_names": files}],
        "annotations": annotations,
        "categories": categories.listed(),
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def write_results(path: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes the list of results, with the objects' scores.

    Args:
        path: the file.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
    """
    categories = Categories(segmentation)
    tracks = _tracks(segmentation, _length(segmentation), tell)
    results = [
        {
            "video_id": VIDEO,
            "category_id": categories.of(id),
            "score": float(segmentation.object(id).score),
            "segmentations": track["segmentations"],
        }
        for id, track in sorted(tracks.items())
    ]
    path.write_text(json.dumps(results), encoding="utf-8")


def _tracks(segmentation: Segmentation, length: int, tell: Tell) -> dict[int, dict[str, list[Any]]]:
    """{id: its segmentations, bboxes and areas}, each with null where the object is absent."""
    tracks: dict[int, dict[str, list[Any]]] = {}
    for index, labels in segmentation.labelled():
        for id in object_ids(labels):
            if id not in tracks:
                names = ("segmentations", "bboxes", "areas")
                tracks[id] = {name: [None] * length for name in names}
            mask = labels == id
            tracks[id]["segmentations"][index] = runs.encode(mask)
            tracks[id]["bboxes"][index] = runs.bounding_box(mask)
            tracks[id]["areas"][index] = int(mask.sum())
        tell(index)
    return tracks


def _length(segmentation: Segmentation) -> int:
    """Returns the number of frames, which are counted where the video does not tell it."""
    video = segmentation.video
    if video.count is not None:
        return video.count
    last = max(segmentation.masks) + 1
    length = last if video.once else sum(1 for _ in video.stream(0))
    segmentation.check_reached(length)
    return length


EXPORT = Export(
    "youtube-vis", ".json", (), "YouTube-VIS JSON: a track of run lengths for each object", write
)
RESULTS = Export(
    "youtube-vis-results",
    ".json",
    (),
    "YouTube-VIS results: the list that the public evaluation takes",
    write_results,
)
