"""FAMNet, a reconstruction: STM with a flow-aligned decoder, ASPP and a top-k read.

The original, an improved STM mentioned in arXiv 2206.09585, is not public. This reconstruction is
what its name and date suggest: STM (Oh et al., ICCV 2019, as implemented in seoungwugoh/STM) with
additions that start as the identity and can be left out one by one. Without them it is exactly STM.
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
from vosjax.layers.residual import Conv, random_encoder
from vosjax.models import matching
from vosjax.models.famnet.blocks import VALUE, Decoder
from vosjax.models.famnet.names import STEMS, names
from vosjax.models.matching import MatchingFamily, MatchingFeatures
from vosjax.schema import Count, Positive
from vosjax.types import Model, Size

KEY = 128


class FamnetMaps(NamedTuple):
    """Maps of a padded frame, with a batch axis of one.

    image  [1, H', W', 3], normalised
    value  [1, h, w, 512], the query value
    f8     [1, 2h, 2w, 512]
    f4     [1, 4h, 4w, 256]
    """

    image: jax.Array
    value: jax.Array
    f8: jax.Array
    f4: jax.Array


def build(
    *,
    align: bool = True,
    aspp: bool = True,
    top_k: Count | None = 20,
    kernel: Positive | None = None,
    last_frame: bool = True,
    max_short_side: Count | None = 480,
) -> Model:
    """Builds a FAMNet, or an STM if all additions are switched off.

        stm = build(align=False, aspp=False, top_k=None)

    Args:
        align: whether the decoder upsamples along a learned flow.
        aspp: whether atrous spatial pyramid pooling is applied to the readout.
        top_k: the read keeps the k largest affinities of each query; None keeps all, as in STM.
        kernel: standard deviation of a kernelised read in stride-16 cells (7 in KMN), or None.
        last_frame: whether the previous frame is always in memory, as in STM.
        max_short_side: largest short side in pixels, before scaling; None for no limit.
    """
    query_encoder = ResNet(VARIANTS["50"], norms_train=True)
    memory_encoder = ResNet(VARIANTS["50"], extra_stems=STEMS, norms_train=True)
    key, value = Conv(KEY), Conv(VALUE)
    decoder = Decoder(align, aspp)

    def encode(params: Any, frame: jax.Array) -> MatchingFeatures:
        image = imagenet_normalise(pad(frame)).astype(compute_dtype(params))[None]
        maps: Any = query_encoder.apply({"params": params["query_encoder"]}, image)
        query: Any = key.apply({"params": params["query_key"]}, maps.f16)
        query_value: Any = value.apply({"params": params["query_value"]}, maps.f16)
        padded = FamnetMaps(image, query_value, maps.f8, maps.f4)
        return MatchingFeatures(query.reshape(-1, 1, KEY), padded, Size(*frame.shape[:2]))

    def decode(
        params: Any, features: Any, readout: jax.Array, live: jax.Array, together: bool
    ) -> Any:
        maps, weights = features.maps, {"params": params["decoder"]}
        shared = decoder.apply(weights, maps.value, maps.f8, maps.f4, method="share")
        readout = readout.swapaxes(0, 1).reshape(-1, *maps.value.shape[1:])

        def probs(x: jax.Array) -> jax.Array:
            return jax.nn.softmax(decoder.apply(weights, x[None], shared)[0], -1)[..., 1]

        return map_objects(probs, live, readout, together=together)

    def memorise(
        params: Any, features: Any, masks: jax.Array, live: jax.Array, together: bool
    ) -> Any:
        encoder, image = params["memory_encoder"], features.maps.image
        of_image = stem_of_image(encoder, image)

        def pair(*masks: jax.Array) -> tuple[jax.Array, jax.Array]:
            planes = jnp.stack(masks, -1).astype(image.dtype)[None]
            stem = of_image + stem_of_masks(encoder, planes, STEMS)
            maps: Any = memory_encoder.apply({"params": encoder}, stem=stem)
            keys: Any = key.apply({"params": params["memory_key"]}, maps.f16)
            values: Any = value.apply({"params": params["memory_value"]}, maps.f16)
            return keys[0], values[0]

        pairs = map_objects(pair, live, masks, jnp.clip(others(masks), 0, 1), together=together)
        return tuple(x.reshape(len(masks), -1, x.shape[-1]).swapaxes(0, 1) for x in pairs)

    def shapes(encoder: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return jax.eval_shape(encoder.init, jax.random.PRNGKey(0), *args, **kwargs)["params"]

    def fresh(rng: jax.Array) -> dict:
        keys = jax.random.split(rng, 6)
        image, f16, readout = (jnp.zeros((1, n, n, c)) for n, c in ((32, 3), (2, 1024), (2, VALUE)))
        f8, f4 = jnp.zeros((1, 4, 4, 512)), jnp.zeros((1, 8, 8, 256))
        extras = (image[..., :1],) * len(STEMS)
        # The two encoders and the two key projections start with equal weights, as the reference's
        # encoders do with ImageNet's. The mean key of a dark and a light plain image is subtracted
        # from all keys: otherwise the positive part that all features share would dominate their
        # products, and similar places would not match.
        encoder = random_encoder(keys[0], shapes(query_encoder, image))
        stems = random_encoder(keys[1], shapes(memory_encoder, image, extras=extras))
        projection = key.init(keys[2], f16)["params"]
        plain = jnp.ones((2, 96, 96, 3)) * jnp.array([-1.0, 1.0]).reshape(2, 1, 1, 1)
        maps: Any = query_encoder.apply({"params": encoder}, plain)
        keys_of_plain: Any = key.apply({"params": projection}, maps.f16)
        projection = projection | {"bias": projection["bias"] - keys_of_plain.mean((0, 1, 2))}
        return {
            "query_encoder": encoder,
            "memory_encoder": stems | encoder,
            "query_key": projection,
            "query_value": value.init(keys[3], f16)["params"],
            "memory_key": projection,
            "memory_value": value.init(keys[4], f16)["params"],
            "decoder": decoder.init(keys[5], readout, readout, f8, f4, method="whole")["params"],
        }

    def group(path: str) -> str:
        if path.endswith(("/mean", "/var")):
            return "frozen"
        return "encoder" if path.startswith(("query_encoder/", "memory_encoder/")) else "head"

    family = MatchingFamily(
        encode,
        decode,
        memorise,
        appearance=lambda features: features.maps.value[0],
        metric="dot",
        key=KEY,
        value=VALUE,
        own_keys=True,
        soft_given=False,
    )
    vos = matching.build(
        family, top_k=top_k, kernel=kernel, last_frame=last_frame, max_short_side=max_short_side
    )
    encoders = tuple(
        (encoder_key, backbones.pretrained_encoder("resnet:50"))
        for encoder_key in ("query_encoder", "memory_encoder")
    )
    return Model(vos, fresh, names(align=align, aspp=aspp), group, pretrained_encoders=encoders)
