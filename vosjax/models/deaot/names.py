"""The names of DeAOT's weights in the checkpoints of aot-benchmark."""

from vosjax.backbones import Backbone
from vosjax.models.aot.names import decoder, local_attention
from vosjax.names import Name, Names, conv, linear, norm


def _gated(path: str, key: str) -> list[Name]:
    return conv(f"{path}/depthwise", f"{key}.dw_conv.conv", bias=False) + linear(
        f"{path}/projection", f"{key}.projection"
    )


def block(path: str, key: str, *, first: bool) -> list[Name]:
    """Returns the names of one block of the propagation."""
    linears = {"query_value": "linear_QV", "gate": "linear_U", "identity_value": "linear_ID_V"}
    norms = {"norm1": "norm1", "norm2": "norm2", "identity_norm2": "id_norm2"}
    if not first:
        linears["identity_gate"] = "linear_ID_U"
        norms["identity_norm1"] = "id_norm1"
    ours, theirs = f"{path}/self_propagation", f"{key}.self_attn"
    entries = _gated(f"{ours}/out", theirs) + linear(f"{ours}/query_key", f"{theirs}.linear_QK")
    for i in (1, 2):
        entries += linear(f"{ours}/value{i}", f"{theirs}.linear_V{i}")
        entries += linear(f"{ours}/gate{i}", f"{theirs}.linear_U{i}")
    for name, theirs in linears.items():
        entries += linear(f"{path}/{name}", f"{key}.{theirs}")
    for name, theirs in norms.items():
        entries += norm(f"{path}/{name}", f"{key}.{theirs}")
    for term in ("long", "short"):
        entries += _gated(f"{path}/{term}_out", f"{key}.{term}_term_attn")
    return entries + local_attention(
        f"{path}/short", f"{key}.short_term_attn", heads=1, offset=False
    )


def names(backbone: Backbone, *, layers: int) -> Names:
    """Returns the names of all weights; a file may also hold what the encoder ignores."""
    entries = list(backbone.names("encoder", "encoder."))
    entries += linear("projector", "encoder_projector")
    for i in range(layers):
        entries += block(f"propagation/blocks_{i}", f"LSTT.layers.{i}", first=i == 0)
    entries += norm("propagation/norm", "LSTT.decoder_norms.0.gn")
    entries += decoder("decoder", "decoder")
    entries += conv("identity/bank", "patch_wise_id_bank") + norm("identity/norm", "id_norm")
    return Names(tuple(entries), tuple(rf"encoder\.(?:{rule})" for rule in backbone.ignored))
