"""Runs videos of one plan, writes their files, and completes them behind those that follow."""

import contextlib
import functools
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from vosjax.datasets.decode import Picture
from vosjax.errors import DiskFull, InputError
from vosjax.eval import audit
from vosjax.eval import folder as run_folder
from vosjax.eval import plan as plans
from vosjax.eval.audit import FrameDigests
from vosjax.eval.engine import Engine, VideoInput
from vosjax.eval.videos import EvalVideo, decode_frame, read_given
from vosjax.runs import machine
from vosjax.runs.profile import Profile

Planned = tuple[plans.Plan, EvalVideo]
Finish = Callable[[], None]


class Memory(NamedTuple):
    """Which frames are remembered.

    mem_every       frames from one remembered frame to the next
    max_mem_frames  most remembered frames
    balance         number of memory frames for which each video's own interval is chosen; None
                    takes `mem_every` for all
    balance_low     smallest such interval
    balance_high    largest such interval
    """

    mem_every: int
    max_mem_frames: int
    balance: int | None = None
    balance_low: int = 1
    balance_high: int = 20


class RunConfig(NamedTuple):
    """How a dataset is run.

    folder   the output folder
    memory   which frames are remembered
    batch    most videos that run side by side
    year     year of DAVIS, see `videos.read_given`
    profile  profiles chosen frames of the first video that has them
    """

    folder: pathlib.Path
    memory: Memory
    batch: int
    year: int
    profile: Profile = Profile()


def run_batch(
    engine: Engine,
    batch: list[Planned],
    config: RunConfig,
    stop: Sequence[Any],
    progress: Callable[[int], Any],
) -> list[Finish]:
    """Runs a batch; if that fails, runs its videos one by one.

        finish(run_batch(engine, batch, config, stop=[], progress=print), locks)

    Args:
        engine: runs the videos.
        batch: videos of one plan.
        config: how they are run.
        stop: once it holds an item, no further frame is begun.
        progress: called with the number of frames that were completed since the last call.

    Returns:
        What completes each video, to be called while the next ones run; nothing for videos that
        failed or were stopped.

    Raises:
        DiskFull: the disk is full.
    """
    try:
        return _followed(engine, batch, config, stop, progress)
    except DiskFull:
        raise
    except (InputError, jax.errors.JaxRuntimeError) as error:
        if len(batch) == 1 and not isinstance(error, InputError):
            raise
        if len(batch) == 1:
            run_folder.fail(config.folder, batch[0][1].name, error)
            return []
        return [
            finish
            for planned in batch
            for finish in run_batch(engine, [planned], config, stop, progress)
        ]


def finish(videos: list[Finish], locks: contextlib.ExitStack) -> None:
    """Completes videos: waits for their files, writes their records, and releases their locks.

    finish(run_batch(...), locks)
    """
    with locks:
        for finish in reversed(videos):
            locks.callback(finish)  # called before the locks are released, and in any case


def _followed(
    engine: Engine,
    batch: list[Planned],
    config: RunConfig,
    stop: Sequence[Any],
    progress: Callable[[int], Any],
) -> list[Finish]:
    plan = batch[0][0]
    frame_digests = [FrameDigests(video) for _, video in batch]
    inputs = [_input(digests, plan, config.year) for digests in frame_digests]
    counts, before = [0] * len(batch), engine.compile_seconds
    with contextlib.ExitStack() as stack:
        writers = [
            run_folder.Writer(config.folder, video, source.ids)
            for (_, video), source in zip(batch, inputs)
        ]
        for writer in writers:
            stack.callback(writer.close)
        start = began = time.perf_counter()
        for writer in writers:
            writer.empty(plan.size)
        longest = max(len(video.frames) for _, video in batch)
        frames = config.profile.over(
            engine.follow(plan, inputs), start=min(plan.annotated), end=longest
        )
        for number, outputs in enumerate(frames):
            if number == 0:
                start = time.perf_counter()
            for i, output in enumerate(outputs):
                if output is not None:
                    writers[i].write(output)
                    counts[i] += 1
            progress(sum(output is not None for output in outputs))
            if stop:
                return []
        end = time.perf_counter()
        stack.pop_all()
    progress(sum(len(video.frames) for _, video in batch) - sum(counts))
    compiled = engine.compile_seconds - before
    seconds = {
        "seconds": round((end - began - compiled) / len(batch), 4),
        "seconds_after_first": round((end - start) / len(batch), 4),
        "compile_seconds": round(compiled / len(batch), 3),
    }
    return [
        functools.partial(
            _complete,
            config,
            digests,
            writer,
            _facts(digests.video, plan, count, len(batch)) | seconds,
        )
        for writer, digests, count in zip(writers, frame_digests, counts)
    ]


def _complete(
    config: RunConfig,
    digests: FrameDigests,
    writer: run_folder.Writer,
    facts: run_folder.Record,
) -> None:
    """Waits for a video's files and writes its record; one that cannot be read back has failed."""
    try:
        made_of = audit.inputs(digests.video, year=config.year, seen=digests)
        writer.finish(facts | {"inputs": made_of})
    except DiskFull:
        raise
    except InputError as error:
        run_folder.fail(config.folder, digests.video.name, error)
    finally:
        writer.close()


def _facts(video: EvalVideo, plan: plans.Plan, count: int, together: int) -> run_folder.Record:
    return {
        "name": video.name,
        "frames": len(video.frames),
        "computed": count,
        "objects": len(video.starts),
        "gap": plan.mem_every,
        "capacity": plan.capacity,
        "together": together,
        "size": list(plan.size),
        "peak_memory_bytes": machine.peak_memory(),
    }


def _input(seen: FrameDigests, plan: plans.Plan, year: int) -> VideoInput:
    """Returns readers of a video's frames, which take their digests, and its given masks.

    Raises:
        InputError: a mask cannot be read, or is not of its frame's size.
    """
    video = seen.video
    ids = tuple(sorted(video.starts, key=lambda key: (video.starts[key], key)))
    prompts = {index: read_given(video, index, year=year) for index in plan.annotated}
    for index, labels in prompts.items():
        if labels.shape != plan.size:
            raise InputError(
                "{} is {} x {}, its frames are {} x {} (width x height): unpack the dataset "
                "again".format(
                    video.source.locate(video.number, index).mask,
                    *labels.shape[::-1],
                    *plan.size[::-1],
                )
            )
    frames = [functools.partial(_read, seen, i, plan.size) for i in range(len(video.frames))]
    return VideoInput(frames, prompts, ids)


def _read(seen: FrameDigests, index: int, size: tuple[int, int]) -> Picture:
    video = seen.video
    image = decode_frame(video, index, seen.read(index).image)
    if image.shape[:2] != size:
        raise InputError(
            "frame {} ({}) is {} x {}, the first is {} x {} (width x height): all frames of a "
            "video have one size".format(
                index,
                video.source.locate(video.number, index).image,
                *image.shape[1::-1],
                *size[::-1],
            )
        )
    return image
