"""The source of videos for a plain folder in DAVIS or YouTube-VOS layout, without registration."""

import dataclasses
import functools
import pathlib
import stat
from collections.abc import Iterable
from typing import Any

from vosjax.datasets import decode, layout
from vosjax.datasets.protocol import Announced, Encoded, Header, MaskSummary, Origin
from vosjax.errors import InputError
from vosjax.io.refusals import reading


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder as a source of videos (see `datasets.protocol`).

        source = Folder("DAVIS", split="val")
        source.header(0).size  # (480, 854)

    An instance lists the folder once and remembers the result; a new instance lists it again.

    Attributes:
        root: the folder, in either layout.
        videos: names of the videos, in this order; None takes those of `split`, or else all.
        split: a list in ImageSets, for example 'train' for ImageSets/2017/train.txt.
        year: year of the list, see `layout.split_names`.
        resolution: see `layout.find`.
        all_frames: see `layout.find`.
    """

    root: str
    videos: tuple[str, ...] | None = None
    split: str | None = None
    year: int | None = None
    resolution: str | None = None
    all_frames: bool = False

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the videos.

        Raises:
            InputError: the folder has neither layout or no such list, or a video has no folder.
        """
        there = layout.video_names(self.parts.images)
        broken = layout.broken_links(self.parts.images)
        names = self.videos
        if names is None and self.split is not None:
            names = layout.split_names(self.parts, self.split, year=self.year)
        lost = [name for name in broken if names is None or name in names]
        if lost:
            raise InputError(
                f"{self.parts.images / lost[0]} is a link to {broken[lost[0]]}, which is not there "
                "or leads in a circle: restore it, remove it, or name the videos to take"
            )
        names = there if names is None else names
        absent = sorted(set(names) - set(there))
        if absent or not names:
            shown = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
            raise InputError(
                f"{self.parts.images} has no sequence {', '.join(absent[:3]) or 'at all'}; it "
                f"holds: {shown or 'none'}. Name sequences that are there, or unpack the dataset "
                "again"
            )
        return tuple(names)

    @functools.cached_property
    def parts(self) -> layout.Layout:
        """Where the parts of the folder are."""
        return layout.find(self.root, resolution=self.resolution, all_frames=self.all_frames)

    def __len__(self) -> int:
        """Returns the number of videos."""
        return len(self.names)

    def files(self, video: int) -> layout.VideoFiles:
        """Returns the files of a video.

        Raises:
            InputError: the video has no frames.
        """
        if video not in self._files:
            name = self.names[video]
            images = self.parts.images / name
            files = layout.video_files(name, images, self.parts.masks / name)
            if not files.frames:
                raise InputError(
                    f"{images} is empty: expected frames named {'/'.join(layout.PICTURES)}; "
                    "unpack the dataset again"
                )
            self._files[video] = files
        return self._files[video]

    def header(self, video: int) -> Header:
        """Returns what is known of a video; its masks are read, once, when they are asked for.

        Raises:
            InputError: the video has no frames, or meta.json is damaged.
        """
        if video not in self._headers:
            self._headers[video] = self._header(self.files(video))
        return self._headers[video]

    def read(self, video: int, frames: Iterable[int], *, images: bool = True) -> list[Encoded]:
        """Reads frames of a video as they are stored, see `protocol.Source.read`."""
        files = self.files(video)
        return [
            Encoded(
                files.frames[t].stem,
                _bytes(files.frames[t]) if images else b"",
                _bytes(files.masks[t]) if t in files.masks else b"",
            )
            for t in map(int, frames)
        ]

    def locate(self, video: int, frame: int) -> Origin:
        """Returns the paths of a frame's image and mask, even if there is no mask."""
        files = self.files(video)
        image = files.frames[frame]
        expected = self.parts.masks / files.name / f"{image.stem}.png"
        return Origin(str(image), str(files.masks.get(frame, expected)))

    @functools.cached_property
    def _meta(self) -> dict[str, dict[int, layout.MetaObject]]:
        return layout.read_meta(self.parts.root) or {}

    @functools.cached_property
    def _files(self) -> dict[int, layout.VideoFiles]:
        return {}

    @functools.cached_property
    def _headers(self) -> dict[int, Header]:
        return {}

    def _header(self, files: layout.VideoFiles) -> Header:
        names = tuple(path.stem for path in files.frames)
        index = {name: t for t, name in enumerate(names)}
        objects = self._meta.get(files.name, {})
        listed = {name for entry in objects.values() for name in entry.frames}
        return Header(
            name=files.name,
            length=len(names),
            annotated=tuple(sorted(files.masks)),
            measure=functools.partial(_size, files.frames[0]),
            summarize=functools.partial(_summary, files),
            names=names,
            listed=tuple(t for t, name in enumerate(names) if name in listed),
            announced={
                key: Announced(entry.category, index.get(entry.frames[0], 0) if entry.frames else 0)
                for key, entry in objects.items()
            },
            released=self._released(files.name, index, listed),
            missing=tuple(sorted(listed - set(names))),
            stray=tuple(path.stem for path in files.stray),
        )

    def _released(self, name: str, index: dict[str, int], listed: set[str]) -> tuple[int, ...]:
        """Returns the frames of the sparse release, also if the source has all frames."""
        if self.parts.released == self.parts.images:
            return tuple(index.values())
        sparse = [path.stem for path in layout.listing(self.parts.released / name)] or listed
        return tuple(sorted(index[stem] for stem in sparse if stem in index))

    def __getstate__(self) -> dict[str, Any]:
        """Pickles the arguments and not the listing; other processes list the folder anew."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def annotated(source: Folder) -> Folder:
    """Returns a source of those videos of a folder that have a mask, in their order.

        train = annotated(Folder("DAVIS", split="train"))

    Raises:
        InputError: no video has one.
    """
    names = tuple(name for video, name in enumerate(source.names) if source.files(video).masks)
    if not names:
        raise InputError(
            f"{source.root} has no mask at all: training needs Annotations/VIDEO/FRAME.png of the "
            "frames' names"
        )
    return dataclasses.replace(source, videos=names)


def _size(path: pathlib.Path) -> tuple[int, int]:
    return decode.size(_bytes(path), name=str(path))


def _summary(files: layout.VideoFiles, frame: int) -> MaskSummary:
    path = files.masks[frame]
    labels = decode.labels(_bytes(path), name=str(path))
    height, width = labels.shape
    return MaskSummary(str(path), (height, width), decode.counts(labels))


def _bytes(path: pathlib.Path) -> bytes:
    try:
        with reading(path):
            if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe might wait for ever
                raise InputError(
                    f"{path} is no file but a folder, a pipe or a device: unpack the dataset again"
                )
            return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): unpack the dataset again"
        ) from error
