"""DeAOT as four pure functions (Yang and Yang, "Decoupling Features in Hierarchical Propagation for
Video Object Segmentation", 2022).

As in AOT, an annotated (reference) frame runs through the propagation again, with the identities
and no memory, while a propagated frame's identities are only fused into what its prediction left.
Encoder, identity bank, decoder and size rule are AOT's.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vosjax import backbones, memory
from vosjax.backbones import Maps
from vosjax.layers.norm import imagenet_normalise
from vosjax.layers.precision import compute_dtype
from vosjax.layers.resize import resize_maps
from vosjax.models.aot import fresh as initial
from vosjax.models.aot.decoder import Decoder
from vosjax.models.aot.identity import CHANNELS, STRIDE, IdentityBank, one_hot
from vosjax.models.aot.model import Features, fill_unused, grid_of, linear
from vosjax.models.aot.size import network_size
from vosjax.models.deaot.names import names
from vosjax.models.deaot.propagation import STREAMS, Propagation
from vosjax.types import Model, Size, Spec, Vos

FEATURES = 256
KEY_SIZE = 128
SLOTS = CHANNELS - 1


class State(NamedTuple):
    """A layer's entry is {'k' [P, 128], 'v' [P, 1024]}; the values' second half are identities.

    long   Bank of a tuple of L entries
    short  tuple of L entries, of the previous frame
    live   [N] bool
    """

    long: memory.Bank
    short: Any
    live: jax.Array


class Aux(NamedTuple):
    """What a prediction leaves behind.

    kept      tuple of L {'k' [P, 128], 'v' [P, 512], 'b' [P, 256] but for the first}, to be fused
    outputs   [L, P, 512], the last normalised
    logits4   [N+1, h4, w4] logits at stride 4, unused slots filled
    features  of the frame
    """

    kept: Any
    outputs: jax.Array
    logits4: jax.Array
    features: Features


def build(*, encoder: str = "mobilenet_v2", layers: int = 1, top_k: int | None = None,
          max_long_side: int | None = 1040, max_short_side: int | None = None,
          drop_path: float = 0.1, dropout: float = 0.1) -> Model:
    """Builds a DeAOT: DeAOT-T, -S, -B/-L are 1, 2, 3 layers.

    Args:
      encoder: see `backbones.build`.
      layers: propagation blocks L.
      top_k: keep the k largest logits of the long-term read; None keeps all.
      max_long_side: of the frame as the network sees it, before scaling; None for no limit.
      max_short_side: likewise.
      drop_path: rate of stochastic depth while training.
      dropout: share of channels dropped behind the depthwise convolutions while training.

    Raises:
      ValueError: fewer than one layer, or an unknown encoder.
    """
    if layers < 1:
        raise ValueError(f"got layers={layers}; DeAOT has at least 1, as published 1 to 3")
    backbone = backbones.build(encoder)
    aligned = backbone.aligned
    bank = IdentityBank(aligned, normed=True)
    propagation = Propagation(layers, FEATURES, KEY_SIZE, top_k, drop_path, dropout)
    decoder = Decoder(align_corners=aligned)

    def init(params, spec: Spec) -> State:
        if not 1 <= spec.objects <= SLOTS:
            raise ValueError(f"DeAOT holds 1 to {SLOTS} objects, not {spec.objects}; "
                             "compose.groups makes room for more")
        if network_size(spec.height, spec.width, aligned=aligned) != (spec.height, spec.width):
            raise ValueError(f"frames of {spec.height}x{spec.width}; both sides are to be "
                             f"{'16k + 1' if aligned else '16k'}: take a size that Vos.size gives")
        h, w = grid_of((spec.height, spec.width), aligned)
        dtype = compute_dtype(params)
        entry = {"k": jnp.zeros((h * w, KEY_SIZE), dtype),
                 "v": jnp.zeros((h * w, 4 * FEATURES), dtype)}
        short = (entry,) * layers
        return State(memory.init(short, spec.capacity), short, jnp.zeros(spec.objects, bool))

    def encode(params, frame, rng=None) -> Features:
        images = imagenet_normalise(frame).astype(compute_dtype(params))[None]
        maps = backbone.module.apply({"params": params["encoder"]}, images, rng=rng)
        maps = Maps(*(x[0] for x in maps))
        tokens = linear(params["projector"], maps.deep).reshape(-1, FEATURES)
        return Features(maps, tokens, Size(*frame.shape[:2]))

    def predict(params, state: State, features: Features, rng=None):
        grid = grid_of(features.size, aligned)
        outputs, kept = propagation.apply(
            {"params": params["propagation"]}, features.tokens, grid,
            long=state.long.data, valid=state.long.valid, short=state.short, rng=rng)
        raw = decoder.apply({"params": params["decoder"]}, outputs[-1].reshape(1, *grid, -1),
                            Maps(*(x[None] for x in features.maps)))
        raw = raw[0].transpose(2, 0, 1)[:state.live.shape[0] + 1]
        logits = resize_maps(raw, *features.size, align_corners=aligned)
        aux = Aux(kept, outputs, fill_unused(raw, state.live), features)
        return fill_unused(logits, state.live), aux

    def commit(params, state: State, aux: Aux, probs, given, when, rng=None) -> State:
        identities = one_hot(probs).astype(compute_dtype(params))
        identity = bank.apply({"params": params["identity"]}, identities)

        def reference(kept):
            grid = grid_of(aux.features.size, aligned)
            return propagation.apply({"params": params["propagation"]}, aux.features.tokens, grid,
                                     identity=identity, rng=rng)[1]

        def propagated(kept):
            return propagation.apply({"params": params["propagation"]}, kept, identity,
                                     method="fuse")

        entry = jax.lax.cond(when.annotated, reference, propagated, aux.kept)
        live = state.live | given
        holds = jnp.any(live)  # a group without objects keeps no memory
        long = memory.write(state.long, entry, time=when.time, pin=when.annotated,
                            when=holds & (when.annotated | when.remember))
        short = jax.tree.map(lambda new, old: jnp.where(holds, new, old), entry, state.short)
        return State(long, short, live)

    def size(height, width, scale=1.0):
        return network_size(height, width, scale, aligned=aligned, max_short_side=max_short_side,
                            max_long_side=max_long_side)

    def fresh(rng) -> dict:
        first, second = jax.random.split(rng)
        shapes = jax.eval_shape(_shapes)
        found = initial.fill(second, {name: shapes[name] for name in shapes if name != "encoder"})
        return found | {"encoder": initial.encoder(first, shapes["encoder"])}

    def _shapes():
        side = 2 * STRIDE + (1 if aligned else 0)
        grid = grid_of((side, side), aligned)
        key = jax.random.PRNGKey(0)
        maps, encoded = backbone.module.init_with_output(key, jnp.zeros((1, side, side, 3)))
        tokens = jnp.zeros((grid[0] * grid[1], FEATURES))
        stack = jnp.zeros((1, *grid, STREAMS * FEATURES))
        return {
            "encoder": encoded["params"],
            "projector": {"kernel": jnp.zeros((backbone.channels[3], FEATURES)),
                          "bias": jnp.zeros(FEATURES)},
            "propagation": propagation.init(key, tokens, grid, identity=tokens)["params"],
            "decoder": decoder.init(key, stack, maps)["params"],
            "identity": bank.init(key, jnp.zeros((side, side, CHANNELS)))["params"]}

    known = names(backbone, layers=layers)
    normed = {name.path.rpartition("/")[0] for name in known.entries
              if name.path.startswith("encoder/") and name.path.endswith("/var")}

    def group(path: str) -> str:
        root, _, rest = path.partition("/")
        if root != "encoder":
            return "head"
        frozen = path.rpartition("/")[0] in normed or backbone.early(rest)
        return "frozen" if frozen else "encoder"

    return Model(Vos(init, encode, predict, commit, size, SLOTS), fresh, known, group)
