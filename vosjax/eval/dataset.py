"""Runs a network over the videos of a dataset: one worker per device, files written as they come.

A video is either complete or absent: if a run is killed, the next one computes exactly the videos
that were under way, and those that had not begun. The process that runs a video holds its lock, so
several processes can share a folder.
"""

import concurrent.futures
import contextlib
import functools
import pathlib
import queue
import threading
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
from vosjax.eval.videos import EvalVideo, decode_frame, read_frame, read_given
from vosjax.io import lock
from vosjax.loading.pretrained import Loaded
from vosjax.refine.offline import Stages
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


def memory_of(config: Any, network: Loaded) -> Memory:
    """Returns which frames are remembered: by the config, or else by the model's defaults.

        from vosjax.config import opened
        memory_of(opened("base"), vosjax.load()).mem_every

    Args:
        config: a `Config`.
        network: the network that it describes.
    """
    return Memory(
        config.mem_every or network.config["mem_every"],
        config.max_mem_frames or network.config["max_mem_frames"],
        config.balance,
        config.balance_low,
        config.balance_high,
    )


def settings_of(
    config: Any, network: Loaded, *, data: str, videos: int, stages: Stages
) -> dict[str, Any]:
    """Returns everything that decides a run's results, which its record keeps and compares.

        from vosjax.config import opened
        settings_of(opened("base"), vosjax.load(), data="DAVIS", videos=30, stages=Stages())

    Args:
        config: a `Config`.
        network: the network that it describes.
        data: the dataset's folder or name.
        videos: number of its videos.
        stages: what refines the masks.
    """
    members = {name: member.weights for name, member in config.members.items()}
    return {
        "data": data,
        "family": network.config["family"],
        "model": network.config["model"],
        "weights": members or config.weights,
        "weights_sha256": network.card.get("sha256", ""),
        "dtype": network.config.get("dtype"),
        **memory_of(config, network)._asdict(),
        "max_short_side": config.max_short_side,
        "videos": videos,
        "eval": config.eval.selection(),
        **({"refine": stages.settings} if any(stages) else {}),
    }


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


def run(
    videos: Sequence[EvalVideo],
    engines: Sequence[Engine],
    config: RunConfig,
    *,
    slots: int | None,
    stop: Sequence[Any],
    progress: Callable[[int], Any] = lambda frames: None,
) -> dict[str, str]:
    """Runs the videos that are not complete yet, with one thread for each engine.

        memory = Memory(mem_every=5, max_mem_frames=32)
        config = RunConfig(pathlib.Path("runs/davis"), memory, batch=4, year=2017)
        run(videos.discover("DAVIS", split="val"), engines, config, slots=10, stop=[])

    A video that cannot be read is recorded in `failed/`, and the run continues with the others.

    Args:
        videos: the videos of a dataset, or a share of them.
        engines: one for each device or group of devices.
        config: how they are run, see `RunConfig`.
        slots: number of slots of the network; None if it takes any number of objects.
        stop: a signal to end the run: once it holds an item, no further frame is begun.
        progress: called with the number of frames that were completed since the last call.

    Returns:
        {video: holder of its lock} of the videos that other processes run, which are passed over.

    Raises:
        DiskFull: the disk is full.
    """
    planned: list[Planned] = []
    for video in videos:
        if run_folder.done(config.folder, video) is not None:
            progress(len(video.frames))
            continue
        try:
            planned.append((_plan(video, config.memory, slots), video))
        except InputError as error:
            run_folder.fail(config.folder, video.name, error)
    waiting: queue.SimpleQueue[list[Planned]] = queue.SimpleQueue()
    for batch in plans.batches(planned, config.batch):
        waiting.put(batch)
    errors: list[BaseException] = []
    busy: dict[str, str] = {}

    def work(engine: Engine) -> None:
        finishing: concurrent.futures.Future[None] | None = None
        with concurrent.futures.ThreadPoolExecutor(1, "finish") as finisher:
            try:
                while not stop and not errors:
                    try:
                        batch = waiting.get_nowait()
                    except queue.Empty:
                        break
                    with contextlib.ExitStack() as locks:
                        batch = _claimed(locks, batch, config.folder, busy, progress)
                        done = _try_batch(engine, batch, config, stop, progress) if batch else []
                        before = finishing
                        finishing = finisher.submit(_finish, done, locks.pop_all())
                        if before is not None:
                            before.result()
                if finishing is not None:
                    finishing.result()
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
    return busy


def _claimed(
    stack: contextlib.ExitStack,
    batch: list[Planned],
    folder: pathlib.Path,
    busy: dict[str, str],
    progress: Callable[[int], Any],
) -> list[Planned]:
    """Locks the videos of a batch that no other process runs or has finished in the meantime.

    The others are noted in `busy`, or counted as done. `stack` holds the locks.
    """
    claimed = []
    for planned in batch:
        video = planned[1]
        path = run_folder.lock_file(folder, video)
        try:
            stack.enter_context(lock.locked(path, what=video.name))
        except lock.Held:
            busy[video.name] = lock.holder(path)
            continue
        if run_folder.done(folder, video) is not None:
            progress(len(video.frames))
            continue
        claimed.append(planned)
    return claimed


def _plan(video: EvalVideo, memory: Memory, slots: int | None) -> plans.Plan:
    if video.damage:
        raise InputError(video.damage)
    height, width, _ = read_frame(video, 0).shape
    mem_every = memory.mem_every
    if memory.balance is not None:
        length = len(video.frames) - min(video.starts.values())
        mem_every = plans.balanced_mem_every(
            length, target=memory.balance, low=memory.balance_low, high=memory.balance_high
        )
    return plans.plan(
        video,
        (height, width),
        slots=slots,
        mem_every=mem_every,
        max_mem_frames=memory.max_mem_frames,
    )


def _try_batch(
    engine: Engine,
    batch: list[Planned],
    config: RunConfig,
    stop: Sequence[Any],
    progress: Callable[[int], Any],
) -> list[Finish]:
    """Runs a batch; if that fails, runs its videos one by one. Returns what finishes them."""
    try:
        return _run_batch(engine, batch, config, stop, progress)
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
            for finish in _try_batch(engine, [planned], config, stop, progress)
        ]


def _finish(videos: list[Finish], locks: contextlib.ExitStack) -> None:
    """Completes videos while the next ones run: waits for their files, and writes their records."""
    with locks:
        for finish in reversed(videos):
            locks.callback(finish)  # called before the locks are released, and in any case


def _run_batch(
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
