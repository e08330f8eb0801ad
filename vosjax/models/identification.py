"""Identification networks (AOT, DeAOT, AOST) as a `Vos`: everything except their stack of blocks.

Every object has an identity, and one bank embeds all identities into the same tokens, so a frame
is propagated once for all objects. An annotated (reference) frame is committed by running the
stack again with its identity embedding and without a memory. For a propagated frame, the identities
are only fused into what its prediction left behind. The encoder, the projection, the identity
bank, the decoder and the size rule are those of AOT (arXiv 2106.02638) in all families.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax import backbones, memory
from vosjax.backbones import Backbone, FeatureMaps
from vosjax.errors import InputError
from vosjax.layers.branch import branch
from vosjax.layers.norm import imagenet_normalise
from vosjax.layers.precision import compute_dtype
from vosjax.layers.resize import resize_maps
from vosjax.models.aot import fresh as initial
from vosjax.models.aot.decoder import Decoder
from vosjax.models.aot.identity import CHANNELS, STRIDE, IdentityBank, slots_of
from vosjax.models.aot.size import network_size
from vosjax.names import Names
from vosjax.types import UNUSED_LOGIT, Model, Release, Size, Spec, Vos, When

FEATURES = 256
SLOTS = CHANNELS - 1


class IdentificationFeatures(NamedTuple):
    """An encoded frame.

    maps    the maps of the encoder, [h, w, C] each
    tokens  [P, 256], the projection of the deepest map
    size    (H, W) of the frame
    """

    maps: FeatureMaps
    tokens: jax.Array
    size: Size


class IdentificationState(NamedTuple):
    """The memory of an identification network.

    long   bank of the entries of the remembered frames
    short  entry of the previous frame
    live   [N] bool, the slots that hold an object
    """

    long: memory.Bank
    short: Any
    live: jax.Array


class IdentificationAux(NamedTuple):
    """What `commit` needs from a prediction.

    kept      the frame's entry, before identities are fused into it
    outputs   [L, P, C'], the outputs of the stack's blocks
    logits4   [N+1, h4, w4], the logits at stride 4; those of unused slots are -1e10
    live      [N] bool, the slots that are in use
    features  the encoded frame
    """

    kept: Any
    outputs: jax.Array
    logits4: jax.Array
    live: jax.Array
    features: IdentificationFeatures


class IdentificationFamily(NamedTuple):
    """What distinguishes a family from the others.

    title       its name, for messages
    stack       module: (tokens [P, 256], grid, identity [P, 256], rng) for a reference frame, or
                (tokens, grid, long, valid, short, rng) -> (outputs [L, P, C'], entry); with a
                method `fuse(kept, identity)` -> entry of a propagated frame
    root        name of the stack's weights
    entry       (P, dtype) -> an empty entry
    decoded     (tokens [P, 256], outputs) -> the decoder's input [P, C]
    names       the names of all weights
    entrances   names of the decoder's first layers: one, or one for each number of outputs
    scalable    whether the stack may end after any block, so that training supervises all depths
    """

    title: str
    stack: nn.Module
    root: str
    entry: Callable[..., Any]
    decoded: Callable[..., jax.Array]
    names: Names
    entrances: tuple[str, ...] = ("conv_in",)
    scalable: bool = False


def grid_of(size: tuple[int, int], aligned: bool) -> tuple[int, int]:
    """Returns the stride-16 grid (h, w) of a frame of size (H, W).

    grid_of((97, 129), aligned=True)      # (7, 9)
    """
    extra = 1 if aligned else 0
    height, width = ((side - extra) // STRIDE + extra for side in size)
    return height, width


def linear(params: Any, x: jax.Array) -> jax.Array:
    """Applies a linear layer to the last axis, in the dtype of `x`."""
    return x @ params["kernel"].astype(x.dtype) + params["bias"].astype(x.dtype)


def fill_unused(logits: jax.Array, live: jax.Array) -> jax.Array:
    """Sets the logits [N+1, ...] of the slots that are not live, bool [N], to -1e10."""
    used = jnp.concatenate([jnp.ones(1, bool), live])
    return jnp.where(used.reshape(-1, *[1] * (logits.ndim - 1)), logits, UNUSED_LOGIT)


def build(
    family: IdentificationFamily,
    backbone: Backbone,
    *,
    id_norm: bool,
    max_long_side: int | None,
    max_short_side: int | None,
    mask_unused: bool = True,
) -> Model:
    """Builds the model of a family.

        model = build(family, backbones.build("resnet:50"), id_norm=True, max_long_side=1040, ...)

    Args:
        family: what distinguishes it from the others.
        backbone: the image encoder.
        id_norm: whether a LayerNorm follows the identity bank.
        max_long_side: largest long side in pixels that the network sees, before scaling; None for
            no limit.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
        mask_unused: whether the logits of slots without an object are set to -1e10; False lets
            these slots compete with the others.
    """
    aligned, stack, root = backbone.aligned, family.stack, family.root
    bank = IdentityBank(aligned, id_norm)

    def init(params: Any, spec: Spec) -> IdentificationState:
        if not 1 <= spec.objects <= SLOTS:
            raise InputError(
                f"{family.title} holds 1 to {SLOTS} objects, not {spec.objects}; "
                "compose.groups makes room for more"
            )
        if network_size(spec.height, spec.width, aligned=aligned) != (spec.height, spec.width):
            raise InputError(
                f"frames of {spec.height}x{spec.width}; both sides are to be "
                f"{'16k + 1' if aligned else '16k'}: take a size that Vos.size gives"
            )
        h, w = grid_of((spec.height, spec.width), aligned)
        short = family.entry(h * w, compute_dtype(params))
        return IdentificationState(
            memory.init(short, spec.capacity), short, jnp.zeros(spec.objects, bool)
        )

    def encode(
        params: Any, frame: jax.Array, rng: jax.Array | None = None
    ) -> IdentificationFeatures:
        images = imagenet_normalise(frame).astype(compute_dtype(params))[None]
        maps: Any = backbone.module.apply({"params": params["encoder"]}, images, rng=rng)
        maps = FeatureMaps(*(x[0] for x in maps))
        tokens = linear(params["projector"], maps.deep).reshape(-1, FEATURES)
        return IdentificationFeatures(maps, tokens, Size(*frame.shape[:2]))

    def predict(
        params: Any,
        state: IdentificationState,
        features: IdentificationFeatures,
        rng: jax.Array | None = None,
    ) -> Any:
        outputs, kept = stack.apply(
            {"params": params[root]},
            features.tokens,
            grid_of(features.size, aligned),
            long=state.long.data,
            valid=state.long.valid,
            short=state.short,
            rng=rng,
        )
        live = state.live if mask_unused else jnp.ones_like(state.live)
        logits4, logits = decode(params, outputs, features, live)
        return logits, IdentificationAux(kept, outputs, logits4, live, features)

    def decoder(outputs: Any) -> Any:
        """Returns the decoder for this number of blocks' outputs."""
        return Decoder(aligned, family.entrances[outputs - 1 if family.scalable else 0])

    @jax.named_scope("decoder")
    def decode(params: Any, outputs: Any, features: Any, live: jax.Array) -> Any:
        """Returns logits at stride 4, [N+1, h4, w4], and at the frame's size, [N+1, H, W]."""
        grid = grid_of(features.size, aligned)
        tokens = family.decoded(features.tokens, outputs).reshape(1, *grid, -1)
        maps = FeatureMaps(*(x[None] for x in features.maps))
        decoded = decoder(len(outputs)).apply({"params": params["decoder"]}, tokens, maps)
        raw = decoded[0, ..., : live.shape[0] + 1].transpose(2, 0, 1)
        logits = resize_maps(raw, *features.size, align_corners=aligned)
        return fill_unused(raw, live), fill_unused(logits, live)

    def depths(params: Any, aux: IdentificationAux, rng: jax.Array | None = None) -> Any:
        return tuple(
            decode(params, aux.outputs[:count], aux.features, aux.live)[1]
            for count in range(1, len(aux.outputs) + 1)
        )

    def commit(
        params: Any,
        state: IdentificationState,
        aux: IdentificationAux,
        probs: jax.Array,
        given: jax.Array,
        when: When,
        rng: jax.Array | None = None,
    ) -> IdentificationState:
        with jax.named_scope("identity"):
            identity: Any = bank.apply(
                {"params": params["identity"]}, slots_of(probs), method="of_slots"
            )

        def reference(kept: Any) -> Any:
            grid = grid_of(aux.features.size, aligned)
            return stack.apply(
                {"params": params[root]}, aux.features.tokens, grid, identity=identity, rng=rng
            )[1]

        def propagated(kept: Any) -> Any:
            return stack.apply({"params": params[root]}, kept, identity, method="fuse")

        entry = branch(when.annotated, reference, propagated, aux.kept)
        live = state.live | given
        holds = jnp.any(live)  # a group without objects keeps no memory
        long = memory.write(
            state.long,
            entry,
            time=when.time,
            pin=when.annotated,
            when=holds & (when.annotated | when.remember),
        )
        short = jax.tree.map(lambda new, old: jnp.where(holds, new, old), entry, state.short)
        return IdentificationState(long, short, live)

    def forget(
        state: IdentificationState, release: Release
    ) -> tuple[IdentificationState, jax.Array]:
        """Frees identities.

        An identity cannot be removed from an entry, as all identities are embedded in the same
        tokens. So it is free once no entry from its object's time is left. To reclaim it, entries
        are dropped, except those of annotated frames that still count. The previous frame's entry
        may show it without harm: the frame that gives the identity to another object is annotated,
        and replaces that entry.
        """
        long = memory.unpin(state.long, release.annotated)
        time = long.time[:, None]
        holds = long.valid[:, None] & (release.first <= time) & (time <= release.last)
        stuck = jnp.any(holds & long.pinned[:, None], 0)
        long = memory.drop(long, jnp.any(holds & release.reclaim & ~stuck, 1))
        held = jnp.any(holds & long.valid[:, None], 0)
        live = state.live & release.followed
        anything = jnp.any(live)
        long = memory.drop(long, jnp.broadcast_to(~anything, long.valid.shape))
        short = jax.tree.map(lambda leaf: jnp.where(anything, leaf, 0), state.short)
        free = ~jnp.asarray(release.followed) & (~held | ~anything)
        return IdentificationState(long, short, live), free

    def size(height: int, width: int, scale: float = 1.0) -> tuple[int, int]:
        return network_size(
            height,
            width,
            scale,
            aligned=aligned,
            max_short_side=max_short_side,
            max_long_side=max_long_side,
        )

    def fresh(rng: jax.Array) -> dict:
        first, second = jax.random.split(rng)
        shapes = jax.eval_shape(_shapes)
        rest = initial.fill(second, {name: shapes[name] for name in shapes if name != "encoder"})
        return rest | {"encoder": initial.encoder(first, shapes["encoder"])}

    def _shapes() -> Any:
        side = 2 * STRIDE + (1 if aligned else 0)
        grid = grid_of((side, side), aligned)
        key = jax.random.PRNGKey(0)
        maps, encoded = backbone.module.init_with_output(key, jnp.zeros((1, side, side, 3)))
        tokens = jnp.zeros((grid[0] * grid[1], FEATURES))
        (outputs, _), stacked = stack.init_with_output(key, tokens, grid, identity=tokens)
        decoders: dict[str, Any] = {}
        for count in range(1, len(outputs) + 1) if family.scalable else (len(outputs),):
            taken = family.decoded(tokens, outputs[:count]).reshape(1, *grid, -1)
            decoders |= decoder(count).init(key, taken, maps)["params"]
        return {
            "encoder": encoded["params"],
            "projector": {
                "kernel": jnp.zeros((backbone.channels[3], FEATURES)),
                "bias": jnp.zeros(FEATURES),
            },
            root: stacked["params"],
            "decoder": decoders,
            "identity": bank.init(key, jnp.zeros((side, side, CHANNELS)))["params"],
        }

    def appearance(features: IdentificationFeatures) -> jax.Array:
        return features.maps.f16

    vos = Vos(init, encode, predict, commit, size, SLOTS, forget, appearance)
    return Model(
        vos,
        fresh,
        family.names,
        grouping(family.names, backbone),
        depths if family.scalable else None,
        pretrained_encoders=(("encoder", backbones.pretrained_encoder(backbone)),),
    )


def grouping(names: Names, backbone: Backbone) -> Callable[[str], str]:
    """Returns AOT's `Model.param_group`: the encoder's first blocks and batch norms are frozen.

    group = grouping(names, backbone)
    group("encoder/stem/kernel")      # 'frozen'
    """
    normed = {
        name.path.rpartition("/")[0]
        for name in names.entries
        if name.path.startswith("encoder/") and name.path.endswith("/var")
    }

    def group(path: str) -> str:
        root, _, rest = path.partition("/")
        if root != "encoder":
            return "head"
        frozen = path.rpartition("/")[0] in normed or backbone.early(rest)
        return "frozen" if frozen else "encoder"

    return group
