"""The time that boundary refinement adds to a frame, with the toy network and small weights."""

import numpy as np
import pytest
from support import toy

from vosjax.bench import boundary as bench
from vosjax.refine.config import RefineConfig
from vosjax.refine.refiner import load_refiner


def test_ellipses_are_apart_and_all_there():
    labels = bench.ellipses((480, 854), 3)
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert np.bincount(labels.ravel())[1:].min() > 64**2
    assert not labels[0].any() and not labels[:, 0].any()


@pytest.mark.slow
def test_both_are_timed_in_every_round(boundary):
    refiner = load_refiner(RefineConfig(boundary=boundary))
    model = toy.model(slots=2)
    times = bench.measure(model, refiner, shape=(96, 160), objects=2, rounds=2)
    assert len(times.frame) == len(times.stage) == 2 and min(times.frame + times.stage) > 0
    assert times.patches > 4
    assert times.ratios == [times.stage[0] / times.frame[0], times.stage[1] / times.frame[1]]


def test_random_weights_are_those_of_a_config():
    refiner = bench.random_refiner()
    assert refiner.params["head"]["classifier"]["kernel"].shape[-1] == 2
    assert refiner.settings["boundary_strength"] == RefineConfig().boundary_strength
