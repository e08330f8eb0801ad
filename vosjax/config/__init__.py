"""Configuration: one `Config`, made of every room's own part, and the way to it from a file.

    network("aot", encoder="swin:b", layers=3, mem_every=5)     a ConfigDict, as configs/*.py return
    training("aot", layers=1)                                   the same with a training
    patch_training("bpr", patch=64)                             the same of a refinement network
    mark_training("interactive", side=257)                      the same of an interactive network
    named("aot:r50")                                            that of a file of configs/
    opened("aot:r50", ["mem_every=3"])                          parsed: a `Config`, checked

A file of `configs/` returns an `ml_collections.ConfigDict`. The command line lays its overrides
over it and parses it, once, and nothing behind that door sees a ConfigDict.
"""

from vosjax.config.door import opened, parsed
from vosjax.config.files import named, names, variant
from vosjax.config.root import (
    Config,
    StageConfig,
    as_config_dict,
    mark_training,
    network,
    patch_training,
    training,
)

__all__ = [
    "Config",
    "StageConfig",
    "as_config_dict",
    "mark_training",
    "named",
    "names",
    "network",
    "opened",
    "parsed",
    "patch_training",
    "training",
    "variant",
]
