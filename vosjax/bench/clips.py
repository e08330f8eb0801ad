"""Measures the input pipeline: clips and frames per second, also in comparison to plain decoding.

Plain decoding is one thread that only decodes the stored frames and masks of the same datasets at
full size. The two alternate, so that other load on the machine affects both.
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
    """Measures the clips of a `ClipsConfig`; returns plain data, ready to be printed and stored.

        figures = measure(ClipsConfig(), batch=4, workers=2)

    Args:
        config: what the clips are made of; its first phase is measured.
        batch, workers, threads: as for `pipeline.clips`.
        rounds: number of rounds, in each of which both are measured.
        batches: number of batches that are timed per round, after those made ahead.
        seed: seed of the clips.

    Returns:
        dict: height, width, frames, batch, workers, threads, rounds;
        clips_per_second, frames_per_second: medians over the rounds; clips_per_second_range;
        core_ms_per_clip: processor time of one clip, made in this process by one thread (median);
            one core makes 1000 / core_ms_per_clip clips per second, on a busy machine too;
        decode_frames_per_second, ratio (frames of clips per plainly decoded frame, median),
            ratio_range, core_ratio (that ratio by processor time, with one thread): None if there
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
    """Returns clips per second, after those made ahead while the stream started are used up."""
    stream = pipeline.clips(config, seed=seed, batch=batch, workers=workers, threads=threads)
    with contextlib.closing(stream):
        for _ in range(1 + 3 * workers + -(-2 * threads // batch)):
            next(stream)
        start = time.perf_counter()
        for _ in range(batches):
            next(stream)
        return batches * batch / (time.perf_counter() - start)


def _cost(config: ClipsConfig, seed: int) -> Any:
    """Returns milliseconds of processor time per clip, the mean of some clips after two others."""
    with contextlib.closing(pipeline.clips(config, seed=seed, batch=1)) as stream:
        for _ in range(2):
            next(stream)
        start = time.process_time()
        for _ in range(_CLIPS):
            next(stream)
        return 1000 * (time.process_time() - start) / _CLIPS


def _plain(stored: Any, turn: int) -> Any:
    """Returns wall time and processor time, in seconds, to decode a frame and its mask."""
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
    start, processor, count = time.perf_counter(), time.process_time(), 0
    while count < _PLAIN:
        for image, mask in pairs:
            decode.image(image)
            if mask:
                decode.mask(mask)
            count += 1
    return (time.perf_counter() - start) / count, (time.process_time() - processor) / count
