"""Reads annotation files (JSON) as raw masks.

| file | result |
|---|---|
| YouTube-VIS: `annotations` with `segmentations` | a mask for each frame |
| COCO: `annotations` with polygons or run lengths, plain or compressed | a mask for each image |
| a bare list of such annotations | the mask of one image |
| LabelMe: `shapes` | the mask of one image |
| anything else | refused |
"""

import json

from vosjax.errors import InputError
from vosjax.io.content import damaged
from vosjax.io.masks.coco import read_coco
from vosjax.io.masks.labelme import read_labelme
from vosjax.io.masks.raw import Page, TargetVideo
from vosjax.io.masks.youtube_vis import is_youtube_vis, read_youtube_vis

_READERS = {"annotations": read_coco, "shapes": read_labelme}


def read_annotations(data: bytes, name: str, video: TargetVideo) -> list[Page]:
    """Reads the masks of a JSON file.

        pages = read_annotations(data, "mask first.json", TargetVideo((480, 854)))

    Args:
        data: the file's content.
        name: what messages call the file.
        video: the video that the masks are for.

    Raises:
        InputError: the file is not JSON, or neither COCO nor LabelMe; an image has another size; an
            annotation marks no area.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"it is no JSON: {error}") from error
    if isinstance(content, list):
        content = {"annotations": content}
    if is_youtube_vis(content):
        return read_youtube_vis(content, name, video)
    for key, read in _READERS.items():
        if key in content:
            return read(content, name, video)
    raise InputError(
        f"{name} is JSON, but neither COCO (annotations) nor LabelMe (shapes): save the objects as "
        "one of these, or as PNG"
    )
