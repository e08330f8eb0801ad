"""The dataset run: which videos are left, a worker for every device, files as they come.

A video is complete or absent: what was being computed when a run was killed is computed anew, and
nothing else is.
"""

import functools
import pathlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from vosjax.errors import DiskFull, InputError
from vosjax.eval import folder as files
from vosjax.eval import layout
from vosjax.eval import plan as plans
from vosjax.eval.engine import Engine, VideoInput
from vosjax.eval.stored import open_picture
from vosjax.io.video import read_image
from vosjax.runs import record


class Memory(NamedTuple):
    """When frames are remembered.

    mem_every       frames from one to the next
    max_mem_frames  most of them
    balance         wanted number of memory frames, for an interval of each video's own; None keeps
                    `mem_every`
    balance_low     bounds of that interval
    balance_high    likewise
    """

    mem_every: int
    max_mem_frames: int
    balance: int | None = None
    balance_low: int = 1
    balance_high: int = 20


class RunConfig(NamedTuple):
    """How a dataset is run, but for the network.

    folder   for what is made
    memory   see there
    batch    most videos that run side by side
    year     of `layout.read_given`
    """

    folder: pathlib.Path
    memory: Memory
    batch: int
    year: int


def run(
    sequences: Sequence[layout.EvalVideo],
    engines: Sequence[Engine],
    settings: RunConfig,
    *,
    slots: int | None,
    stop: list,
    progress: Callable[[int], Any] = lambda frames: None,
) -> None:
    """Runs the sequences that are not complete yet, with one thread for each engine.

    A video that cannot be read is recorded in `failed/` and the others go on.

    Args:
      sequences: of a dataset, or a share of them.
      engines: one for each device (or group of devices).
      settings: see above.
      slots: of the network.
      stop: something in it ends the run after the frames under way.
      progress: told the number of frames that are through.

    Raises:
      DiskFull: the disk is full.
    """
    planned, waiting = [], queue.SimpleQueue()
    for sequence in sequences:
        facts = files.done(settings.folder, sequence)
        if facts is not None:
            progress(len(sequence.frames))
            continue
        try:
            planned.append((_plan(sequence, settings, slots), sequence))
        except InputError as error:
            files.fail(settings.folder, sequence.name, error)
    for batch in plans.batches(planned, settings.batch):
        waiting.put(batch)
    errors = []

    def work(engine):
        while not stop and not errors:
            try:
                batch = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                _try_batch(engine, batch, settings, stop, progress)
            except BaseException as error:
                errors.append(error)

    threads = [
        threading.Thread(target=work, args=(engine,), name=f"device{i}")
        for i, engine in enumerate(engines[1:], 1)
    ]
    for thread in threads:
        thread.start()
    work(engines[0])
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _plan(sequence, settings, slots):
    size = read_image(open_picture(sequence.frames[0])).shape[:2]
    memory, mem_every = settings.memory, settings.memory.mem_every
    if memory.balance is not None:
        length = len(sequence.frames) - min(sequence.starts.values())
        mem_every = plans.balanced_gap(
            length, target=memory.balance, low=memory.balance_low, high=memory.balance_high
        )
    return plans.plan(sequence, size, slots=slots, gap=mem_every, limit=memory.max_mem_frames)


def _try_batch(engine, batch, settings, stop, progress):
    """A batch; where that fails, its videos one by one."""
    try:
        _run_batch(engine, batch, settings, stop, progress)
    except DiskFull:
        raise
    except (InputError, jax.errors.JaxRuntimeError) as error:
        if len(batch) == 1 and not isinstance(error, InputError):
            raise
        if len(batch) == 1:
            files.fail(settings.folder, batch[0][1].name, error)
            return
        for pair in batch:
            _try_batch(engine, [pair], settings, stop, progress)


def _run_batch(engine, batch, settings, stop, progress):
    plan = batch[0][0]
    videos = [_video(sequence, plan, settings.year) for _, sequence in batch]
    writers = [
        files.Writer(settings.folder, sequence, video.ids)
        for (_, sequence), video in zip(batch, videos)
    ]
    counts, before = [0] * len(batch), engine.compile_seconds
    start = began = time.perf_counter()
    try:
        for writer in writers:
            writer.empty(plan.size)
        for number, outcomes in enumerate(engine.follow(plan, videos)):
            if number == 0:
                start = time.perf_counter()
            for i, outcome in enumerate(outcomes):
                if outcome is not None:
                    writers[i].write(outcome)
                    counts[i] += 1
            progress(sum(outcome is not None for outcome in outcomes))
            if stop:
                return
        end = time.perf_counter()
        progress(sum(len(video.frames) for video in videos) - sum(counts))
        compiled = engine.compile_seconds - before
        for writer, (_, sequence), count in zip(writers, batch, counts):
            seconds = {
                "seconds": round((end - began - compiled) / len(batch), 4),
                "seconds_after_first": round((end - start) / len(batch), 4),
                "compile_seconds": round(compiled / len(batch), 3),
            }
            writer.finish(_facts(sequence, plan, count, len(batch)) | seconds)
    finally:
        for writer in writers:
            writer.close()


def _facts(sequence, plan, count, together):
    return {
        "name": sequence.name,
        "frames": len(sequence.frames),
        "computed": count,
        "objects": len(sequence.starts),
        "gap": plan.gap,
        "capacity": plan.capacity,
        "together": together,
        "size": list(plan.size),
        "peak_memory_bytes": record.peak_memory(),
    }


def _video(sequence, plan, year) -> VideoInput:
    """Readers of the frames, and the masks that are given.

    Raises:
      InputError: a mask that cannot be read or is not of its frame's size.
    """
    ids = tuple(sorted(sequence.starts, key=lambda key: (sequence.starts[key], key)))
    marks = {index: layout.read_given(sequence, index, year=year) for index in plan.given}
    for index, labels in marks.items():
        if labels.shape != plan.size:
            raise InputError(
                "{} is {} x {}, its frames are {} x {} (width x height): unpack the "
                "dataset again".format(sequence.masks[index], *labels.shape[::-1], *plan.size[::-1])
            )
    frames = [
        functools.partial(_read, path, index, plan.size)
        for index, path in enumerate(sequence.frames)
    ]
    return VideoInput(frames, marks, ids)


def _read(path, index, size) -> np.ndarray:
    image = read_image(open_picture(path))
    if image.shape[:2] != size:
        raise InputError(
            "frame {} ({}) is {} x {}, the first is {} x {} (width x height): all "
            "frames of a video have one size".format(index, path, *image.shape[1::-1], *size[::-1])
        )
    return image
