"""The goldens of STCN and STM: their weights by the project's names, and whole clips."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np

from support import backbone_goldens as goldens
from support import golden_root
from vosjax import models
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.weights import flatten, nest
from vosjax.layers.resize import resize_maps
from vosjax.tracking.step import MemoryClock, advance
from vosjax.types import Prompt, Spec


def arrays(path):
    """All arrays of a golden file."""
    with np.load(golden_root.path(path)) as archive:
        return {name: archive[name] for name in archive}


def parsed(path):
    """A JSON file."""
    return json.loads(golden_root.path(path).read_text())


@functools.lru_cache(maxsize=1)
def state_dict(folder, manifest="manifest.json"):
    """The PyTorch-style weights {key: array} that the goldens in `folder` were made with."""
    described = goldens.manifest(f"{folder}/{manifest}")
    state = goldens.module("recipe.py").build_state_dict(described, goldens.seed(folder))
    return state | {
        key: np.array(value, np.float32).reshape(described[key][0])
        for key, value in parsed(f"{folder}/overrides.json").items()
    }


def shapes(model):
    """{path: (shape, dtype)} of a model's weights."""
    tree = jax.eval_shape(model.init_params, jax.random.PRNGKey(0))
    return {path: (leaf.shape, leaf.dtype) for path, leaf in flatten(tree).items()}


@functools.lru_cache(maxsize=16)
def build(family, **settings):
    """A model; the same settings give the same one."""
    return models.build(family, **settings)


@functools.lru_cache(maxsize=2)
def params(folder, family, manifest="manifest.json", **settings):
    """The goldens' weights, converted strictly."""
    model = build(family, **settings)
    flat = convert(state_dict(folder, manifest), model.checkpoint_names, expected=shapes(model))
    return jax.tree.map(jnp.asarray, nest(flat))


@functools.lru_cache(maxsize=16)
def program(family, **settings):
    """One frame after its encoding; the state that comes out is (state, (logits, aux))."""
    vos = build(family, **settings).vos

    def predict(*args):
        logits, aux = vos.predict(*args)
        return logits, (logits, aux)

    def commit(params, state, seen, *rest):
        return vos.commit(params, state, seen[1], *rest), seen

    spied = vos._replace(predict=predict, commit=commit)
    return jax.jit(functools.partial(advance, spied))


@functools.lru_cache(maxsize=4)
def encoder(family):
    """The jitted encoding, which no setting here changes."""
    return jax.jit(build(family).vos.encode)


def frames_of(golden):
    """Frames as float32 in 0..1."""
    return jnp.asarray(golden["frames"], jnp.float32) / 255


def run(
    weights, frames, prompts, *, family, objects, gap, frames_asked=None, capacity=6, **settings
):
    """Runs a clip as the references' evaluations do.

    Args:
      weights: params.
      frames: [T, H, W, 3] in 0..1.
      prompts: {t: (labels [H, W], given [objects])}; the clip begins with the first.
      family: of the model.
      objects: slots.
      gap: between remembered frames.
      frames_asked: frames that are asked for besides those that are remembered; None for all.
      capacity: of the memory.
      **settings: of the model.

    Yields:
      (t, Answer, (logits, auxiliary output)) of every frame that was run.
    """
    vos = build(family, **settings).vos
    state = vos.init(weights, Spec(*frames.shape[1:3], objects, capacity))
    nothing = np.zeros(frames.shape[1:3], np.int32), np.zeros(objects, bool)
    start = min(prompts)
    last = start
    for time in range(start, len(frames)):
        labels, given = prompts.get(time, nothing)
        if (
            frames_asked is not None
            and time not in prompts
            and time not in frames_asked
            and (time - last < gap and not settings.get("last_frame"))
        ):
            continue
        prompt = Prompt(jnp.asarray(labels, jnp.int32), jnp.asarray(given))
        clock = MemoryClock(*(jnp.int32(n) for n in (time, last, gap)))
        features = encoder(family)(weights, frames[time])
        answer = program(family, **settings)(weights, state, features, prompt, clock)
        state, seen = answer.state
        last = int(answer.clock.last)
        yield time, answer._replace(state=state), seen


def labels_at(probs, height, width):
    """The likeliest channel of probs [N+1, H, W] at another size."""
    return np.asarray(jnp.argmax(resize_maps(probs, height, width), 0))
