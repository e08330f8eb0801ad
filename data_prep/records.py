"""Makes records from pictures and masks; what cannot be used is left out and noted."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from data_prep import masks, pictures, report, schema
from data_prep.pictures import HeightWidth, LabelMap
from vosjax.datasets.layout import VideoFiles
from vosjax.io.names import check_name

Change = Callable[[LabelMap], LabelMap]


def still(
    name: str,
    image: bytes,
    mask: bytes | LabelMap | None,
    notes: report.Notes,
    *,
    categories: Mapping[int, str] | None = None,
) -> list[schema.Record]:
    """Makes the record of a still: a list of one record, or of none with a note of the reason.

        yield from still("0001", image, mask, notes, categories={1: "dog"})

    Args:
        name: name of the still.
        image: the encoded image.
        mask: an encoded 8-bit mask of ids, or a label map [H, W] to be encoded; None if it is
            missing.
        notes: collects what is left out.
        categories: {id: name}.
    """
    if mask is None:
        notes.add(report.MISSING, name)
        return []
    size = pictures.size_if_whole(image)
    if size is None:
        notes.add(report.DAMAGED, name)
        return []
    labels = pictures.labels_of(mask) if isinstance(mask, bytes) else mask
    if labels is None or labels.max(initial=0) > 255:
        notes.add(report.DAMAGED_MASK, name)
        return []
    if labels.shape != size:
        notes.add(report.SIZE, name)
        return []
    ids = labels.astype(np.uint8)
    areas = pictures.areas_of(ids)
    if not areas:
        notes.add(report.NOTHING, name)
        return []
    encoded = mask if isinstance(mask, bytes) else masks.to_png(ids)
    return [
        schema.still(
            name, image=image, mask=encoded, areas=areas, size=size, categories=categories or {}
        )
    ]


def frame(
    name: str,
    image: bytes,
    mask: bytes | LabelMap | None,
    notes: report.Notes,
    *,
    size: HeightWidth | None,
    where: str,
) -> tuple[schema.StoredFrame | None, HeightWidth | None]:
    """Makes a frame of a video; None with a note if the picture is damaged or of another size.

    Args:
        name: the frame's stem.
        image: the encoded image.
        mask: an encoded 8-bit mask, a label map [H, W], or b'' for none; a mask that is damaged
            (None) or of another size than the picture is noted and dropped.
        notes: collects what is left out.
        size: (height, width) of the video; None for its first frame.
        where: name of the frame in the notes.

    Returns:
        The frame or None, and the size of the video.
    """
    frame_size = pictures.size_if_whole(image)
    if frame_size is None:
        notes.add(report.DAMAGED, where)
        return None, size
    if size is not None and frame_size != size:
        notes.add(report.FRAME_SIZE, where)
        return None, size
    if isinstance(mask, bytes) and not mask:
        return schema.StoredFrame(name, image, b"", {}), frame_size
    labels = pictures.labels_of(mask) if isinstance(mask, bytes) else mask
    if labels is None or labels.max(initial=0) > 255:
        notes.add(report.DAMAGED_MASK, where)
        return schema.StoredFrame(name, image, b"", {}), frame_size
    if labels.shape != frame_size:
        notes.add(report.SIZE, where)
        return schema.StoredFrame(name, image, b"", {}), frame_size
    ids = labels.astype(np.uint8)
    encoded = mask if isinstance(mask, bytes) else masks.to_png(ids)
    return schema.StoredFrame(name, image, encoded, pictures.areas_of(ids)), frame_size


def video(
    files: VideoFiles,
    notes: report.Notes,
    *,
    fps: float,
    categories: Mapping[int, str] | None = None,
    expected: Collection[str] = (),
    announced: Iterable[int] = (),
    listed: Sequence[str] = (),
    change: Change | None = None,
) -> Iterator[schema.Record]:
    """Yields the records of a video of picture and mask files.

        yield from video(layout.video_files(name, images, masks), notes, fps=24.0)

    Args:
        files: the files of the video.
        notes: collects what is left out.
        fps: frames per second of the stored frames.
        categories: {id: name}.
        expected: stems that should have a mask; it is noted if one is missing.
        announced: ids that some mask should show; it is noted if none does.
        listed: names of the frames that the dataset scores.
        change: a function that maps a label map [H, W] to another one, applied to all masks in
            order; the bytes of a file are kept if nothing is changed.
    """
    frames, size, required = [], None, set(expected)
    for t, file in enumerate(files.frames):
        where = f"{files.name}/{file.stem}"
        image = pictures.content(file)
        stored = pictures.content(files.masks[t]) or None if t in files.masks else b""
        if stored == b"" and file.stem in required:
            notes.add(report.MISSING, where)
        mask: bytes | LabelMap | None = stored
        if stored and change is not None:
            mask = _changed(stored, change, pictures.size_if_whole(image))
        stored_frame, size = frame(file.stem, image, mask, notes, size=size, where=where)
        if stored_frame is not None:
            frames.append(stored_frame)
    yield from joined(
        files.name,
        frames,
        notes,
        size=size,
        fps=fps,
        categories=categories or {},
        announced=announced,
        listed=listed,
    )


def joined(
    name: str,
    frames: Sequence[schema.StoredFrame],
    notes: report.Notes,
    *,
    size: HeightWidth | None,
    fps: float,
    categories: Mapping[int, str],
    source_ids: Mapping[int, int] | None = None,
    announced: Iterable[int] = (),
    listed: Sequence[str] = (),
) -> Iterator[schema.Record]:
    """Yields the records of `schema.video`; notes announced objects without a mask, empty videos.

    The arguments are those of `video` and `schema.video`.
    """
    if not frames or size is None:
        notes.add(report.NOTHING, name)
        return
    for text in (name, *(frame.name for frame in frames)):
        check_name(text, where=f"video {name}'s folder")
    visible = {i for frame in frames for i in frame.areas}
    for i in sorted(set(announced) - visible):
        notes.add(report.EMPTY, f"{name} object {i}")
    yield from schema.video(
        name,
        frames,
        size=size,
        fps=fps,
        categories=categories,
        source_ids=source_ids,
        listed=listed,
    )


def _changed(mask: bytes, change: Change, size: HeightWidth | None) -> bytes | LabelMap | None:
    labels = pictures.labels_of(mask)
    if labels is None or labels.shape != size:
        return labels
    new = change(labels)
    return mask if (new == labels).all() else new
