"""Endless batches of training clips: mixed by weight, deterministic, resumable from a step."""

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
from vosjax.data.stills import Stills, StillsSettings
from vosjax.data.synthetic import scene as scenes
from vosjax.data.synthetic.rendered import Rendered, RenderedSettings
from vosjax.errors import InputError

_ENDLESS = 2**48  # clips of a source; grain's own endless length overflows when streams are mixed


@dataclasses.dataclass(frozen=True)
class ClipsConfig:
    """What the training clips are made of.

    Data sets, photos and rendered clips are mixed by their weights; with data sets alone,
    `rendered_weight` is 0. Change anything between phases for a curriculum.
    """

    stills: str | None = None  # a folder with images/ and masks/, or None: rendered clips only
    frames: int = 5
    height: int = 465
    width: int = 465
    max_objects: int = 10
    shuffle: bool = True  # identity shuffling
    motion: float = 1.0  # factor on all motion of coherent and rendered clips
    stills_weight: float = 0.7
    rendered_weight: float = 0.3
    stills_settings: StillsSettings = StillsSettings()
    rendered_settings: RenderedSettings = RenderedSettings()
    # data sets: see `sets.Set`, or dicts of its fields
    sets: tuple = ()
    root: str = ""  # where relative folders of the sets stand
    sets_weight: float = 1.0  # of all sets together, beside the two weights above
    recipe: str = "aot"  # how clips are made of the sets: a file of `samplers`
    merge: float = 0.3  # AOT: probability that two videos are merged
    merges: int = 1  # composed: so many times at most, each with that probability
    guests: float = 0.5  # composed: probability that objects of photos cross a video
    crowd: float = 0.0  # probability of many small objects in a clip of stills or a rendered one
    colour: bool = False  # AOT: jitter, grey and blur (its second augmentation)
    plain: bool = False  # AOT: videos cropped and nothing else: arXiv 2206.09585's end
    skip: int = 5  # STCN: largest skip
    # from step `start` on other values hold: dicts of `start` and fields above, by rising start
    phases: tuple = ()


Weighted = Sequence[tuple[float, types.ClipSource]]
Batch = dict[str, Any]  # of arrays, see `clips`


def sources(config: ClipsConfig) -> list[tuple[float, types.ClipSource]]:
    """The (weight, source of clips) pairs of a config without its phases.

    Raises:
        InputError: there is no source, or one cannot be opened.
    """
    weighted = sets.weighted(config)
    stills, rendered = config.stills_settings, config.rendered_settings
    if config.crowd:
        stills = dataclasses.replace(stills, crowd=config.crowd)
        rendered = dataclasses.replace(rendered, crowd=config.crowd)
    if config.stills is not None and config.stills_weight > 0:
        pairs = photos.pairs(config.stills)
        source = Stills(pairs, scenes.livelier(stills, config.motion))
        weighted.append((config.stills_weight, source))
    if config.rendered_weight > 0:
        weighted.append(
            (config.rendered_weight, Rendered(scenes.livelier(rendered, config.motion)))
        )
    if not weighted:
        raise InputError(
            f"no source of clips: stills is {config.stills}, stills_weight {config.stills_weight}, "
            f"rendered_weight {config.rendered_weight}; give data sets, a folder of stills or a "
            "positive rendered_weight"
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
    """An endless iterator of batches for training steps start_step, start_step + 1, ...

        with contextlib.closing(clips(ClipsConfig(), seed=0, batch=4)) as batches:
            next(batches)["frames"].shape  # (4, 5, 465, 465, 3)

    Step n is the same for any number of workers, threads and hosts and for any start_step. Close
    the iterator when it is no longer needed.

    Args:
        config: what the clips are made of.
        seed: of all random numbers.
        batch: clips in a step over all hosts; this host gets the B = batch / hosts rows host,
            host + hosts, ...
        start_step: the first step.
        host: number of this host.
        hosts: their count.
        workers: processes that make clips; 0 for none.
        threads: threads in each process that make clips ahead of time; 0 makes them when asked for.

    Yields:
        A dict of arrays: frames uint8 [B, T, H, W, 3], labels uint8 [B, T, H, W], live bool [B,
        max_objects], objects int32 [B] (see `types`).

    Raises:
        ValueError: settings that do not fit together.
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
    """The shape of a config's clips."""
    return types.ClipSpec(
        config.frames, config.height, config.width, config.max_objects, config.shuffle
    )


def phased(config: ClipsConfig) -> list[tuple[int, ClipsConfig]]:
    """[(first step, config without phases)] of a config, by rising steps, from 0 on.

        phased(ClipsConfig(phases=(dict(start=100, plain=True),)))[1][1].plain  # True

    Raises:
        InputError: a phase without a rising `start`, or with a field that there is not.
    """
    phases = [(0, dataclasses.replace(config, phases=()))]
    known = {field.name for field in dataclasses.fields(config)} - {"phases"}
    for phase in config.phases:
        changes = dict(phase)
        start = changes.pop("start", None)
        unknown = sorted(set(changes) - known)
        if not isinstance(start, int) or start <= phases[-1][0] or unknown:
            raise InputError(
                f"phase {start} of the clips ({', '.join(unknown) or 'start'}): expected a whole "
                f"number `start` above {phases[-1][0]} and fields of ClipsConfig"
            )
        phases.append((start, dataclasses.replace(phases[0][1], **changes)))
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
    spec: types.ClipSpec,
    *,
    seed: int,
    batch: int,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
    workers: int = 0,
    threads: int = 0,
) -> Generator[Batch]:
    """`clips` for any list of (weight, source) pairs and the clips' shape."""
    _check(batch, host, hosts)
    parts = [
        _stream(source, spec, seed=int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
        for i, (_, source) in enumerate(weighted)
    ]
    stream = grain.MapDataset.mix(parts, [weight for weight, _ in weighted])
    stream = stream[start_step * batch + host :: hosts].batch(
        batch // hosts
    )  # sliced last: hosts draw differently
    stream = stream.to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    )
    if workers:
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()  # grain reads absl flags; notebooks never parse them
        stream = stream.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2),
            worker_init_fn=_one_thread,
        )
    return _iterate(stream)


def _check(batch: int, host: int, hosts: int) -> None:
    if batch < 1 or batch % hosts or not 0 <= host < hosts:
        raise InputError(
            f"batch {batch} for host {host} of {hosts}; expected a positive multiple of the number "
            "of hosts, and host from 0 on"
        )


class _Make:
    """Calls a source; a class because processes need something that can be pickled by name."""

    def __init__(self, source: types.ClipSource, spec: types.ClipSpec) -> None:
        self.source, self.spec = source, spec

    def __call__(self, index: int, rng: np.random.Generator) -> types.Clip:
        return self.source.clip(int(index), rng, self.spec)


def _stream(source: types.ClipSource, spec: types.ClipSpec, *, seed: int) -> Any:
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


def _one_thread(worker: int, workers: int) -> None:
    cv2.setNumThreads(0)
