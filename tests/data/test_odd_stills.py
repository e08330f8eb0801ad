"""Unusual photos: they give a clip, or one line that names the file."""

import cv2
import numpy as np
import pytest
from PIL import Image

from vosjax.data.photos import pairs
from vosjax.data.stills import Stills, StillsSettings, fitted
from vosjax.data.types import ClipSpec
from vosjax.errors import InputError

SPEC = ClipSpec(3, 65, 65, max_objects=4)


def photo(folder, name, height, width, *, objects=1, mask=None):
    """A noisy photo with a grid of objects."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(objects)))
    rows = np.arange(height)[:, None] * side // height
    ids = rows * side + np.arange(width) * side // width + 1
    ids = np.where(ids > objects, 0, ids).astype(np.uint8)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "images" / f"{name}.jpg"), picture)
    Image.fromarray(ids if mask is None else mask).save(folder / "masks" / f"{name}.png")


def clips(folder, *, coherent, count=6):
    source = Stills(pairs(folder), StillsSettings(coherent=coherent))
    rng = np.random.default_rng(1)
    return [source.clip(i % len(source), rng, SPEC) for i in range(count)]


STYLES = pytest.mark.parametrize("coherent", [0.0, 1.0], ids=["independent", "coherent"])


@STYLES
def test_photos_with_more_objects_than_a_clip_has_ids_for_are_merged(tmp_path, coherent):
    for name in "ab":
        photo(tmp_path, name, 400, 400, objects=150)
    for clip in clips(tmp_path, coherent=coherent):
        assert clip["objects"] <= 4 and clip["frames"].shape == (3, 65, 65, 3)


@STYLES
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (2, 300), (300, 2)])
def test_tiny_and_narrow_photos_make_clips(tmp_path, coherent, size):
    photo(tmp_path, "a", *size)
    assert len(clips(tmp_path, coherent=coherent)) == 6


@STYLES
def test_a_photo_that_cannot_be_warped_is_named(tmp_path, coherent):
    photo(tmp_path, "strip", 3, 2000)
    with pytest.raises(InputError, match="strip.jpg is 2000x3 pixels, .* crop it, or leave it out"):
        clips(tmp_path, coherent=coherent)


@STYLES
def test_a_mask_of_another_size_is_named(tmp_path, coherent):
    photo(tmp_path, "a", 90, 120, mask=np.ones((120, 90), np.uint8))
    with pytest.raises(InputError, match="a.jpg and .*a.png differ in size"):
        clips(tmp_path, coherent=coherent)


@pytest.mark.parametrize("folders", [(), ("images",), ("images", "masks")])
def test_a_folder_without_photos_is_refused(tmp_path, folders):
    for name in folders:
        (tmp_path / "stills" / name).mkdir(parents=True)
    with pytest.raises(InputError, match="no stills in .*stills: expected images/NAME.jpg"):
        pairs(tmp_path / "stills")


@pytest.mark.parametrize("part, name", [("images", "a.jpg"), ("masks", "a.png")])
def test_a_torn_file_is_named(tmp_path, part, name):
    photo(tmp_path, "a", 60, 60)
    path = tmp_path / part / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=name):
        clips(tmp_path, coherent=0.0)


def test_a_thread_of_a_patch_is_reduced_to_one_pixel():
    assert fitted(np.zeros((1, 1000, 4), np.uint8), 50).shape == (1, 50, 4)
