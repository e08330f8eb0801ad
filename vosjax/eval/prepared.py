"""Sequences of datasets that `data_prep` prepared (TFDS), as those of plain folders (`layout`).

A set whose objects have categories is run by the rules of YouTube-VOS, any other by DAVIS's.
"""

import tensorflow_datasets as tfds

from vosjax.datasets import prepared, protocol
from vosjax.errors import InputError
from vosjax.eval.layout import EvalVideo
from vosjax.eval.stored import Stored


def sequences(folder, *, split=None, names=None) -> list[EvalVideo]:
    """The videos of a split.

    Args:
      folder: of one prepared dataset, or above it.
      split: its name; None where there is one only.
      names: only these videos, in this order.

    Raises:
      InputError: no such split or video, stills, a video without objects.
    """
    source = _source(folder, split)
    found = {source.header(i).name: i for i in range(len(source))}
    absent = [name for name in names or () if name not in found]
    if absent:
        raise InputError(f"{folder} has no video {', '.join(absent[:3])}: name videos that it has")
    return [_sequence(source, found[name]) for name in names or sorted(found)]


def meta(folder, *, split=None) -> dict | None:
    """The categories as YouTube-VOS's meta.json tells them, None where objects have none."""
    source = _source(folder, split)
    headers = [source.header(i) for i in range(len(source))]
    if not any(name for header in headers for name in header.categories):
        return None
    return {
        "videos": {
            header.name: {
                "objects": {
                    str(key): {"category": category}
                    for key, category in zip(header.ids, header.categories)
                }
            }
            for header in headers
        }
    }


def _source(folder, split):
    place = prepared.find(folder)
    if split is None:
        known = list(tfds.builder_from_directory(place).info.splits)
        if len(known) > 1:
            raise InputError(
                f"{place} has the splits {', '.join(known)}: name one by --config.eval.split"
            )
        split = known[0]
    source = prepared.opened(place, split)
    if not isinstance(source, prepared.Videos):
        raise InputError(f"{place} holds stills: name a dataset of videos")
    return source


def _sequence(source, number):
    header = source.header(number)
    names = [frame.name for frame in source.read(number, range(len(header.areas)))]
    annotated = protocol.annotated(header).tolist()
    if not annotated:
        raise InputError(f"video {header.name} has no objects")
    frames, masks = (
        [Stored(source, number, i, name, kind) for i, name in enumerate(names)]
        for kind in ("image", "mask")
    )
    shown = header.areas > 0
    starts = {
        int(key): int(column.argmax()) for key, column in zip(header.ids, shown.T) if column.any()
    }
    if not any(header.categories):
        starts = {key: start for key, start in starts.items() if start == 0}
        scored = tuple(annotated[1:-1])
    else:
        scored = tuple(i for i in header.listed or annotated if i > min(starts.values()))
    if not starts:
        raise InputError(f"video {header.name} shows no object in its first frame")
    truths = {i: masks[i] for i in annotated} if set(scored) <= set(annotated) else None
    written = tuple(header.listed) or tuple(range(len(names)))
    if len(annotated) == len(set(starts.values())):
        truths = None  # only the given masks are public
    return EvalVideo(
        header.name,
        tuple(frames),
        {i: masks[i] for i in sorted(set(starts.values()))},
        starts,
        scored,
        truths,
        written,
    )
