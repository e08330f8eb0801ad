"""The format `coco`: a JSON file with an image for each frame and annotations as run lengths.

An object has one `track_id`, its id, in all frames, and a category by its name. Images also have
`video_id` and `frame_id`, the frame's index, which readers of single images pass over.
"""

import json
import pathlib
from typing import IO, Any

from vosjax.exports.categories import Categories
from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Segmentation, object_ids
from vosjax.io.masks import runs

INFO = {"description": "masks of a video, by vosjax", "version": "1.0"}


def write(path: pathlib.Path, segmentation: Segmentation, tell: Tell) -> None:
    """Writes the file; annotations go to the disk frame by frame.

    Args:
        path: the file.
        segmentation: what is written.
        tell: called with the index of each frame that is done.
    """
    categories, images, number = Categories(segmentation), [], 0
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write('{"info": ' + _json(INFO) + ', "licenses": [], "annotations": [')
        for index, labels in segmentation.labelled():
            images.append(_image(segmentation, index))
            for id in object_ids(labels):
                number += 1
                record = _annotation(number, index, id, categories.of(id), labels == id)
                file.write(("" if number == 1 else ",") + "\n" + _json(record))
            tell(index)
        file.write("\n]")
        _list(file, "images", images)
        _list(file, "categories", categories.listed())
        _list(file, "videos", [{"id": 1, "name": segmentation.name}])
        file.write("}\n")


def file_name(segmentation: Segmentation, index: int) -> str:
    """Returns the name of a frame's picture: its file's, or else one of its number."""
    video = segmentation.video
    if video.names is not None and len(video.files) == len(video.names):
        return video.files[index].name
    return f"{segmentation.stem(index)}.jpg"


def _image(segmentation: Segmentation, index: int) -> dict[str, Any]:
    height, width = segmentation.video.size
    return {
        "id": index + 1,
        "file_name": file_name(segmentation, index),
        "height": int(height),
        "width": int(width),
        "video_id": 1,
        "frame_id": index,
    }


def _annotation(number: int, index: int, id: int, category: int, mask: Any) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": index + 1,
        "category_id": category,
        "track_id": id,
        "segmentation": runs.encode(mask),
        "area": int(mask.sum()),
        "bbox": runs.bounding_box(mask),
        "iscrowd": 0,
    }


def _list(file: IO[str], name: str, records: list[dict[str, Any]]) -> None:
    file.write(f', "{name}": [\n' + ",\n".join(map(_json, records)) + "\n]")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


EXPORT = Export(
    "coco", ".json", (), "COCO JSON: an image for each frame, objects as run lengths", write
)
