"""`--mode export-masks`: masks in the formats of other programs, as an overlay, or cut out.

--input is a finished run of `segment` or `refine`, which knows its video; or a folder of masks or a
file of masks of any kind that `segment --masks` takes, with --video. --format is one of

    palette              a folder of palette PNGs
    objects              a folder for each object, with black and white PNGs
    coco                 COCO JSON, a .json file: run lengths, boxes, areas, track_id
    youtube-vis          YouTube-VIS JSON, a .json file: a track for each object
    youtube-vis-results  the list of results that YouTube-VIS' evaluation takes
    cutout-png           a folder of RGBA PNGs
    cutout-webm          a film with transparency, a .webm file
    overlay              a film of the tinted objects, an .mp4 file
    davis                a folder in DAVIS layout; other videos in it stay

and --output the file or folder; what is there is replaced by --overwrite only (docs/exports.md).
"""

import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from vosjax.config import Config
from vosjax.errors import InputError
from vosjax.exports import FORMATS, Object, write
from vosjax.exports.segmentation import Colour
from vosjax.io.files import is_temporary
from vosjax.io.masks import read_masks
from vosjax.io.names import printable, some
from vosjax.io.palette import decode_labels, read_label_png
from vosjax.io.scores import mean_scores
from vosjax.io.terminal import say
from vosjax.io.video import Video, open_video
from vosjax.modes import Options
from vosjax.modes._mask_files import mask_files, palette_of
from vosjax.runs import record
from vosjax.tracking.video import exact_length

FLAGS = ("input", "video", "format", "output", "overwrite")
FIELDS = ()
VOID = 255


class Files(Mapping[int, np.ndarray]):
    """{frame: its mask}, each read when it is asked for."""

    def __init__(
        self, files: Mapping[int, pathlib.Path], read: Callable[[pathlib.Path], np.ndarray]
    ) -> None:
        self._files, self._read = files, read

    def __getitem__(self, index: int) -> np.ndarray:
        return self._read(self._files[index])

    def __contains__(self, index: object) -> bool:
        return index in self._files

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class Source(NamedTuple):
    """What is exported.

    masks    {frame: integers [H, W] of ids}
    objects  what is known of the objects
    notes    lines about how the masks were read
    """

    masks: Mapping[int, np.ndarray]
    objects: list[Object]
    notes: tuple[str, ...] = ()


def run(config: Config, options: Options) -> int:
    """Exports the masks of `options.input` to `options.output`, in the format `options.format`.

    Returns:
        0.

    Raises:
        InputError: something that was given cannot be used.
    """
    missing = [
        f"--{name}" for name in ("input", "format", "output") if getattr(options, name) is None
    ]
    if missing:
        raise InputError(
            f"{' and '.join(missing)} missing; exporting takes --input RUN --format "
            f"{'|'.join(FORMATS)} --output PLACE"
        )
    assert options.input is not None and options.format is not None and options.output is not None
    if options.format not in FORMATS:
        raise InputError(
            f"--format is {printable(repr(options.format))}: {', '.join(FORMATS)} are expected"
        )
    given = pathlib.Path(options.input)
    before = record.read(given) if given.is_dir() else None
    if before is not None and before["status"] != "complete":
        raise InputError(f"{given} is {before['status']}: let it finish (the same command goes on)")
    settings = {} if before is None else before["settings"]
    name = options.video or settings.get("video")
    if name is None:
        raise InputError(
            f"{printable(given)} does not say which frames its masks are of: name them by --video"
        )
    video = open_video(str(name))
    source = _source(given, before or {}, video, str(name))
    say(*source.notes)
    with tqdm(total=len(source.masks), unit="frame", file=sys.stderr, disable=None) as bar:
        path = write(
            options.format,
            options.output,
            video,
            source.masks,
            objects=source.objects,
            overwrite=options.overwrite,
            progress=lambda index: bar.update(index in source.masks),
        )
    say(f"{printable(path)}: {FORMATS[options.format].about}, masks of {len(source.masks)} frames")
    return 0


def _source(given: pathlib.Path, before: Mapping[str, Any], video: Video, named: str) -> Source:
    """Finds the masks: files of a run, PNGs of a folder, or whatever `read_masks` reads."""
    folder = _folder(given, video)
    if folder is None:
        masks = read_masks(
            str(given), video.names, size=video.size, count=exact_length(named, video)
        )
        return Source(
            masks.labels,
            _objects(masks.palette, masks.objects, {}),
            (*masks.notes, *(f"note: {doubt}" for doubt in masks.doubts)),
        )
    run_of_video = "video" in before.get("settings", {})
    files = mask_files(folder, video, by_index=run_of_video and _by_index(folder, video, before))
    table = given / "scores.csv"
    names = before.get("objects", {})
    known = {int(id): str(name) for id, name in names.items() if id.isdecimal()}
    return Source(
        Files(files, read_label_png if run_of_video else _read_any),
        _objects(
            palette_of(files[min(files)]),
            known,
            mean_scores(table) if run_of_video and table.exists() else {},
        ),
    )


def _folder(given: pathlib.Path, video: Video) -> pathlib.Path | None:
    """Returns the folder of a video's mask PNGs, in a run or as it is; None if there is none."""
    if not given.is_dir():
        return None
    above = given / "masks" if (given / "masks").is_dir() else given
    if any(not is_temporary(file) for file in above.glob("*.png")):
        return above
    folders = sorted(file.name for file in above.iterdir() if file.is_dir())
    if not folders:
        return None
    # The run of a dataset has a folder for each video, which bears the name of the frames' folder.
    own = video.files[0].absolute().parent.name if video.names and video.files else ""
    if own in folders:
        return above / own
    raise InputError(
        f"{printable(above)} holds no masks (.png) but folders ({some(folders)}): name one of them"
    )


def _by_index(folder: pathlib.Path, video: Video, before: Mapping[str, Any]) -> bool:
    """Returns whether a run named its masks by indices, not by the names of frames.

    `segment` does so, `refine` keeps the names of the masks that it was given.
    """
    stems = {file.stem for file in folder.glob("*.png") if not is_temporary(file)}
    return record.kind(before["settings"]) != "refine" or not stems <= set(video.names or ())


def _read_any(path: pathlib.Path) -> np.ndarray:
    """Reads the label PNG of any program; 255 beside other ids is void, which is background."""
    labels = decode_labels(path, void=VOID)
    labels[labels == VOID] = 0
    return labels


def _objects(
    palette: np.ndarray | None, names: Mapping[int, str], scores: Mapping[int, float]
) -> list[Object]:
    """Returns what is known of the objects; their colours are those of the masks."""
    made = []
    for id in range(1, 256):
        colour: Colour | None = None
        if palette is not None:
            red, green, blue = palette[id].tolist()
            colour = red, green, blue
        made.append(Object(id, names.get(id, ""), colour, scores.get(id, 1.0)))
    return made
