"""What YouTube-VIS and OVIS share: one JSON of tracks, each with a mask or null for every frame.

The id of an object is its place among the video's tracks; where two overlap the later one lies
above. A video whose frames have no tracks in the file (valid, test) is stored without masks.
"""

import json
import pathlib

import numpy as np

from data_prep import builder, masks, report, schema
from data_prep.errors import SourceError

_MOST = 254


class TracksBuilder(builder.FolderBuilder, skip_registration=True):
    """Videos from a JSON of tracks; subclasses define `files`."""

    name = "tracks"
    FEATURES = schema.VIDEO
    FPS = 6.0

    def files(self, split):
        """(the JSON file, the folder that its file names are relative to)."""
        raise SourceError(f"{self.name} has no split {split}")

    def units(self, split):
        path, images = self.files(split)
        try:
            data = json.loads(path.read_text())
            kinds = {entry["id"]: entry["name"] for entry in data.get("categories", ())}
            videos = {entry["id"]: (entry, []) for entry in data["videos"]}
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
                        frames=[str(images / name) for name in video["file_names"]], tracks=tracks
                    ),
                )
                for video, tracks in videos.values()
            ]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise SourceError(
                f"{path} is no JSON of tracks ({error!r}): expected videos, "
                "annotations with segmentations, categories"
            ) from error

    def records(self, name, unit, notes):
        tracks = unit["tracks"]
        if len(tracks) > _MOST:
            notes.add(report.MANY, f"{name}, {len(tracks)} tracks")
            tracks = tracks[:_MOST]
        for i, track in enumerate(tracks, start=1):
            if any(entry is None for entry in track["segmentations"]):
                notes.add(report.NULL, f"{name} object {i}")
        frames, size = [], None
        for t, path in enumerate(unit["frames"]):
            path = pathlib.Path(path)
            where = f"{name}/{path.stem}"
            image = path.read_bytes() if path.is_file() else b""
            found = builder.pictures.size_if_whole(image)
            mask = b""
            if tracks and found:
                mask = self._painted(
                    where, [track["segmentations"] for track in tracks], t, found, notes
                )
            frame, size = builder.frame(path.stem, image, mask, notes, size=size, where=where)
            if frame is not None:
                frames.append(frame)
        yield from builder.video_records(
            name,
            frames,
            notes,
            size=size,
            fps=self.FPS,
            categories={i: track["category"] for i, track in enumerate(tracks, start=1)},
            source_ids={i: track["id"] for i, track in enumerate(tracks, start=1)},
            announced=range(1, len(tracks) + 1),
        )

    def _painted(self, where, segmentations, t, size, notes):
        labels = np.zeros(size, np.uint8)
        for i, track in enumerate(segmentations, start=1):
            if t < len(track) and track[t] is not None:
                try:
                    labels[masks.from_segmentation(track[t], size)] = i
                except SourceError:
                    notes.add(report.DAMAGED_MASK, f"{where} object {i}")
        return labels
