"""J after corrections: a person who mends the worst frame, and propagates as the studio does.

    python -m vosjax.bench.studio --data CLIPS [--corrections 3] [--max-short-side 240]

CLIPS is a folder with JPEGImages and Annotations. The true masks of frame 0 are given and
propagated. Then the frame whose J is lowest is corrected by its truth, and the correction is
propagated to both sides, up to the frames that lie nearer to another given one; so again for each
correction. Beside it, the whole video is segmented anew from all masks given so far. J is the mean
over the objects of frame 0 and all frames but frame 0, corrected ones among them; seconds are those
of a propagation, without compiling.
"""

import pathlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.eval.metrics import region_similarity
from vosjax.io.door import Parser, count, guarded
from vosjax.io.palette import decode_labels
from vosjax.io.terminal import say
from vosjax.io.video import open_video
from vosjax.io.video.random_access import scan
from vosjax.loading.pretrained import Loaded, load
from vosjax.studio.annotations import InMemory
from vosjax.studio.following import Trackers, follow, plan_from
from vosjax.tracking.video import segment

VOID = 255
Labels = npt.NDArray[np.uint8]  # [H, W] of object ids


class Round(NamedTuple):
    """What is reached after a number of corrections.

    frame            the frame that was corrected, 0 before the first correction
    j                J of the studio's masks, 0..1
    scratch_j        J of the masks that are made anew
    made             number of frames that the studio made in this round
    seconds          time of the studio's propagation
    scratch_seconds  time of segmenting the whole video anew
    """

    frame: int
    j: float
    scratch_j: float
    made: int
    seconds: float
    scratch_seconds: float


def corrected(
    model: Loaded, frames: npt.NDArray[np.uint8], truth: Sequence[Labels], *, corrections: int
) -> list[Round]:
    """Simulates a person who corrects a video's worst frame again and again.

        rounds = corrected(load(), frames, truth, corrections=3)

    Args:
        model: the network that tracks.
        frames: uint8 [T, H, W, 3] RGB.
        truth: T label maps; 255 is ignored.
        corrections: number of corrections.

    Returns:
        A `Round` before the first correction, and one after each.

    Raises:
        InputError: there is no object in frame 0.
    """
    ids = [id for id in np.unique(truth[0]).tolist() if 0 < id < VOID]
    if not ids:
        raise InputError("frame 0 has no object")
    access = scan(open_video(frames))
    known, trackers = InMemory(ids), Trackers(model, count=access.count)
    trackers.prepare(access.video.size)
    rounds: list[Round] = []
    masks: dict[int, Labels] = {}
    worst = 0
    for number in range(corrections + 1):
        known.pin(worst, truth[worst])
        masks[worst] = known.maps[worst]
        begin = time.perf_counter()
        made = 0
        passes = plan_from(known, worst, "both" if number else "forward", count=access.count)
        for step in follow(known, access, passes, trackers):
            known.take(step.combined(known))
            made += 1
        between = time.perf_counter()
        scratch = {result.index: result.labels for result in segment(frames, masks, model=model)}
        end = time.perf_counter()
        scores = _scores(known.maps, truth, ids)
        anew = _scores(scratch | masks, truth, ids)
        rounds.append(
            Round(
                worst,
                float(np.mean(scores[1:])),
                float(np.mean(anew[1:])),
                made,
                between - begin,
                end - between,
            )
        )
        scores[sorted(known.pinned)] = np.inf
        worst = int(np.argmin(scores))
        if not np.isfinite(scores[worst]):
            break
    return rounds


def _scores(
    maps: dict[int, Labels], truth: Sequence[Labels], ids: list[int]
) -> npt.NDArray[np.float64]:
    """Returns the mean J over the objects of each frame, [T]."""
    return np.array(
        [
            np.mean(
                [
                    region_similarity(labels == id, maps[index] == id, void=labels == VOID)
                    for id in ids
                ]
            )
            for index, labels in enumerate(truth)
        ]
    )


def measure(
    model: Loaded, data: pathlib.Path, *, corrections: int, max_short_side: int
) -> Iterator[tuple[str, list[Round]]]:
    """Simulates corrections in all videos of a folder, one after the other.

        table = dict(measure(load(), pathlib.Path("CLIPS"), corrections=3, max_short_side=480))

    Args:
        model: the network that tracks.
        data: a folder in the layout of DAVIS.
        corrections: number of corrections.
        max_short_side: short side in pixels to which frames and truth are scaled down.

    Yields:
        The name of each video and its rounds; videos without an object in frame 0 are left out.

    Raises:
        InputError: the folder does not exist, or a frame or mask cannot be read.
    """
    if not (data / "JPEGImages").is_dir():
        raise InputError(
            f"there is no folder {data / 'JPEGImages'}: name a dataset folder of DAVIS"
        )
    for folder in sorted((data / "JPEGImages").iterdir()):
        files = sorted((data / "Annotations" / folder.name).glob("*.png"))
        frames = list(open_video(folder).frames()) if files else []
        if not frames or len(files) < len(frames):
            continue
        pairs = [
            _scaled(frame, decode_labels(file, void=VOID), max_short_side)
            for frame, file in zip(frames, files)
        ]
        truth = [labels for _, labels in pairs]
        if not ((truth[0] > 0) & (truth[0] < VOID)).any():
            continue
        images = np.stack([image for image, _ in pairs])
        yield folder.name, corrected(model, images, truth, corrections=corrections)


def _scaled(
    frame: npt.NDArray[np.uint8], truth: Labels, max_short_side: int
) -> tuple[npt.NDArray[np.uint8], Labels]:
    height, width = truth.shape
    ratio = min(1, max_short_side / min(height, width))
    size = 2 * round(width * ratio / 2), 2 * round(height * ratio / 2)
    return (
        cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8),
        cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a table; returns the exit code."""
    return guarded("studio", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.studio", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--weights", help="the network that tracks; the embedded one if left out")
    parser.add_argument("--corrections", type=count, default=3)
    parser.add_argument("--max-short-side", type=count, default=480)
    options = parser.parse_args(words)
    table = {}
    say(
        f"{'video':<20}{'corrections':>12}{'frame':>7}{'J':>7}{'anew':>7}"
        f"{'frames':>8}{'s':>8}{'anew s':>8}"
    )
    for name, rounds in measure(
        load(options.weights),
        options.data,
        corrections=options.corrections,
        max_short_side=options.max_short_side,
    ):
        table[name] = rounds
        for number, row in enumerate(rounds):
            say(
                f"{name:<20}{number:>12}{row.frame:>7}{100 * row.j:7.1f}{100 * row.scratch_j:7.1f}"
                f"{row.made:>8}{row.seconds:8.1f}{row.scratch_seconds:8.1f}"
            )
    if not table:
        raise InputError(f"{options.data} has no video with a mask for each frame")
    for number in range(options.corrections + 1):
        rows = [rounds[min(number, len(rounds) - 1)] for rounds in table.values()]
        j, anew = (100 * np.mean([getattr(row, key) for row in rows]) for key in ("j", "scratch_j"))
        say(f"{'mean':<20}{number:>12}{'':>7}{j:7.1f}{anew:7.1f}")


if __name__ == "__main__":
    sys.exit(main())
