"""A refinement network that compiles in no time, and patches from which it learns."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from vosjax.checkpoints.paths import flatten
from vosjax.config import opened
from vosjax.layers.norm import BatchNorm
from vosjax.names import Names
from vosjax.refine.boundary.network import RefineNetwork, param_group
from vosjax.train.patches import Patches

SIDE = 16


class Pixelwise(nn.Module):
    """Decides every pixel by its colour and its mask."""

    train: bool = False

    @nn.compact
    def __call__(self, images, masks):
        x = BatchNorm(train=self.train, name="bn")(jnp.concatenate([images, masks[..., None]], -1))
        return nn.Dense(2, name="classifier")(x)


def toy():
    """A refinement network that compiles in no time."""

    def fresh(rng):
        return Pixelwise().init(rng, jnp.zeros((1, 2, 2, 3)), jnp.zeros((1, 2, 2)))["params"]

    def train_apply(params, images, masks):
        module = Pixelwise(train=True)
        logits, changed = module.apply({"params": params}, images, masks, mutable="statistics")
        return logits, flatten(changed["statistics"])

    def apply(params, images, masks):
        return Pixelwise().apply({"params": params}, images, masks)

    return RefineNetwork(32, fresh, apply, train_apply, Names(()), param_group)


def bright(count=40, seed=0):
    """Patches whose truth is what is bright; the coarse masks are displaced."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((count, SIDE, SIDE), np.uint8)
    for one in truth:
        one[:, : rng.integers(4, 12)] = 1
    images = (40 + 150 * truth[..., None] + rng.integers(0, 40, (*truth.shape, 3))).astype(np.uint8)
    return Patches(images, np.roll(truth, 3, axis=2), truth)


def write_sets(root):
    """Writes the sets `a`, of the videos one and two, and `b`, of the video three."""
    for number, (folder, video) in enumerate((("a", "one"), ("a", "two"), ("b", "three"))):
        path = root / folder / f"{video}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **bright(seed=number)._asdict())
    return root


def config(root, *overrides):
    return opened(
        "train_boundary",
        [
            f"patches.root={root}",
            "patches.sets=({'folder': 'a'}, {'folder': 'b', 'weight': 20})",
            "patches.held_out=^two$",
            "patches.colour=false",
            "train.steps=12",
            "train.batch=8",
            "train.lr=0.05",
            "train.log.every=2",
            "train.log.validate=12",
            "train.log.checkpoint=3",
            *overrides,
        ],
    )
