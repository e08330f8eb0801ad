"""AOT as four pure functions (Yang et al., "Associating Objects with Transformers for VOS", 2021).

An annotated (reference) frame is not committed like a propagated one: the LSTT runs again, with
the identity embedding and no memory, while a propagated frame's identities are only fused into
the keys and values that the prediction left behind.
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
from vosjax.models.aot.lstt import LSTT
from vosjax.models.aot.names import names
from vosjax.models.aot.size import network_size
from vosjax.types import UNUSED_LOGIT, Model, Size, Spec, Vos

HEADS = 8
FEATURES = 256
SLOTS = CHANNELS - 1


class Features(NamedTuple):
    """maps: the encoder's, [h, w, C] each; tokens [P, 256]; size: the frame's."""

    maps: Maps
    tokens: jax.Array
    size: Size


class State(NamedTuple):
    """long: Bank of {'k', 'v'}: [M, L, P, C]; short: {'k', 'v'}: [L, P, C]; live [N] bool."""

    long: memory.Bank
    short: Any
    live: jax.Array


class Aux(NamedTuple):
    """What a prediction leaves behind.

    kept      {'k', 'v'}: [L, P, C], to be fused with identities
    outputs   [L, P, C] normalised LSTT outputs
    logits4   [N+1, h4, w4] logits at stride 4, unused slots filled
    live      [N] bool, the slots that are not filled
    features  of the frame
    """

    kept: Any
    outputs: jax.Array
    logits4: jax.Array
    live: jax.Array
    features: Features


def grid_of(size: tuple[int, int], aligned: bool) -> tuple[int, int]:
    """The stride-16 grid (h, w) of a frame."""
    extra = 1 if aligned else 0
    return tuple((side - extra) // STRIDE + extra for side in size)


def linear(params: Any, x: jax.Array) -> jax.Array:
    """A linear layer over the last axis."""
    return x @ params["kernel"].astype(x.dtype) + params["bias"].astype(x.dtype)


def fill_unused(logits: jax.Array, live: jax.Array) -> jax.Array:
    """Logits [N+1, ...] with the slots that are not live at -1e10."""
    shown = jnp.concatenate([jnp.ones(1, bool), live])
    return jnp.where(shown.reshape(-1, *[1] * (logits.ndim - 1)), logits, UNUSED_LOGIT)


def build(*, encoder: str = "mobilenet_v2", layers: int = 1, block: str = "v1",
          id_norm: bool | None = None, gate_heads: int = HEADS, top_k: int | None = None,
          mask_unused: bool = True, scalable: bool = False, depth: int | None = None,
          max_long_side: int | None = 1040, max_short_side: int | None = None,
          drop_path: float = 0.1) -> Model:
    """Builds an AOT: AOT-T, -S, -B/-L are 1, 2, 3 layers; V2 with `block`.

    Args:
      encoder: see `backbones.build`.
      layers: LSTT blocks L.
      block: 'v1' (AOT) or 'v2' (arXiv 2206.09585, eq. 3).
      id_norm: a LayerNorm behind the identity bank; None: with block V2 only.
      gate_heads: of block V2: 8 gates a token, one a head (the authors' code), or 1 (the paper).
      top_k: keep the k largest logits of the long-term read; None keeps all.
      mask_unused: fill the logits of slots that nobody has given; False leaves all of them in the
        running, as the released AOST engine does.
      scalable: the decoder takes the outputs of any number of blocks, and training supervises all
        of these depths (AOST).
      depth: run the first so many blocks of a scalable network; None for all. The weights are
        those of all blocks in any case.
      max_long_side: of the frame as the network sees it, before scaling; None for no limit.
      max_short_side: likewise.
      drop_path: rate of stochastic depth while training.

    Raises:
      ValueError: an unknown block, a number of gate heads that does not divide the features, or
        a depth that the network does not have.
    """
    if block not in ("v1", "v2"):
        raise ValueError(f"unknown LSTT block {block!r}; there are 'v1' and 'v2'")
    if layers < 1 or gate_heads < 1 or FEATURES % gate_heads:
        raise ValueError(f"got layers={layers}, gate_heads={gate_heads}; layers are at least 1 and "
                         f"gate heads divide {FEATURES} (8 is the usual number)")
    if depth is not None and not (scalable and 1 <= depth <= layers):
        raise ValueError(f"depth {depth} was asked of {layers} layers; 1 to {layers} can be had, "
                         "of a scalable network (AOST) only")
    depth = depth or layers
    backbone = backbones.build(encoder)
    id_norm = block == "v2" if id_norm is None else id_norm
    aligned = backbone.aligned
    bank = IdentityBank(aligned, id_norm)
    lstt = LSTT(layers, block, gate_heads=gate_heads, heads=HEADS, features=FEATURES, top_k=top_k,
                drop_path=drop_path)
    entrances = tuple(f"conv_in_{i}" for i in range(layers)) if scalable else ("conv_in",)

    def decoder(outputs):
        """The decoder of so many blocks' outputs."""
        return Decoder(aligned, entrances[outputs - 1 if scalable else 0])

    def init(params, spec: Spec) -> State:
        if not 1 <= spec.objects <= SLOTS:
            raise ValueError(f"AOT holds 1 to {SLOTS} objects, not {spec.objects}; "
                             "compose.groups makes room for more")
        h, w = grid_of((spec.height, spec.width), aligned)
        rule = "16k + 1" if aligned else "16k"
        if network_size(spec.height, spec.width, aligned=aligned) != (spec.height, spec.width):
            raise ValueError(f"frames of {spec.height}x{spec.width}; both sides are to be {rule}: "
                             "take a size that Vos.size gives")
        shape, dtype = (depth, h * w, FEATURES), compute_dtype(params)
        short = {"k": jnp.zeros(shape, dtype), "v": jnp.zeros(shape, dtype)}
        return State(memory.init(short, spec.capacity), short, jnp.zeros(spec.objects, bool))

    def encode(params, frame, rng=None) -> Features:
        images = imagenet_normalise(frame).astype(compute_dtype(params))[None]
        maps = backbone.module.apply({"params": params["encoder"]}, images, rng=rng)
        maps = Maps(*(x[0] for x in maps))
        tokens = linear(params["projector"], maps.deep).reshape(-1, FEATURES)
        return Features(maps, tokens, Size(*frame.shape[:2]))

    def decode(params, outputs, features, live):
        """Logits [N+1, h4, w4] at stride 4 from blocks' outputs, and those of the whole frame."""
        grid = grid_of(features.size, aligned)
        stack = jnp.concatenate([features.tokens, *outputs], -1).reshape(1, *grid, -1)
        maps = Maps(*(x[None] for x in features.maps))
        found = decoder(len(outputs)).apply({"params": params["decoder"]}, stack, maps)
        raw = found[0, ..., :live.shape[0] + 1].transpose(2, 0, 1)
        logits = resize_maps(raw, *features.size, align_corners=aligned)
        return fill_unused(raw, live), fill_unused(logits, live)

    def predict(params, state: State, features: Features, rng=None):
        outputs, kept = lstt.apply(
            {"params": params["lstt"]}, features.tokens, grid_of(features.size, aligned),
            long=state.long.data, valid=state.long.valid, short=state.short, rng=rng, depth=depth)
        live = state.live if mask_unused else jnp.ones_like(state.live)
        logits4, logits = decode(params, outputs, features, live)
        return logits, Aux(kept, outputs, logits4, live, features)

    def depths(params, aux: Aux, rng=None):
        return tuple(decode(params, aux.outputs[:count], aux.features, aux.live)[1]
                     for count in range(1, depth + 1))

    def commit(params, state: State, aux: Aux, probs, given, when, rng=None) -> State:
        identities = one_hot(probs).astype(compute_dtype(params))
        identity = bank.apply({"params": params["identity"]}, identities)

        def reference(kept):
            grid = grid_of(aux.features.size, aligned)
            return lstt.apply({"params": params["lstt"]}, aux.features.tokens, grid,
                              identity=identity, rng=rng, depth=depth)[1]

        def propagated(kept):
            return lstt.apply({"params": params["lstt"]}, kept, identity, method="fuse")

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
        images = jnp.zeros((1, side, side, 3))
        maps, encoded = backbone.module.init_with_output(key, images)
        tokens = jnp.zeros((grid[0] * grid[1], FEATURES))
        identities = jnp.zeros((side, side, CHANNELS))
        decoders = {}
        for outputs in range(1, layers + 1) if scalable else (layers,):
            stack = jnp.zeros((1, *grid, FEATURES * (outputs + 1)))
            decoders |= decoder(outputs).init(key, stack, maps)["params"]
        return {
            "encoder": encoded["params"],
            "projector": {"kernel": jnp.zeros((backbone.channels[3], FEATURES)),
                          "bias": jnp.zeros(FEATURES)},
            "lstt": lstt.init(key, tokens, grid, identity=tokens)["params"],
            "decoder": decoders,
            "identity": bank.init(key, identities)["params"]}

    known = names(backbone, layers=layers, version=block, heads=HEADS, id_norm=id_norm,
                  entrances=entrances)
    normed = {name.path.rpartition("/")[0] for name in known.entries
              if name.path.startswith("encoder/") and name.path.endswith("/var")}

    def group(path: str) -> str:
        root, _, rest = path.partition("/")
        if root != "encoder":
            return "head"
        frozen = path.rpartition("/")[0] in normed or backbone.early(rest)
        return "frozen" if frozen else "encoder"

    vos = Vos(init, encode, predict, commit, size, SLOTS)
    return Model(vos, fresh, known, group, depths if scalable else None)
