"""The toy network as something that trains, and a config that trains it in seconds."""

import functools

import jax.numpy as jnp
import numpy as np

from support import toy
from vosjax import models
from vosjax.config import parsed, training
from vosjax.data import pipeline
from vosjax.data.synthetic import rendered
from vosjax.train import clip_task, optimizer, step, validate
from vosjax.types import Model

SLOTS = 4
COMPILE, VALIDATE = clip_task.compile_step, validate.compiled  # what `install` hides
GROUPS = {"key": "encoder", "gain": "head", "bank": "head", "fixed": "frozen"}


@functools.cache
def model(**settings) -> Model:
    """The toy with a weight that never moves and one, `bank`, that scales what is committed."""
    vos = toy.vos(slots=SLOTS, **settings)

    def fresh(rng):
        return toy.fresh(rng) | {"fixed": jnp.ones(3), "bank": jnp.ones(())}

    def commit(params, state, aux, probs, given, when, rng=None):
        after = vos.commit(params, state, aux, probs, given, when, rng)
        return after._replace(last=after.last * params["bank"])

    return Model(vos._replace(commit=commit), fresh, None, GROUPS.__getitem__)


def batch(*, frames=3, size=16, clips=2, seed=0) -> step.Clips:
    """Random clips of two live slots, a quarter of the last frame ignored."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (clips, frames, size // 8, size // 8)).repeat(8, 2).repeat(8, 3)
    images = (80 * labels[..., None] + rng.integers(0, 60, (*labels.shape, 3))).astype(np.uint8)
    labels[:, -1, :8, :8] = 255
    live = np.tile(np.arange(SLOTS) < 2, (clips, 1))
    return step.Clips(jnp.asarray(images), jnp.asarray(labels, jnp.uint8), jnp.asarray(live))


def config(*, data=None, stages=(), **train):
    """A config whose family 'toy' a test has to put in the place of the real ones."""
    made = training("toy")
    made.data.update(frames=3, height=32, width=32, max_objects=SLOTS)
    made.train.update(steps=6, batch=2, threads=0, lr=1e-2, aux=0.0, weight_decay=0.0)
    made.train.log.update(every=2, validate=0, pictures=0, checkpoint=3, clips=1, frames=3)
    made.train.update(train)
    made.data.update(data or {})
    made.stages = stages
    return parsed(made)


def clip_of(seed, *, frames, size):
    """A training clip that costs nothing to make."""
    made = batch(frames=frames, size=size, clips=1, seed=seed)
    return dict(
        frames=np.asarray(made.frames[0]),
        labels=np.asarray(made.labels[0]),
        live=np.asarray(made.live[0]),
        objects=np.int32(2),
    )


class Source:
    """As a source of the pipeline, of clips that cost nothing."""

    def __len__(self):
        return 1000

    def clip(self, index, rng, spec):
        return clip_of(int(rng.integers(1 << 30)), frames=spec.frames, size=spec.height)


def validation_clips(count, *, size, frames, max_objects):
    return [clip_of(i, frames=frames, size=size[0]) for i in range(count)]


@functools.cache
def compiled(settings):
    """The toy's step, compiled once for all runs; their optimizers are all of the default form."""
    chain = optimizer.build({path: 1 for path in GROUPS if path != "fixed"})
    return COMPILE(model(), chain, settings)


@functools.cache
def validated(mem_every):
    return VALIDATE(model(), mem_every=mem_every)


def install(monkeypatch):
    """Puts the toy in the place of the families, and quick clips in that of the rendered ones."""
    monkeypatch.setattr(models, "build", lambda family, **settings: model())
    monkeypatch.setattr(pipeline, "sources", lambda config: [(1.0, Source())])
    monkeypatch.setattr(rendered, "validation_clips", validation_clips)
    monkeypatch.setattr(
        clip_task,
        "compile_step",
        lambda network, chain, settings, shardings=None: compiled(settings),
    )
    monkeypatch.setattr(validate, "compiled", lambda network, *, mem_every: validated(mem_every))
