"""The zoom's box trackers with real networks: the embedded model's features, and DiMP."""

import jax
import numpy as np
import pytest

import vosjax
from vosjax.boxes import dimp
from vosjax.boxes.protocol import FLAGS
from vosjax.checkpoints.weights import save_weights
from vosjax.refine.config import RefineConfig
from vosjax.refine.zoom.choose import Clip
from vosjax.refine.zoom.files import of_labels
from vosjax.refine.zoom.moments import centre_of
from vosjax.refine.zoom.places import find_places
from vosjax.refine.zoom.source import survey
from vosjax.tracking.zoomer import load_zoomer

SIZE, SIDE, LOST = (240, 320), 16, 3  # frames from LOST on have no mask


def film(count):
    """A textured square that moves over texture, and masks that lose it, as a video."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 120, (*SIZE, 3), np.uint8)
    square = rng.integers(90, 255, (4, 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    images, labels = np.repeat(ground[None], count, 0), np.zeros((count, *SIZE), np.uint8)
    for time in range(count):
        x, y = 120 + 4 * time, 100 + 2 * time
        images[time, y : y + SIDE, x : x + SIDE] = square
        labels[time, y : y + SIDE, x : x + SIDE] = time < LOST
    video = of_labels(
        lambda start, stop: iter(images[start:stop]),
        lambda index: labels[index],
        length=count,
        size=SIZE,
    )
    return video


def test_where_the_mask_vanishes_the_box_is_that_of_the_target_model_on_features():
    video = film(6)
    zoomer = load_zoomer(RefineConfig(zoom="features"), vosjax.load())
    tracked = survey(video, zoomer.tracking).tracked[1]
    places = find_places(video, Clip(1, 0, 6), tracked).places
    assert [box.confidence for box in places[LOST:]] == [0.6] * 3
    for time in range(LOST, 6):
        middle = [120 + 4 * time + SIDE / 2, 100 + 2 * time + SIDE / 2]
        np.testing.assert_allclose(centre_of(places[time].box), middle, atol=4)
        np.testing.assert_allclose(centre_of(places[time].box), centre_of(tracked[time].box))
    assert [box.confidence for box in find_places(video, Clip(1, 0, 6)).places[LOST:]] == [0] * 3


@pytest.mark.slow
def test_a_folder_of_dimp_is_loaded_and_follows_small_objects(tmp_path):
    params = jax.jit(dimp.build().init_params)(jax.random.PRNGKey(0))
    card = {"family": dimp.FAMILY, "config": {}, "source": "a test", "licence": "none"}
    save_weights(tmp_path / "dimp", params, card=card)
    zoomer = load_zoomer(RefineConfig(zoom=str(tmp_path / "dimp")), vosjax.load())
    seen = survey(film(3), zoomer.tracking).tracked[1]
    assert seen[0] is None
    for one in seen[1:]:
        assert np.isfinite(one.box).all() and np.isfinite(one.score) and one.flag < len(FLAGS)
