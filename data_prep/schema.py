"""The two schemas, of stills and of videos, and how a video is split into records.

Pictures and masks are stored encoded (JPEG or PNG bytes). A mask is an 8-bit palette or grey PNG
(an opaque alpha channel is allowed) whose values are 0 for background, 1..254 for object ids and
255 for ignored pixels. It must be decoded to indices, not to colours (`vosjax.datasets.decode`).

A video is split into records of `CHUNK` frames, so that a clip of five frames reads one to three
small records. Each record repeats what is known about the whole video, and the dataset's metadata
(`metadata.json`) lists the names and numbers of frames of all videos in the order of the records.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from data_prep.pictures import HeightWidth
from vosjax.errors import InputError

CHUNK = 8  # frames in a record of a video

Record = dict[str, Any]  # values of the features below

_bytes = tfds.features.Tensor(shape=(), dtype=np.object_)
_numbers = tfds.features.Tensor(shape=(None,), dtype=np.int32)

STILL = tfds.features.FeaturesDict(
    dict(
        name=tfds.features.Text(),
        image=_bytes,
        mask=_bytes,
        height=tfds.features.Scalar(np.int32),
        width=tfds.features.Scalar(np.int32),
        ids=_numbers,  # [N] rising, the values in the mask
        areas=_numbers,  # [N] pixels
        categories=tfds.features.Sequence(tfds.features.Text()),  # [N], '' where the set has none
    )
)

VIDEO = tfds.features.FeaturesDict(
    dict(
        video=tfds.features.Text(),
        # of the whole video of T frames and N objects
        frames=tfds.features.Scalar(np.int32),  # T
        height=tfds.features.Scalar(np.int32),
        width=tfds.features.Scalar(np.int32),
        fps=tfds.features.Scalar(np.float32),
        ids=_numbers,  # [N] rising, the values in the masks
        source_ids=_numbers,  # [N] how the source's files number them
        categories=tfds.features.Sequence(tfds.features.Text()),  # [N], '' where the set has none
        first=_numbers,  # [N] index of the first frame that shows it
        areas=_numbers,  # [T * N] pixels, row-major; -1 in frames without a mask
        listed=_numbers,  # indices of the frames that the dataset scores or lists; empty: all
        # of this record
        start=tfds.features.Scalar(np.int32),  # index of its first frame
        names=tfds.features.Sequence(tfds.features.Text()),
        images=tfds.features.Sequence(_bytes),
        masks=tfds.features.Sequence(_bytes),  # b'' in frames without a mask
    )
)


class StoredFrame(NamedTuple):
    """A frame to be stored.

    name   the stem of its file
    image  the encoded image
    mask   the encoded mask, b'' for none
    areas  {id: pixels}
    """

    name: str
    image: bytes
    mask: bytes
    areas: dict[int, int]


def still(
    name: str,
    *,
    image: bytes,
    mask: bytes,
    areas: Mapping[int, int],
    size: HeightWidth,
    categories: Mapping[int, str],
) -> Record:
    """Makes a record of `STILL` from `areas` {id: pixels} and `categories` {id: name}."""
    ids = sorted(areas)
    return dict(
        name=name,
        image=image,
        mask=mask,
        height=size[0],
        width=size[1],
        ids=np.array(ids, np.int32),
        areas=np.array([areas[i] for i in ids], np.int32),
        categories=[categories.get(i, "") for i in ids],
    )


def video(
    name: str,
    frames: Sequence[StoredFrame],
    *,
    size: HeightWidth,
    fps: float,
    categories: Mapping[int, str],
    source_ids: Mapping[int, int] | None = None,
    listed: Sequence[str] = (),
) -> list[Record]:
    """Makes the records of `VIDEO` of one video, in order.

    Args:
        name: name of the video, unique in its split.
        frames: the frames in order of time.
        size: (height, width) of all frames.
        fps: frames per second of the stored frames.
        categories: {id: name}.
        source_ids: {id: number in the source}; None if they are the same.
        listed: names of the frames that the dataset scores or lists.

    Raises:
        InputError: two frames have the same name.
    """
    names = [frame.name for frame in frames]
    if len(set(names)) < len(names):
        raise InputError(f"video {name} has two frames of one name: unpack the dataset again")
    ids = sorted({i for frame in frames for i in frame.areas})
    areas = np.array(
        [[frame.areas.get(i, 0) if frame.mask else -1 for i in ids] for frame in frames], np.int32
    ).reshape(len(frames), len(ids))
    whole = dict(
        video=name,
        frames=len(frames),
        height=size[0],
        width=size[1],
        fps=fps,
        ids=np.array(ids, np.int32),
        source_ids=np.array([(source_ids or {}).get(i, i) for i in ids], np.int32),
        categories=[categories.get(i, "") for i in ids],
        first=(areas > 0).argmax(0).astype(np.int32) if ids else np.zeros(0, np.int32),
        areas=areas.reshape(-1),
        listed=np.array([names.index(n) for n in listed if n in set(names)], np.int32),
    )
    return [
        dict(
            whole,
            start=start,
            names=names[start : start + CHUNK],
            images=[frame.image for frame in frames[start : start + CHUNK]],
            masks=[frame.mask for frame in frames[start : start + CHUNK]],
        )
        for start in range(0, len(frames), CHUNK)
    ]
