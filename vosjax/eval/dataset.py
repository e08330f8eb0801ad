"""Runs a network over the videos of a dataset: one worker per device, files written as they come.

A video is either complete or absent: if a run is killed, the next one computes exactly the videos
that were under way, and those that had not begun. The process that runs a video holds its lock, so
several processes can share a folder.
"""

import concurrent.futures
import contextlib
import pathlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from vosjax.errors import InputError
from vosjax.eval import folder as run_folder
from vosjax.eval import plan as plans
from vosjax.eval.batches import Memory, Planned, RunConfig, finish, run_batch
from vosjax.eval.engine import Engine
from vosjax.eval.videos import EvalVideo, read_frame
from vosjax.io import lock
from vosjax.loading.pretrained import Loaded
from vosjax.refine.offline import Stages


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
                        done = run_batch(engine, batch, config, stop, progress) if batch else []
                        before = finishing
                        finishing = finisher.submit(finish, done, locks.pop_all())
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
