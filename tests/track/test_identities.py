"""Weights say how many identities they were trained with, and no more are used."""

import jax
import numpy as np
import pytest
from support import toy
from support.clips import clip
from support.command import FAMILIES

from vosjax import Tracker, load, models
from vosjax.checkpoints.weights import save_weights
from vosjax.errors import InputError
from vosjax.eval.plan import plan
from vosjax.loading import pretrained

FRAMES, LABELS = clip(frames=3, height=48, width=64, objects=4)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """write(objects) -> a folder: weights of the toy, which holds 4; their card says `objects`."""
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(FAMILIES)])

    def write(objects):
        card = {
            "family": "toynet",
            "config": {"model": {"slots": 4}},
            "source": "a test",
            "licence": "none",
        }
        if objects is not None:
            card["objects"] = objects
        save_weights(tmp_path / f"{objects}", toy.fresh(jax.random.PRNGKey(0)), card=card)
        return tmp_path / f"{objects}"

    return write


def test_the_embedded_default_tells_its_identities_and_keeps_to_them():
    model = load()
    assert 1 <= model.card["objects"] <= 10
    assert model.model.vos.slots == model.card["objects"]


@pytest.mark.parametrize("objects, slots", [(None, 4), (2, 2), (4, 4), (9, 4)])
def test_a_network_has_no_more_slots_than_its_weights_have_identities(weights, objects, slots):
    assert load(weights(objects)).model.vos.slots == slots


def test_changed_settings_keep_the_limit(weights):
    assert pretrained.configure(load(weights(2)), mem_every=3).model.vos.slots == 2


@pytest.mark.parametrize("objects", [0, -1, "5", True, 2.5])
def test_a_card_that_makes_no_sense_is_refused(weights, objects):
    with pytest.raises(InputError, match="objects"):
        load(weights(objects))


def test_more_objects_run_in_groups(weights):
    tracker = Tracker(load(weights(2)))
    tracker.step(FRAMES[0], LABELS[0])
    assert tracker.spec.objects == 4
    assert tracker.objects == [1, 2, 3, 4]


def test_an_object_that_comes_late_opens_a_group_of_its_own(weights):
    tracker = Tracker(load(weights(3)))
    first = np.where(LABELS[0] == 4, 0, LABELS[0])
    tracker.step(FRAMES[0], first)
    assert tracker.spec.objects == 3
    tracker.step(FRAMES[1], np.where(LABELS[1] == 4, 4, 0))
    assert tracker.spec.objects == 6


def test_evaluation_plans_groups(weights):
    class Sequence:
        starts, frames = {1: 0, 2: 0, 3: 0}, range(5)

    slots = load(weights(2)).model.vos.slots
    planned = plan(Sequence, (48, 64), slots=slots, mem_every=5, max_mem_frames=8)
    assert (planned.slots, planned.groups) == (2, 2)
