"""Pictures and masks become records; what cannot be used is left out and noted."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from data_prep import masks, pictures, report, schema
from data_prep.pictures import LabelMap, Size
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
    """The record of a still as a list of one, or [] with a note of why it was left out.

        yield from still("0001", image, mask, notes, categories={1: "dog"})

    Args:
        name: of the still.
        image: encoded bytes.
        mask: encoded bytes of an 8-bit mask of ids, or a label map [H, W] to be encoded; None where
            it is missing.
        notes: takes what is left out.
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
    size: Size | None,
    where: str,
) -> tuple[schema.StoredFrame | None, Size | None]:
    """A frame of a video, or None with a note where the picture is damaged or of another size.

    Args:
        name: the frame's stem.
        image: encoded bytes.
        mask: encoded bytes of an 8-bit mask, a label map [H, W], or b'' for none; one that is
            damaged (None) or of another size than the picture is noted and dropped.
        notes: takes what is left out.
        size: (height, width) of the video, None for its first frame.
        where: for the notes.

    Returns:
        (Frame or None, size).
    """
    own = pictures.size_if_whole(image)
    if own is None:
        notes.add(report.DAMAGED, where)
        return None, size
    if size is not None and own != size:
        notes.add(report.FRAME_SIZE, where)
        return None, size
    if isinstance(mask, bytes) and not mask:
        return schema.StoredFrame(name, image, b"", {}), own
    labels = pictures.labels_of(mask) if isinstance(mask, bytes) else mask
    if labels is None or labels.max(initial=0) > 255:
        notes.add(report.DAMAGED_MASK, where)
        return schema.StoredFrame(name, image, b"", {}), own
    if labels.shape != own:
        notes.add(report.SIZE, where)
        return schema.StoredFrame(name, image, b"", {}), own
    ids = labels.astype(np.uint8)
    encoded = mask if isinstance(mask, bytes) else masks.to_png(ids)
    return schema.StoredFrame(name, image, encoded, pictures.areas_of(ids)), own


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
        files: of the video.
        notes: takes what is left out.
        fps: as `schema.video`, and so are `categories` and `listed`.
        categories: {id: name}.
        expected: stems that must have a mask; a note is made where they have none.
        announced: ids that some mask should show.
        listed: names of the frames that the dataset scores.
        change: a function of a label map [H, W], applied to every mask in order; where it changes
            nothing the file's own bytes are kept.
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
        made, size = frame(file.stem, image, mask, notes, size=size, where=where)
        if made is not None:
            frames.append(made)
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
    size: Size | None,
    fps: float,
    categories: Mapping[int, str],
    source_ids: Mapping[int, int] | None = None,
    announced: Iterable[int] = (),
    listed: Sequence[str] = (),
) -> Iterator[schema.Record]:
    """`schema.video`, with notes of announced objects that no mask shows and of empty videos."""
    if not frames or size is None:
        notes.add(report.NOTHING, name)
        return
    for text in (name, *(frame.name for frame in frames)):
        check_name(text, where=f"video {name}'s folder")
    seen = {i for frame in frames for i in frame.areas}
    for i in sorted(set(announced) - seen):
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


def _changed(mask: bytes, change: Change, size: Size | None) -> bytes | LabelMap | None:
    labels = pictures.labels_of(mask)
    if labels is None or labels.shape != size:
        return labels
    new = change(labels)
    return mask if (new == labels).all() else new
