"""STCN (Cheng et al., NeurIPS 2021, arXiv 2106.05210), as implemented in hkchengrex/STCN.

A frame has one key, which is computed from the image alone, shared by all objects and matched by
negative squared distance. Values come from an encoder that sees the image and the object's mask.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from vosjax import backbones
from vosjax.backbones.resnet import VARIANTS, ResNet, stem_of_image, stem_of_masks
from vosjax.layers.norm import imagenet_normalise
from vosjax.layers.objects import map_objects, others, pad
from vosjax.layers.precision import compute_dtype
from vosjax.layers.residual import QUIET, Conv, orthogonal, random_encoder
from vosjax.models import matching
from vosjax.models.matching import MatchingFamily, MatchingFeatures
from vosjax.models.stcn.blocks import VALUE, Decoder, Fuser
from vosjax.models.stcn.names import names
from vosjax.schema import Count, Positive
from vosjax.types import Model, Size

KEY = 64


class StcnMaps(NamedTuple):
    """Maps of a padded frame, with a batch axis of one.

    image  [1, H', W', 3], normalised
    key    [1, h, w, 64]
    thin   [1, h, w, 512], compressed features for the decoder
    f16    [1, h, w, 1024]
    f8     [1, 2h, 2w, 512]
    f4     [1, 4h, 4w, 256]
    """

    image: jax.Array
    key: jax.Array
    thin: jax.Array
    f16: jax.Array
    f8: jax.Array
    f4: jax.Array


def build(
    *,
    top_k: Count | None = 20,
    last_frame: bool = False,
    cbam: bool = True,
    use_others: bool = True,
    kernel: Positive | None = None,
    max_short_side: Count | None = 480,
) -> Model:
    """Builds an STCN with a ResNet-50 as key encoder and a ResNet-18 as value encoder.

        model = build(top_k=20)

    Args:
        top_k: the read keeps the k largest affinities of each query; 20 in the reference's
            evaluation, None (all) in its training.
        last_frame: whether the previous frame is always in memory (`include_last`).
        cbam: whether the fusion of values has attention; False for the `no_cbam` models.
        use_others: whether the value encoder sees the masks of the other objects; False for
            stage 0, which trains on single objects.
        kernel: standard deviation of a kernelised read in stride-16 cells (7 in the reference's
            multi-scale evaluation at 600 pixels), or None.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
    """
    key_encoder = ResNet(VARIANTS["50"], norms_train=True)
    value_encoder = ResNet(VARIANTS["18"], bias=True, norms_train=True)
    key_proj, key_comp = Conv(KEY), Conv(VALUE)
    fuser, decoder = Fuser(cbam), Decoder()

    def encode(params: Any, frame: jax.Array) -> MatchingFeatures:
        image = pad(imagenet_normalise(frame)).astype(compute_dtype(params))[None]
        maps: Any = key_encoder.apply({"params": params["key_encoder"]}, image)
        key: Any = key_proj.apply({"params": params["key_proj"]}, maps.f16)
        thin: Any = key_comp.apply({"params": params["key_comp"]}, maps.f16)
        padded = StcnMaps(image, key, thin, maps.f16, maps.f8, maps.f4)
        return MatchingFeatures(key.reshape(-1, 1, KEY), padded, Size(*frame.shape[:2]))

    def decode(
        params: Any, features: Any, readout: jax.Array, live: jax.Array, together: bool
    ) -> Any:
        maps, weights = features.maps, {"params": params["decoder"]}
        shared = decoder.apply(weights, maps.thin, maps.f8, maps.f4, method="share")
        readout = readout.swapaxes(0, 1).reshape(-1, *maps.thin.shape[1:])
        logits = map_objects(
            lambda x: decoder.apply(weights, x[None], shared)[0], live, readout, together=together
        )
        return jax.nn.sigmoid(logits)

    def memorise(
        params: Any, features: Any, masks: jax.Array, live: jax.Array, together: bool
    ) -> Any:
        maps, weights = features.maps, {"params": params["fuser"]}
        shared = fuser.apply(weights, maps.f16, method="share")
        encoder = params["value_encoder"]
        of_image = stem_of_image(encoder, maps.image)

        def value(*masks: jax.Array) -> jax.Array:
            planes = jnp.stack(masks, -1).astype(maps.image.dtype)[None]
            stem = of_image + stem_of_masks(encoder, planes)
            encoded: Any = value_encoder.apply({"params": encoder}, stem=stem)
            values: Any = fuser.apply(weights, encoded.f16, shared)
            return values[0]

        planes = (masks, others(masks)) if use_others else (masks,)
        values = map_objects(value, live, *planes, together=together)
        return features.query, values.reshape(len(masks), -1, VALUE).swapaxes(0, 1)

    def shapes(encoder: nn.Module, images: jax.Array) -> Any:
        return jax.eval_shape(encoder.init, jax.random.PRNGKey(0), images)["params"]

    def fresh(rng: jax.Array) -> dict:
        keys = jax.random.split(rng, 7)
        image = jnp.zeros((1, 32, 32, 3))
        f16, f8, f4 = (jnp.zeros((1, n, n, c)) for n, c in ((2, 1024), (4, 512), (8, 256)))
        x, thin = jnp.zeros((1, 2, 2, 256)), jnp.zeros((1, 2, 2, VALUE))
        masked_image = jnp.zeros((1, 32, 32, 5 if use_others else 4))
        params = {
            "key_encoder": random_encoder(keys[0], shapes(key_encoder, image)),
            "key_proj": {"kernel": orthogonal(keys[1], (3, 3, 1024, KEY)), "bias": jnp.zeros(KEY)},
            "key_comp": key_comp.init(keys[2], f16)["params"],
            "value_encoder": random_encoder(keys[3], shapes(value_encoder, masked_image)),
            "fuser": fuser.init(keys[4], x, f16, method="whole")["params"],
            "decoder": decoder.init(keys[5], thin, thin, f8, f4, method="whole")["params"],
        }
        stem, blend = params["value_encoder"]["conv1"], params["fuser"]["block1"]
        masks = orthogonal(
            keys[6], (7, 7, stem["kernel"].shape[2] - backbones.IMAGE, stem["kernel"].shape[3])
        )
        stem["kernel"] = (QUIET * stem["kernel"]).at[:, :, backbones.IMAGE :].set(masks)
        for layer in ("conv1", "downsample"):
            blend[layer]["kernel"] = blend[layer]["kernel"].at[:, :, x.shape[3] :].multiply(QUIET)
        return params

    def group(path: str) -> str:
        if path.endswith(("/mean", "/var")):
            return "frozen"
        return "encoder" if path.startswith(("key_encoder/", "value_encoder/")) else "head"

    family = MatchingFamily(
        encode,
        decode,
        memorise,
        appearance=lambda features: features.maps.f16[0],
        metric="l2",
        key=KEY,
        value=VALUE,
        own_keys=False,
        soft_given=True,
    )
    vos = matching.build(
        family, top_k=top_k, kernel=kernel, last_frame=last_frame, max_short_side=max_short_side
    )
    encoders = (
        ("key_encoder", backbones.pretrained_encoder("resnet:50")),
        ("value_encoder", backbones.pretrained_encoder("resnet:18", wider=("conv1/kernel",))),
    )
    return Model(
        vos, fresh, names(cbam=cbam, use_others=use_others), group, pretrained_encoders=encoders
    )
