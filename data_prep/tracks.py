"""What YouTube-VIS and OVIS share: a JSON file of tracks with a mask or null for every frame.

The id of an object is its number among the video's tracks; where two overlap, the later one is on
top. A video without tracks in the file (valid, test) is stored without masks.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_prep import builder, masks, pictures, records, report, schema
from vosjax.datasets.decode import Labels
from vosjax.errors import InputError
from vosjax.io.content import load_json
from vosjax.io.names import check_path

_MOST = 254


class TracksBuilder(builder.FolderBuilder):
    """Videos with masks from a JSON file of tracks; subclasses define `files`."""

    name = "tracks"
    FEATURES = schema.VIDEO
    FPS = 6.0

    def files(self, split: str) -> tuple[pathlib.Path, pathlib.Path]:
        """Returns the JSON file of a split, and the folder that its file names are relative to.

        Raises:
            InputError: the source has no such files.
        """
        raise InputError(f"{self.name} has no split {split}")

    def units(self, split: str) -> list[builder.Unit]:
        path, images = self.files(split)
        masks.coco()  # fails now if it is not installed, rather than for every mask
        try:
            data = load_json(path, name=str(path))
            kinds = {entry["id"]: entry["name"] for entry in data.get("categories", ())}
            videos: dict[int, tuple[Any, list[dict[str, Any]]]] = {
                entry["id"]: (entry, []) for entry in data["videos"]
            }
            for track in data.get("annotations") or ():
                videos[track["video_id"]][1].append(
                    dict(
                        id=track["id"],
                        category=kinds.get(track["category_id"], ""),
                        segmentations=track["segmentations"],
                    )
                )
            return [
                (
                    pathlib.PurePosixPath(video["file_names"][0]).parent.name,
                    dict(
                        frames=[
                            str(images / check_path(name, where=path))
                            for name in video["file_names"]
                        ],
                        tracks=tracks,
                    ),
                )
                for video, tracks in videos.values()
            ]
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise InputError(
                f"{path} is no JSON of tracks ({error!r}): expected videos, "
                "annotations with segmentations, categories"
            ) from error

    def records(self, name: str, unit: Any, notes: report.Notes) -> Iterator[schema.Record]:
        tracks = unit["tracks"]
        if len(tracks) > _MOST:
            notes.add(report.MANY, f"{name}, {len(tracks)} tracks")
            tracks = tracks[:_MOST]
        for i, track in enumerate(tracks, start=1):
            if any(entry is None for entry in track["segmentations"]):
                notes.add(report.NULL, f"{name} object {i}")
        segmentations = [track["segmentations"] for track in tracks]
        frames, size = [], None
        for t, path in enumerate(map(pathlib.Path, unit["frames"])):
            where = f"{name}/{path.stem}"
            image = pictures.content(path)
            whole = pictures.size_if_whole(image)
            mask: bytes | Labels = b""
            if tracks and whole:
                mask = _painted(where, segmentations, t, whole, notes)
            frame, size = records.frame(path.stem, image, mask, notes, size=size, where=where)
            if frame is not None:
                frames.append(frame)
        yield from records.joined(
            name,
            frames,
            notes,
            size=size,
            fps=self.FPS,
            categories={i: track["category"] for i, track in enumerate(tracks, start=1)},
            source_ids={i: track["id"] for i, track in enumerate(tracks, start=1)},
            announced=range(1, len(tracks) + 1),
        )


def _painted(
    where: str,
    segmentations: Sequence[Sequence[Any]],
    t: int,
    size: pictures.HeightWidth,
    notes: report.Notes,
) -> Labels:
    """Paints the label map of frame t, uint8 [H, W]."""
    labels = np.zeros(size, np.uint8)
    for i, track in enumerate(segmentations, start=1):
        if t < len(track) and track[t] is not None:
            try:
                labels[masks.from_segmentation(track[t], size)] = i
            except InputError:
                notes.add(report.DAMAGED_MASK, f"{where} object {i}")
    return labels
