"""Endless batches of training clips: mixed by weight, deterministic, resumable from a step."""

import contextlib
import dataclasses

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
from vosjax.schema import replaced

_ENDLESS = 2**48  # clips of a source; grain's own endless length overflows when streams are mixed


def sources(config: ClipsConfig):
    """The (weight, source) pairs of a `ClipsConfig` without its phases.

    A source has `len` and `clip(index, rng, spec)`.
    """
    out = sets.weighted(config)
    crowd = dict(crowd=config.crowd) if config.crowd else {}
    if config.stills and config.stills_weight > 0:
        settings = dataclasses.replace(config.stills_settings, **crowd)
        settings = scenes.livelier(settings, config.motion)
        out.append((config.stills_weight, Stills(photos.pairs(config.stills), settings)))
    if config.rendered_weight > 0:
        settings = dataclasses.replace(config.rendered_settings, **crowd)
        out.append((config.rendered_weight, Rendered(scenes.livelier(settings, config.motion))))
    if not out:
        raise InputError(
            f"no source of clips: stills is {config.stills!r}, stills_weight {config.stills_weight}, "
            f"rendered_weight {config.rendered_weight}; give data sets, a folder of stills or a "
            "positive rendered_weight"
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
    options = dict(seed=seed, batch=batch, host=host, hosts=hosts, workers=workers, threads=threads)
    _check(batch, host, hosts)
    parts = [(start, sources(part), spec_of(part)) for start, part in phased(config)]
    if len(parts) == 1:
        return mixed(*parts[0][1:], start_step=start_step, **options)
    return _one_after_another(parts, start_step, options)


def spec_of(config):
    """The `ClipSpec` of a `ClipsConfig`."""
    return types.ClipSpec(
        config.frames, config.height, config.width, config.max_objects, config.shuffle
    )


def phased(config: ClipsConfig):
    """[(first step, `ClipsConfig` without phases)] of a config, by rising steps, from 0 on."""
    out = [(0, dataclasses.replace(config, phases=()))]
    for phase in config.phases:
        changes = {name: value for name, value in phase.items() if name != "start"}
        out.append((phase["start"], replaced(out[0][1], changes)))
    return out


def _one_after_another(parts, step, options):
    ends = [start for start, _, _ in parts[1:]] + [None]
    for (_, weighted, spec), end in zip(parts, ends):
        if end is not None and step >= end:
            continue
        with contextlib.closing(mixed(weighted, spec, start_step=step, **options)) as stream:
            while end is None or step < end:
                yield next(stream)
                step += 1


def mixed(weighted, spec, *, seed, batch, start_step=0, host=0, hosts=1, workers=0, threads=0):
    """`clips` for any list of (weight, source) and a `ClipSpec`."""
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


def _check(batch, host, hosts):
    if batch < 1 or batch % hosts or not 0 <= host < hosts:
        raise InputError(
            f"batch {batch} for host {host} of {hosts}; expected a positive multiple of the number "
            "of hosts, and host from 0 on"
        )


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
        .repeat(_ENDLESS // len(source) + 1)
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
