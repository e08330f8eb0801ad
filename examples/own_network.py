"""A network of one's own: patches of a frame vote for what similar patches of the memory were.

    python -m examples.own_network dog.mp4 dog.png

It is a whole network behind the protocol of `vosjax/types.py`, too simple to be good. Copied to
`vosjax/models/NAME/model.py` it is a family that configs, training and evaluation take, as
docs/add_a_network.md shows.
"""

import argparse
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import vosjax
from vosjax import memory
from vosjax.layers.resize import resize_maps
from vosjax.loading.pretrained import Loaded
from vosjax.memory.read import read
from vosjax.names import Name, Names, linear_kernel, same
from vosjax.types import UNUSED_LOGIT, Model, Size, Vos

SIDE = 8  # pixels of a patch
CHANNELS = 12  # of a patch's key
SHARPNESS = 4.0  # the length of keys: how little patches that differ say about each other


class State(NamedTuple):
    """What the network knows of a video: arrays of fixed shape."""

    bank: Any  # keys [M, P, C] and votes [M, P, N+1] of the remembered frames
    live: jax.Array  # [N] bool: the slots that hold an object


def build(*, slots: int = 8) -> Model:
    """The network; the keywords are the settings that `config.model` can name."""

    def init(params, spec):  # an empty state; the Spec alone decides its shapes
        places = spec.height // SIDE * (spec.width // SIDE)
        entry = {
            "key": jnp.zeros((places, CHANNELS)),
            "votes": jnp.zeros((places, spec.objects + 1)),
        }
        return State(memory.init(entry, spec.capacity), jnp.zeros(spec.objects, bool))

    def encode(params, frame, rng=None):  # [H, W, 3] -> keys [P, C]; needs the image only
        height, width, _ = frame.shape
        patches = frame.reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3)
        patches = patches.transpose(0, 2, 1, 3, 4).reshape(-1, SIDE * SIDE * 3)
        keys = SHARPNESS * jnp.tanh((patches - 0.5) @ params["key"]["kernel"])
        return keys, Size(height, width)

    def predict(params, state, features, rng=None):  # logits [N+1, H, W], and what commit needs
        key, (height, width) = features
        bank = state.bank
        votes = read(  # softmax attention over the filled slots of the memory; one head
            key[:, None],
            bank.data["key"][:, :, None],
            bank.data["votes"][:, :, None],
            bank.valid,
            metric="l2",
        )[:, 0]
        votes = votes.at[:, 0].add(1e-3)  # an empty memory says background
        maps = (params["gain"] * votes).T.reshape(-1, height // SIDE, width // SIDE)
        used = jnp.concatenate([jnp.ones(1, bool), state.live])
        logits = jnp.where(used[:, None, None], resize_maps(maps, height, width), UNUSED_LOGIT)
        return logits, key

    def commit(params, state, aux, probs, given, when, rng=None):  # remembers a frame
        count, height, width = probs.shape
        cells = probs.reshape(count, height // SIDE, SIDE, width // SIDE, SIDE)
        votes = cells.mean((2, 4)).reshape(count, -1).T
        live = state.live | given
        bank = memory.write(
            state.bank,
            {"key": aux, "votes": votes},
            time=when.time,
            when=when.remember & live.any(),
            pin=when.annotated,
        )
        return State(bank, live)

    def size(height, width, scale=1.0):  # the size rule: multiples of a patch's side
        return tuple(max(round(side * scale / SIDE), 1) * SIDE for side in (height, width))

    return Model(
        vos=Vos(init, encode, predict, commit, size, slots),
        init_params=init_params,
        checkpoint_names=NAMES,
        param_group=lambda path: "head",
    )


def init_params(rng):
    """Random weights: a projection of patches to keys, and how sharply votes decide."""
    kernel = jax.random.normal(rng, (SIDE * SIDE * 3, CHANNELS)) / SIDE
    return {"key": {"kernel": kernel}, "gain": jnp.array(8.0)}


# Where the weights stand in a checkpoint of the reference, and in which layout.
NAMES = Names((Name("key/kernel", "key.weight", linear_kernel), Name("gain", "gain", same)))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", help="a video file or a folder of images")
    parser.add_argument("mask", help="a mask of its first frame")
    options = parser.parse_args(arguments)

    settings = {"mem_every": 5, "max_mem_frames": 32}
    model = Loaded(build(), init_params(jax.random.key(0)), card={}, config=settings)
    for result in vosjax.segment(options.video, options.mask, model=model):
        areas = {id: score.area for id, score in result.scores.items()}
        print(f"frame {result.index}: pixels of each object {areas}")


if __name__ == "__main__":
    main()
