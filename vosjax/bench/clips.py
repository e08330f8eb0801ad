"""Measures the input pipeline: clips and frames a second, and against plain decoding.

Plain decoding is one thread that turns the same sets' stored frames and masks into arrays at full
size, and does nothing else. Both take turns, so that whatever else the machine does falls on both.
"""

import contextlib
import statistics
import time
from typing import Any

import cv2

from vosjax.data import pipeline
from vosjax.data.config import ClipsConfig
from vosjax.datasets import decode

_PLAIN = 40  # frames of one round of plain decoding
_CLIPS = 8  # clips of one round whose processor time is taken


def measure(
    config: ClipsConfig,
    *,
    batch: int = 4,
    workers: int = 0,
    threads: int = 0,
    rounds: int = 5,
    batches: int = 8,
    seed: int = 0,
) -> Any:
    """Figures of a `ClipsConfig` as plain data, ready to be printed and stored.

        figures = measure(ClipsConfig(), batch=4, workers=2)

    Args:
        config: its first phase is measured.
        batch, workers, threads: as `pipeline.clips`.
        rounds: times that the two take turns.
        batches: timed in each round, after those that were made ahead.
        seed: of the clips.

    Returns:
        dict: height, width, frames, batch, workers, threads, rounds;
        clips_per_second, frames_per_second: medians over the rounds; clips_per_second_range;
        core_ms_per_clip: processor time of one clip, made in this process by one thread (median);
            1000 / it is what one core makes, whatever else the machine does;
        decode_frames_per_second, ratio (frames of clips per plainly decoded frame, median),
            ratio_range, core_ratio (the same by processor time, of one thread): None where the sets
            are no stored videos or photos.
    """
    (_, config), *_ = pipeline.phased(config)
    stored = [
        source
        for _, source in pipeline.sources(config)
        if hasattr(source, "source") or hasattr(source, "photos")
    ]
    before = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        rates, plain, costs, plain_costs = [], [], [], []
        for turn in range(rounds):
            rates.append(_rate(config, batch, workers, threads, batches, seed + turn))
            costs.append(_cost(config, seed + turn))
            if stored:
                seconds, processor = _plain(stored, turn)
                plain.append(1 / seconds)
                plain_costs.append(1000 * processor)
    finally:
        cv2.setNumThreads(before)
    ratios = [rate * config.frames / other for rate, other in zip(rates, plain)]
    return dict(
        height=config.height,
        width=config.width,
        frames=config.frames,
        batch=batch,
        workers=workers,
        threads=threads,
        rounds=rounds,
        clips_per_second=statistics.median(rates),
        clips_per_second_range=(min(rates), max(rates)),
        frames_per_second=statistics.median(rates) * config.frames,
        core_ms_per_clip=statistics.median(costs),
        decode_frames_per_second=statistics.median(plain) if plain else None,
        ratio=statistics.median(ratios) if ratios else None,
        ratio_range=(min(ratios), max(ratios)) if ratios else None,
        core_ratio=statistics.median(
            config.frames * other / cost for cost, other in zip(costs, plain_costs)
        )
        if plain
        else None,
    )


def _rate(
    config: ClipsConfig, batch: int, workers: int, threads: int, batches: int, seed: int
) -> Any:
    """Clips a second, once what was made ahead while the stream started is used up."""
    stream = pipeline.clips(config, seed=seed, batch=batch, workers=workers, threads=threads)
    with contextlib.closing(stream):
        for _ in range(1 + 3 * workers + -(-2 * threads // batch)):
            next(stream)
        start = time.perf_counter()
        for _ in range(batches):
            next(stream)
        return batches * batch / (time.perf_counter() - start)


def _cost(config: ClipsConfig, seed: int) -> Any:
    """Milliseconds of processor time of a clip, mean of some after two."""
    with contextlib.closing(pipeline.clips(config, seed=seed, batch=1)) as stream:
        for _ in range(2):
            next(stream)
        start = time.process_time()
        for _ in range(_CLIPS):
            next(stream)
        return 1000 * (time.process_time() - start) / _CLIPS


def _plain(stored: Any, turn: int) -> Any:
    """Seconds, and seconds of processor time, in which one thread decodes a frame and its mask."""
    pairs = []
    for source in stored:
        item = turn % len(source)
        if hasattr(source, "photos"):
            pairs += [
                tuple(
                    part if isinstance(part, bytes) else open(part, "rb").read()
                    for part in source.photos[item]
                )
            ]
        else:
            count = len(source.source.header(item).areas)
            pairs += [
                (frame.image, frame.mask)
                for frame in source.source.read(item, range(min(count, _PLAIN)))
            ]
    start, processor, done = time.perf_counter(), time.process_time(), 0
    while done < _PLAIN:
        for image, mask in pairs:
            decode.image(image)
            if mask:
                decode.mask(mask)
            done += 1
    return (time.perf_counter() - start) / done, (time.process_time() - processor) / done
