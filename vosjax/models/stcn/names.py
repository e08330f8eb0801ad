"""The names of STCN's weights in the checkpoints of hkchengrex/STCN."""

import numpy as np

from vosjax.backbones import resnet
from vosjax.names import Name, Names, conv, conv_kernel, linear

CHANNELS = 5  # of the value encoder's input: the frame, the object's mask, all others' masks


def with_others(array: np.ndarray) -> np.ndarray:
    """Converts the stem of the value encoder, [64, 5, 7, 7] or, of stage 0, [64, 4, 7, 7].

    Stage 0 does not see other objects; its stem gets a fifth input channel of zeros, as in the
    reference's evaluation.
    """
    if array.shape[1] == CHANNELS - 1:
        array = np.concatenate([array, np.zeros_like(array[:, :1])], 1)
    return conv_kernel(array)


def block(path: str, key: str, *, shortcut: bool) -> list[Name]:
    """Returns the names of a residual block."""
    layers = ("conv1", "conv2") + (("downsample",) if shortcut else ())
    return [name for layer in layers for name in conv(f"{path}/{layer}", f"{key}.{layer}")]


def value_encoder(*, use_others: bool) -> list[Name]:
    """Returns the names of the ResNet-18 that sees the masks."""
    entries = resnet.names("18", "value_encoder", "value_encoder.", bias=True)
    stem = "value_encoder/conv1/kernel"
    return [
        name._replace(layout=with_others) if use_others and name.path == stem else name
        for name in entries
    ]


def names(*, cbam: bool, use_others: bool) -> Names:
    """Returns the names of all weights; files of stage 0 also fit the network of later stages."""
    entries = resnet.names("50", "key_encoder", "key_encoder.", stages=("res2", "layer2", "layer3"))
    entries += conv("key_proj", "key_proj.key_proj") + conv("key_comp", "key_comp")
    entries += value_encoder(use_others=use_others)
    fuser = "value_encoder.fuser"
    entries += block("fuser/block1", f"{fuser}.block1", shortcut=True)
    entries += block("fuser/block2", f"{fuser}.block2", shortcut=False)
    if cbam:
        gate, spatial = f"{fuser}.attention.ChannelGate.mlp", f"{fuser}.attention.SpatialGate"
        entries += linear("fuser/attention/squeeze", f"{gate}.1")
        entries += linear("fuser/attention/excite", f"{gate}.3")
        entries += conv("fuser/attention/spatial", f"{spatial}.spatial.conv")
    entries += block("decoder/compress", "decoder.compress", shortcut=True)
    for ours, theirs, shortcut in (("8", "up_16_8", True), ("4", "up_8_4", False)):
        entries += conv(f"decoder/skip{ours}", f"decoder.{theirs}.skip_conv")
        entries += block(f"decoder/block{ours}", f"decoder.{theirs}.out_conv", shortcut=shortcut)
    entries += conv("decoder/pred", "decoder.pred")
    return Names(tuple(entries), (r".*\.num_batches_tracked",))
