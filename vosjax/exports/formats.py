"""The table of all formats, and `write`, which writes a video's masks in one of them."""

import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from vosjax.errors import InputError
from vosjax.exports import (
    coco,
    cutout_png,
    cutout_webm,
    davis,
    objects,
    overlay,
    palette,
    youtube_vis,
)
from vosjax.exports.places import check_file, check_folder, new_file, new_folder
from vosjax.exports.protocol import Export, Tell
from vosjax.exports.segmentation import Masks, Object, Segmentation, checked_object
from vosjax.io.names import name_problem, printable, some
from vosjax.io.video import Video, open_video

FORMATS: dict[str, Export] = {
    export.name: export
    for export in (
        palette.EXPORT,
        objects.EXPORT,
        coco.EXPORT,
        youtube_vis.EXPORT,
        youtube_vis.RESULTS,
        cutout_png.EXPORT,
        cutout_webm.EXPORT,
        overlay.EXPORT,
        davis.EXPORT,
    )
}


def write(
    format: str,
    path: str | os.PathLike[str],
    video: Any,
    masks: Masks,
    *,
    objects: Iterable[Object] = (),
    name: str | None = None,
    overwrite: bool = False,
    progress: Tell | None = None,
) -> pathlib.Path:
    """Writes the masks of a video in a format of `FORMATS`.

        write("coco", "dog.json", "dog.mp4", {0: labels}, objects=[Object(1, "dog")])

    Args:
        format: a name of `FORMATS`, such as 'coco'.
        path: the file, with the format's ending, or the folder that is made.
        video: the frames: a `Video`, or anything that `vosjax.io.video.open_video` takes.
        masks: {frame index: integers or bool [H, W], object ids from 1 to 255, 0 the background},
            of the video's size. Frames that are missing have no mask. Every mask is asked for once,
            in the order of frames, so a mapping that reads files keeps memory low.
        objects: names and colours of objects, where they are known.
        name: what the video is called in the result; None takes the name of its file or folder.
        overwrite: whether an earlier export at `path` is replaced.
        progress: called with the index of each frame that is done.

    Returns:
        The path.

    Raises:
        InputError: there is no such format; the path is taken or has another ending; there are no
            masks; a mask has another size than the video, an id above 255 or no frame; a frame
            cannot be read; or the result cannot be written.
        DiskFull: the disk is full.
    """
    export = FORMATS.get(format)
    if export is None:
        raise InputError(
            f"there is no format {printable(repr(format))}: {', '.join(FORMATS)} are expected"
        )
    strange = [
        index
        for index in masks
        if not isinstance(index, (int, np.integer)) or isinstance(index, bool)
    ]
    if strange:
        raise InputError(
            f"masks are given for {some(map(repr, strange))}: {{frame index: mask}} is expected, "
            "with integers from 0"
        )
    path = pathlib.Path(path)
    opened = video if isinstance(video, Video) else open_video(video)
    segmentation = Segmentation(
        opened,
        masks,
        _name(name, opened, video, path),
        {known.id: checked_object(known) for known in objects},
    )
    if not masks:
        raise InputError("there is nothing to export: at least one mask is needed")
    if opened.count is not None:
        segmentation.check_reached(opened.count)
    tell = progress or (lambda index: None)
    if export.in_place:
        export.write(path, segmentation, tell, overwrite=overwrite)
    elif export.suffix:
        check_file(path, export.suffix, overwrite=overwrite)
        with new_file(path) as temp:
            export.write(temp, segmentation, tell)
    else:
        check_folder(path, export.endings, overwrite=overwrite)
        with new_folder(path) as temp:
            export.write(temp, segmentation, tell)
    return path


def _name(name: str | None, video: Video, source: Any, path: pathlib.Path) -> str:
    """Returns the name of the video in the result, which may become the name of a folder."""
    if name is not None:
        problem = name_problem(name)
        if problem:
            raise InputError(
                f"the video is to be called {printable(repr(name)[:100])}, which {problem}: a name "
                "without a path is expected"
            )
        return name
    file = video.files[0] if video.files else None
    if file is not None and video.names is not None:
        file = file.absolute().parent
    stem = "" if file is None else (file.name if video.names is not None else file.stem)
    return stem if stem and not name_problem(stem) else "video"
