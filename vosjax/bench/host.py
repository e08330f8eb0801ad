"""What the host does for a frame: its parts one by one, and beside a device that only waits.

The clip is the sample clip of the quickstart, enlarged, as JPEGs and as an mp4. A frame's parts
are those of `--mode segment` and `--mode eval`: read, prepare, dispatch, fetch, write.
"""

import os
import pathlib
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import cv2
import numpy as np

from vosjax.bench.waiting import WaitingDevice
from vosjax.data.synthetic.sample import sample_clip
from vosjax.eval import dataset, videos
from vosjax.eval.engine import Engine
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, write_label_png
from vosjax.io.scores import ObjectScore, ScoreWriter
from vosjax.io.video import open_video
from vosjax.io.writer import OverlayWriter
from vosjax.loading.ensembles import Part
from vosjax.loading.pretrained import Loaded
from vosjax.runs.books import FrameBooks
from vosjax.tracking.slots import HostArray
from vosjax.tracking.tracker import Tracker

QUALITY = 90  # of the JPEGs


class Clip(NamedTuple):
    """A clip on the disk.

    folder  a dataset of one or more videos in the layout of DAVIS, each the same frames
    jpegs   the folder of the first one's frames
    film    the same frames as an mp4
    first   the mask of frame 0
    labels  the truth of each frame, uint8 [H, W]
    """

    folder: pathlib.Path
    jpegs: pathlib.Path
    film: pathlib.Path
    first: pathlib.Path
    labels: list[HostArray]


class Pace(NamedTuple):
    """How fast a whole run was, beside a device that only waits.

    name     what ran
    rate     frames/s between the first and the last result
    share    that rate as a share of the device's own
    idle     share of this time in which the device had nothing to do
    cpu      milliseconds of CPU time of all threads for a frame
    ending   seconds from the last result to the end of the run
    """

    name: str
    rate: float
    share: float
    idle: float
    cpu: float
    ending: float


def write_clip(
    folder: pathlib.Path, *, frames: int, size: tuple[int, int], copies: int = 3
) -> Clip:
    """Writes the clip.

        clip = write_clip(pathlib.Path("scratch"), frames=120, size=(480, 854))

    Args:
        folder: an empty folder.
        frames: number of frames; the sample clip is played forth and back.
        size: (H, W) of the frames.
        copies: number of equal videos of the dataset.
    """
    sample = sample_clip()
    width_height = size[::-1]
    images = [cv2.resize(image, width_height) for image in sample["frames"]]
    maps = [
        cv2.resize(labels, width_height, interpolation=cv2.INTER_NEAREST)
        for labels in sample["labels"]
    ]
    last = len(images) - 1
    order = [last - abs(last - index % (2 * last)) for index in range(frames)]
    stored = [_jpeg(image) for image in images]
    for number in range(copies):
        own = folder / "JPEGImages" / f"clip{number}"
        own.mkdir(parents=True)
        for index, source in enumerate(order):
            (own / f"{index:05d}.jpg").write_bytes(stored[source])
        first = folder / "Annotations" / f"clip{number}" / "00000.png"
        write_label_png(first, maps[0])
    with OverlayWriter(folder / "clip.mp4", fps=25, size=size) as film:
        for source in order:
            film.write(images[source])
    return Clip(
        folder,
        folder / "JPEGImages" / "clip0",
        folder / "clip.mp4",
        folder / "Annotations" / "clip0" / "00000.png",
        [maps[source] for source in order],
    )


