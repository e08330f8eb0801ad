"""Training recipes of configs/: every stage of each fits its network."""

import importlib

import pytest

from vosjax.train import loop, recipe, step

RECIPES = [
    "train_default",
    "train_rendered",
    "train_aot_static",
    "train_aot_static:r50",
    "train_aot_static:swin",
    "train_aot_video:r50",
    "train_stcn",
    "train_famnet",
]


def stages(asked):
    name, _, network = asked.partition(":")
    make = importlib.import_module(f"configs.{name}").get_config
    return loop.stages(make(network) if network else make())


@pytest.mark.parametrize("asked", RECIPES)
def test_every_stage_fits_its_network(asked):
    for _, config in stages(asked):
        recipe.configured(config)
        loop.clips_config(config.data)
        assert config.mode == "train"


@pytest.mark.parametrize("asked", ["train_default", "train_aot_static:r50", "train_stcn"])
def test_patterns_find_the_weights_they_speak_of(asked):
    for _, config in stages(asked):
        paths = recipe.weight_shapes(recipe.configured(config))
        assert paths
        for pattern in (config.train.held, *config.train.no_decay.split("|")):
            known = pattern == "position_bias_table" or not pattern  # Swin's alone
            assert known or step.held_paths(paths, pattern), pattern
