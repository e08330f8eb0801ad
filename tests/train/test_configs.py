"""Training configs: every stage of each fits its network."""

import pytest

from vosjax.config import opened
from vosjax.train import build, loop, step

CONFIGS = [
    "train_default",
    "train_rendered",
    "train_aot_static",
    "train_aot_static:r50",
    "train_aot_static:swin",
    "train_aot_video:r50",
    "train_seed:r50",
    "train_seed:lstt_v2",
    "train_seed",
    "train_seed:effnet",
    "train_seed:resnext",
    "train_seed:stcn",
    "train_seed:famnet",
    "train_stcn",
    "train_stcn:famnet",
    "train_matching",
    "train_matching:famnet",
    "train_matching:stm",
]


def stages(asked):
    return loop.stages(opened(asked))


@pytest.mark.parametrize("asked", CONFIGS)
def test_every_stage_fits_its_network(asked):
    for _, config in stages(asked):
        build.configured(config)
        assert config.mode == "train"


@pytest.mark.parametrize("asked", ["train_default", "train_aot_static:r50", "train_stcn"])
def test_patterns_find_the_weights_they_speak_of(asked):
    for _, config in stages(asked):
        paths = build.weight_shapes(build.configured(config))
        assert paths
        for pattern in (config.train.held, *config.train.no_decay.split("|")):
            known = pattern == "position_bias_table" or not pattern  # Swin's alone
            assert known or step.held_paths(paths, pattern), pattern
