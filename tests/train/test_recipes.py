"""Training recipes of configs/: every stage of each fits its network."""

import importlib

import pytest

from vosjax import models
from vosjax.train import loop, step

RECIPES = ["default", "train_rendered", "train_aot_static", "train_aot_static:r50",
           "train_aot_static:swin", "train_aot_video:r50", "train_stcn",
           "train_famnet"]


def stages(recipe):
    name, _, network = recipe.partition(":")
    make = importlib.import_module(f"configs.{name}").get_config
    return loop.stages(make(network) if network else make())


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_stage_fits_its_network(recipe):
    for _, config in stages(recipe):
        model = models.build(config.family, **config.model)
        loop.fits(loop.with_frozen(model, config.train.freeze), config)
        loop.clips_config(config.data)
        assert config.mode == "train"


@pytest.mark.parametrize("recipe", ["default", "train_aot_static:r50", "train_stcn"])
def test_patterns_find_the_weights_they_speak_of(recipe):
    for _, config in stages(recipe):
        model = loop.with_frozen(models.build(config.family, **config.model), config.train.freeze)
        paths = loop.weight_shapes(model)
        assert paths
        for pattern in (config.train.held, *config.train.no_decay.split("|")):
            known = pattern == "position_bias_table" or not pattern  # Swin's alone
            assert known or step.held_paths(paths, pattern), pattern
