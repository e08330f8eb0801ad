"""Endless batches of training clips: mixed by weight, deterministic, resumable at any step."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Generator, Sequence
from typing import Any

import cv2
import grain
import numpy as np
from absl import flags

from vosjax.data import photos, sets, types
from vosjax.data.config import ClipsConfig
from vosjax.data.stills import Stills
from vosjax.data.synthetic import scene as scenes
from vosjax.data.synthetic.rendered import Rendered
from vosjax.errors import InputError
from vosjax.io.processes import end_with_parent
from vosjax.schema import replaced

# Clips of an endless source; grain's own endless length overflows when streams are mixed.
_ENDLESS = 2**48

Weighted = Sequence[tuple[float, types.ClipSource]]
Batch = dict[str, Any]  # of arrays, see `clips`


def sources(config: ClipsConfig) -> Weighted:
    """Opens the sources of clips of a config without phases, as (weight, source) pairs.

        pairs = sources(ClipsConfig())

    Raises:
        InputError: the config names no source, or one cannot be opened.
    """
    weighted = sets.weighted(config)
    stills, rendered = config.stills_settings, config.rendered_settings
    if config.crowd:
        stills = dataclasses.replace(stills, crowd=config.crowd)
        rendered = dataclasses.replace(rendered, crowd=config.crowd)
    if config.stills and config.stills_weight > 0:
        pairs = photos.pairs(config.stills)
        source = Stills(pairs, scenes.livelier(stills, config.motion))
        weighted.append((config.stills_weight, source))
    if config.rendered_weight > 0:
        weighted.append(
            (config.rendered_weight, Rendered(scenes.livelier(rendered, config.motion)))
        )
    if not weighted:
        raise InputError(
            f"no source of clips: stills is {config.stills!r}, stills_weight "
            f"{config.stills_weight}, rendered_weight {config.rendered_weight}; give data sets, "
            "a folder of stills or a positive rendered_weight"
        )
    return weighted


def clips(
    config: ClipsConfig,
    *,
    seed: int,
    batch: int,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
    workers: int = 0,
    threads: int = 0,
) -> Generator[Batch]:
    """Yields batches of clips for the training steps start_step, start_step + 1, ... without end.

        with contextlib.closing(clips(ClipsConfig(), seed=0, batch=4)) as batches:
            next(batches)["frames"].shape  # (4, 5, 465, 465, 3)

    The batch of a step does not depend on the number of workers, threads or hosts, nor on
    start_step. Close the iterator when it is no longer needed.

    Args:
        config: what the clips are made of.
        seed: seed of all random numbers.
        batch: clips per step over all hosts; this host gets B = batch / hosts of them, the rows
            host * B to (host + 1) * B, which its devices hold of an array split over all devices.
        start_step: the first step.
        host: number of this host, from 0.
        hosts: number of hosts.
        workers: processes that make clips; 0 makes them in this process.
        threads: threads of each process that make clips ahead of time; 0 makes them on demand.

    Yields:
        A dict of arrays: frames uint8 [B, T, H, W, 3], labels uint8 [B, T, H, W], live bool [B,
        max_objects], objects int32 [B] (see `types`).

    Raises:
        InputError: `batch` is no multiple of `hosts`, or a source cannot be opened.
    """
    _check(batch, host, hosts)
    parts = [(start, sources(part), spec_of(part)) for start, part in phased(config)]
    stream = functools.partial(
        mixed, seed=seed, batch=batch, host=host, hosts=hosts, workers=workers, threads=threads
    )
    if len(parts) == 1:
        _, weighted, spec = parts[0]
        return stream(weighted, spec, start_step=start_step)
    return _one_after_another(parts, start_step, stream)


def spec_of(config: ClipsConfig) -> types.ClipSpec:
    """Returns the shape of a config's clips.

    spec = spec_of(ClipsConfig())
    """
    return types.ClipSpec(
        config.frames, config.height, config.width, config.max_objects, config.shuffle
    )


def phased(config: ClipsConfig) -> list[tuple[int, ClipsConfig]]:
    """Splits a config into its phases: [(first step, config without phases)], the first at step 0.

        phased(ClipsConfig(phases=({"start": 100, "plain": True},)))[1][1].plain  # True

    Raises:
        InputError: a phase begins after a share of the steps, which `config.timed` makes a step.
    """
    if any("after" in phase for phase in config.phases):
        raise InputError(
            "a phase of the clips begins after a share of the steps, and how many steps there are "
            "is not known here: give its first step as `start`"
        )
    phases = [(0, dataclasses.replace(config, phases=()))]
    for phase in config.phases:
        changes = {name: value for name, value in phase.items() if name != "start"}
        phases.append((phase["start"], replaced(phases[0][1], changes)))
    return phases


def _one_after_another(
    parts: Sequence[tuple[int, Weighted, types.ClipSpec]],
    step: int,
    mix: Callable[..., Generator[Batch]],
) -> Generator[Batch]:
    ends = [start for start, _, _ in parts[1:]] + [None]
    for (_, weighted, spec), end in zip(parts, ends):
        if end is not None and step >= end:
            continue
        with contextlib.closing(mix(weighted, spec, start_step=step)) as stream:
            while end is None or step < end:
                yield next(stream)
                step += 1


def mixed(
    weighted: Weighted,
    spec: Any,
    *,
    seed: int,
    batch: int,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
    workers: int = 0,
    threads: int = 0,
) -> Generator[Batch]:
    """Yields batches as `clips` does, from any (weight, source) pairs and what their `clip` takes.

    batches = mixed([(1.0, Rendered())], ClipSpec(5, 465, 465), seed=0, batch=4)
    """
    _check(batch, host, hosts)
    parts = [
        _stream(source, spec, seed=int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
        for i, (_, source) in enumerate(weighted)
    ]
    stream = grain.MapDataset.mix(parts, [weight for weight, _ in weighted])
    # The hosts' parts are taken last, so that a clip is the same whichever host makes it.
    stream = stream[start_step * batch :].batch(batch // hosts)[host::hosts]
    stream = stream.to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    )
    if workers:
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # grain reads absl flags; notebooks never parse them
        stream = stream.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2),
            worker_init_fn=_begin_worker,
        )
    return _iterate(stream)


def _check(batch: int, host: int, hosts: int) -> None:
    if batch < 1 or batch % hosts:
        raise InputError(
            f"config.train.batch is {batch}; a multiple of the number of hosts, {hosts}, is "
            "expected"
        )
    if not 0 <= host < hosts:
        raise InputError(f"process {host} of {hosts}: they count from 0 to {hosts - 1}")


class _Make:
    """Calls a source; a class, because worker processes need something that can be pickled."""

    def __init__(self, source: types.ClipSource, spec: Any) -> None:
        self.source, self.spec = source, spec

    def __call__(self, index: int, rng: np.random.Generator) -> types.Clip:
        return self.source.clip(int(index), rng, self.spec)


def _stream(source: types.ClipSource, spec: Any, *, seed: int) -> Any:
    return (
        grain.MapDataset.range(len(source))
        .seed(seed)
        .shuffle()
        .repeat(_ENDLESS // len(source) + 1)
        .random_map(_Make(source, spec))
    )


def _iterate(stream: Any) -> Generator[Batch]:
    iterator = iter(stream)
    try:
        yield from iterator
    finally:
        iterator.close()


def _begin_worker(worker: int, workers: int) -> None:
    end_with_parent()
    cv2.setNumThreads(0)
