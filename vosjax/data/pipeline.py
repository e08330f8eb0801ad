"""Endless batches of training clips: mixed by weight, deterministic, resumable from a step."""

import dataclasses

import cv2
import grain
import numpy as np
from absl import flags

from vosjax.data import photos, types
from vosjax.data.rendered import Rendered, RenderedSettings
from vosjax.data.stills import Stills, StillsSettings


@dataclasses.dataclass(frozen=True)
class ClipsConfig:
    """What the training clips are made of.

    Change frames, size and motion between phases for a curriculum.
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


def sources(config):
    """The (weight, source) pairs of a `ClipsConfig`.

    A source has `len` and `clip(index, rng, spec)`.
    """

    def moving(settings):
        scene = settings.scene._replace(motion=settings.scene.motion.times(config.motion))
        return dataclasses.replace(settings, scene=scene)

    out = []
    if config.stills is not None and config.stills_weight > 0:
        out.append(
            (
                config.stills_weight,
                Stills(photos.pairs(config.stills), moving(config.stills_settings)),
            )
        )
    if config.rendered_weight > 0:
        out.append((config.rendered_weight, Rendered(moving(config.rendered_settings))))
    if not out:
        raise ValueError(
            f'no source of clips: stills is {config.stills}, stills_weight {config.stills_weight}, '
            f'rendered_weight {config.rendered_weight}; give a folder of stills or a positive '
            'rendered_weight'
        )
    return out


def clips(config, *, seed, batch, start_step=0, host=0, hosts=1, workers=0, threads=0):
    """An endless iterator of batches for training steps start_step, start_step + 1, ...

    Each is a dict of arrays: frames uint8 [B, T, H, W, 3], labels uint8 [B, T, H, W], live bool [B,
    max_objects], objects int32 [B] (see `types`).

      batch    clips in a step over all hosts; this host gets the B = batch / hosts rows host,
               host + hosts, ...
      workers  processes that make clips; 0: none
      threads  threads in each process that make clips ahead of time; 0: made when asked for

    Step n is the same for any number of workers, threads and hosts and for any start_step. Close
    the iterator when it is no longer needed. Raises ValueError for settings that do not fit
    together.
    """
    spec = types.ClipSpec(
        config.frames, config.height, config.width, config.max_objects, config.shuffle
    )
    return mixed(
        sources(config),
        spec,
        seed=seed,
        batch=batch,
        start_step=start_step,
        host=host,
        hosts=hosts,
        workers=workers,
        threads=threads,
    )


def mixed(weighted, spec, *, seed, batch, start_step=0, host=0, hosts=1, workers=0, threads=0):
    """`clips` for any list of (weight, source) and a `ClipSpec`."""
    if batch < 1 or batch % hosts or not 0 <= host < hosts:
        raise ValueError(
            f'batch {batch} for host {host} of {hosts}; expected a positive multiple of the number '
            'of hosts, and host from 0 on'
        )
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


class _Make:
    """Calls a source; a class because processes need something that can be pickled by name."""

    def __init__(self, source, spec):
        self.source, self.spec = source, spec

    def __call__(self, index, rng):
        return self.source.clip(int(index), rng, self.spec)


def _stream(source, spec, *, seed):
    return (
        grain.MapDataset.range(len(source))
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(_Make(source, spec))
    )


def _iterate(stream):
    iterator = iter(stream)
    try:
        yield from iterator
    finally:
        iterator.close()


def _one_thread(worker, workers):
    cv2.setNumThreads(0)
