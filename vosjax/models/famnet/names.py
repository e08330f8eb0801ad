"""The names of STM's weights in the checkpoints of seoungwugoh/STM, and of FAMNet's additions.

The additions have names of our own, as no weights of FAMNet were published.
"""

from vosjax.backbones import resnet
from vosjax.models.famnet.blocks import RATES
from vosjax.names import Name, Names, conv, linear

STAGES = ("res2", "res3", "res4")
STEMS = ("conv1_m", "conv1_o")  # of the memory encoder: the object's mask, all others' masks


def block(path: str, key: str) -> list[Name]:
    """Returns the names of a residual block whose shortcut is the identity."""
    return conv(f"{path}/conv1", f"{key}.conv1") + conv(f"{path}/conv2", f"{key}.conv2")


def names(*, align: bool, aspp: bool) -> Names:
    """Returns the names of all weights; the mean and std in a file are ImageNet's and ignored."""
    entries = []
    for ours, theirs, stems in (("query", "Q", ()), ("memory", "M", STEMS)):
        entries += resnet.names(
            "50", f"{ours}_encoder", f"Encoder_{theirs}.", stages=STAGES, extra_stems=stems
        )
        entries += conv(f"{ours}_key", f"KV_{theirs}_r4.Key")
        entries += conv(f"{ours}_value", f"KV_{theirs}_r4.Value")
    for path, key in (
        ("conv16", "convFM"),
        ("skip8", "RF3.convFS"),
        ("skip4", "RF2.convFS"),
        ("pred", "pred2"),
    ):
        entries += conv(f"decoder/{path}", f"Decoder.{key}")
    for path, key in (
        ("block16", "ResMM"),
        ("skip_block8", "RF3.ResFS"),
        ("block8", "RF3.ResMM"),
        ("skip_block4", "RF2.ResFS"),
        ("block4", "RF2.ResMM"),
    ):
        entries += block(f"decoder/{path}", f"Decoder.{key}")
    if align:
        for stride in ("8", "4"):
            for layer in ("reduce_coarse", "reduce_fine", "flow"):
                entries += conv(f"decoder/align{stride}/{layer}", f"Decoder.align{stride}.{layer}")
    if aspp:
        for index in range(len(RATES)):
            entries += conv(f"decoder/context/branches_{index}", f"Decoder.context.{index}")
        entries += linear("decoder/context/join", "Decoder.context.join")
    return Names(tuple(entries), (r".*\.num_batches_tracked", r"Encoder_[MQ]\.(mean|std)"))
