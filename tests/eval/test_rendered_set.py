"""Rendered sets with objects of chosen sizes."""

import json

import numpy as np
import pytest

from vosjax.errors import InputError
from vosjax.eval import rendered_set, videos
from vosjax.io.palette import read_label_png

SIZE = (96, 160)


def areas(root):
    """The areas of all objects in the first frames of a set."""
    maps = [videos.read_labels(video, 0) for video in videos.discover(root)]
    return np.concatenate([np.bincount(labels.ravel())[1:] for labels in maps])


def written(root):
    """{file: its bytes} of all pictures of a set."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.png")}


def test_the_default_size_gives_the_clips_of_sets_without_one(tmp_path):
    for name, size in (("plain", {}), ("named", {"object_size": (0.2, 0.8)})):
        rendered_set.write(tmp_path / name, clips=2, frames=2, size=SIZE, objects=2, **size)
    assert written(tmp_path / "plain") == written(tmp_path / "named")
    record = json.loads((tmp_path / "named" / "run.json").read_text())
    assert "object_size" not in record["settings"]["render"]


def test_objects_have_the_size_that_is_asked_for(tmp_path):
    rendered_set.write(tmp_path, clips=4, frames=1, size=SIZE, objects=2, object_size=(0.1, 0.15))
    pixels = areas(tmp_path)
    assert (pixels > rendered_set.LEAST).all()
    # Twins of an object may be larger by a deviation of 20 %, bodies with limbs are up to 30 wide.
    assert np.median(pixels) < (0.15 * SIZE[1]) ** 2 and pixels.max() < 40**2
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["settings"]["render"]["object_size"] == [0.1, 0.15]


def test_every_clip_shows_an_object(tmp_path):
    rendered_set.write(tmp_path, clips=8, frames=1, size=SIZE, objects=1, object_size=(0.08, 0.1))
    maps = [read_label_png(path) for path in (tmp_path / "Annotations").rglob("*.png")]
    assert len(maps) == 8 and all(labels.any() for labels in maps)


@pytest.mark.parametrize("object_size", [(0.3, 0.2), (0.0, 0.1), (0.1, float("nan")), (0.5, 2.0)])
def test_impossible_sizes_are_one_line(tmp_path, object_size):
    with pytest.raises(InputError, match="the smaller one first"):
        rendered_set.write(tmp_path, clips=1, frames=1, size=SIZE, object_size=object_size)


def test_objects_that_cannot_be_seen_are_one_line(tmp_path):
    with pytest.raises(InputError, match="none of 20 clips shows an object of 0.1 to 0.2"):
        rendered_set.write(
            tmp_path, clips=1, frames=1, size=(4, 4), objects=1, object_size=(0.1, 0.2)
        )