def parts(clip: Clip, model: Loaded, scratch: pathlib.Path) -> dict[str, float]:
    """Returns {part: milliseconds of CPU time for a frame}, of each part alone.

        parts(clip, load(), pathlib.Path("scratch"))["mask PNG"]

    Args:
        clip: the clip.
        model: the network whose tracker prepares and dispatches; it computes nothing.
        scratch: a folder for files.
    """
    count, labels = len(clip.labels), clip.labels
    images = [frame.image for frame in open_video(clip.jpegs).stream(0)]
    device = WaitingDevice(0.0, labels)
    with device.in_place():
        tracker = Tracker(model, max_mem_frames=4)
        tracker.step(images[0], labels[0])
        dispatched = [tracker.submit(image) for image in images[:2]]
    scores = [ObjectScore(id, 0.9, 0.8, 1000, False) for id in (1, 2, 3)]
    masks = [scratch / f"{index:05d}.png" for index in range(count)]
    with (
        ScoreWriter(scratch / "scores.csv") as table,
        OverlayWriter(scratch / "film.mp4", fps=25, size=labels[0].shape) as film,
    ):
        books = FrameBooks(scratch / "books.jsonl", resume=0)

        def book(index: int) -> None:
            rows = table.write(index, f"{index:05d}", scores)
            books.note(index, mask=masks[index], rows=rows)

        def write_mask(index: int) -> None:
            write_label_png(masks[index], labels[index])

        def submit(index: int) -> None:
            dispatched.append(tracker.submit(images[index]))

        spent = {
            "read a JPEG": _spent(lambda: _drained(open_video(clip.jpegs).stream(0))) / count,
            "read a frame of the mp4": _spent(lambda: _drained(open_video(clip.film).stream(0)))
            / count,
            "prepare, upload, dispatch": _each(submit, count),
            "fetch labels and scores": _each(lambda index: dispatched[index](), count),
            "mask PNG": _each(write_mask, count),
            "scores, books, digests": _each(book, count),
            "overlay film (not in the runs)": _each(
                lambda index: film.write(overlay(images[index], labels[index], palette=DAVIS)),
                count,
            ),
        }
        books.close()
    return {part: 1000 * seconds for part, seconds in spent.items()}


def run_dataset(clip: Clip, model: Loaded, output: pathlib.Path) -> None:
    """Runs the dataset of a clip as `--mode eval` does, without scoring it.

        with WaitingDevice(0.005, clip.labels).in_place():
            run_dataset(clip, load(), pathlib.Path("out"))

    Args:
        clip: the clip.
        model: the network.
        output: the folder of the run.
    """
    engine = Engine([Part(model.model.vos, model.params, 0)])
    memory = dataset.Memory(mem_every=5, max_mem_frames=4)
    settings = dataset.RunConfig(output, memory, 1, 2017)
    dataset.run(
        videos.discover(clip.folder), [engine], settings, slots=model.model.vos.slots, stop=[]
    )


def pace(name: str, seconds: float, clip: Clip, run: Callable[[], Any]) -> Pace:
    """Runs something beside a device that only waits.

        pace("eval", 0.005, clip, lambda: run_dataset(clip, model, folder)).share

    Args:
        name: what it is.
        seconds: how long a frame takes on the device.
        clip: the clip whose truth is the device's results.
        run: tracks frames by trackers or engines.
    """
    device = WaitingDevice(seconds, clip.labels)
    with device.in_place():
        run()
    end, frames = time.perf_counter(), len(device.fetched) - 1
    (first, begun), (last, spent) = device.fetched[0], device.fetched[-1]
    rate = frames / (last - first)
    return Pace(
        name,
        rate,
        rate * seconds,
        device.waited / (last - first),
        1000 * (spent - begun) / frames,
        end - last,
    )


def lines(
    spent: dict[str, float], paces: Iterable[Pace], *, seconds: float, frames: int
) -> list[str]:
    """Formats the figures for people.

        print(*lines(spent, paces, seconds=0.005, frames=120), sep="\\n")

    Args:
        spent: of `parts`.
        paces: of `pace`.
        seconds: how long a frame takes on the device.
        frames: number of frames of the clip.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = [
        f"a device that only waits {1000 * seconds:g} ms a frame, {1 / seconds:.0f} frames/s; "
        f"{frames} frames; {cores} cores",
        "",
        "CPU time of a part alone, ms a frame",
    ]
    text += [f"  {part:<32} {milliseconds:6.2f}" for part, milliseconds in spent.items()]
    text += ["", "whole runs: frames/s, share of the device's, device idle, CPU ms a frame, ending"]
    text += [
        f"  {one.name:<32} {one.rate:6.1f}  {one.share:5.0%}  {one.idle:5.0%}  {one.cpu:6.2f}  "
        f"{one.ending:.2f} s"
        for one in paces
    ]
    return text


def _jpeg(image: HostArray) -> bytes:
    fine, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    assert fine
    return np.asarray(data).tobytes()


def _spent(work: Callable[[], Any]) -> float:
    """Returns seconds of CPU time of all threads."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _each(work: Callable[[int], Any], count: int) -> float:
    """Returns seconds of CPU time of one of `count` calls."""
    return _spent(lambda: [work(index) for index in range(count)]) / count


def _drained(frames: Iterable[Any]) -> None:
    for _ in frames:
        pass
