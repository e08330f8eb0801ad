"""Stored masks to ids: one decoder for training, evaluation and preparation."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from support import dataset_layouts as layouts

from data_prep import shards
from vosjax.data.samplers import aot
from vosjax.data.types import ClipSpec
from vosjax.datasets import catalog, decode, folders
from vosjax.errors import InputError
from vosjax.eval import videos

MAPS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def png(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def palette(labels):
    image = Image.fromarray(labels)
    image.putpalette(layouts.PALETTE)
    return image


def with_alpha(labels, alpha):
    return Image.merge(
        "LA", [Image.fromarray(labels), Image.fromarray(np.full_like(labels, alpha))]
    )


@settings(max_examples=40, deadline=None)
@given(MAPS)
def test_palette_grey_and_opaque_alpha_give_the_same_ids(labels):
    for image in (palette(labels), Image.fromarray(labels), with_alpha(labels, 255)):
        assert np.array_equal(decode.labels(png(image)), labels)


def test_one_bit_is_0_and_1():
    labels = np.array([[0, 1], [1, 1]], np.uint8)
    stored = png(Image.fromarray(labels > 0))
    assert np.array_equal(decode.labels(stored), labels)
    assert np.array_equal(decode.wide_labels(stored), labels)


def test_sixteen_bits_are_read_only_where_they_are_expected():
    labels = np.array([[0, 12401]], np.uint16)
    stored = png(Image.fromarray(labels))
    assert np.array_equal(decode.wide_labels(stored), labels)
    with pytest.raises(InputError, match="mode I;16.*palette or grey PNG"):
        decode.labels(stored)


def test_255_alone_is_void_for_evaluation_and_the_object_for_training():
    labels = 255 * layouts.blocks([1])
    stored = png(Image.fromarray(labels))
    assert np.array_equal(decode.labels(stored), labels)
    assert np.array_equal(decode.mask(stored), labels > 0)


def test_255_beside_other_ids_stays():
    labels = layouts.blocks([1, 255])
    assert np.array_equal(decode.mask(png(palette(labels))), labels)


@pytest.mark.parametrize(
    "image", [with_alpha(layouts.blocks([1]), 254), Image.fromarray(layouts.picture(0))]
)
def test_colours_and_transparency_are_refused_by_name(image):
    with pytest.raises(InputError, match="^cow.png has mode"):
        decode.labels(png(image), name="cow.png")


@pytest.mark.parametrize("data", [b"", b"no image", png(palette(layouts.blocks([1])))[:60]])
def test_damaged_masks_are_refused_by_name(data):
    with pytest.raises(InputError, match="^cow.png cannot be read"):
        decode.labels(data, name="cow.png")


@pytest.fixture(scope="module")
def davis_2016(tmp_path_factory):
    """DAVIS 2016 with a mask of grey and opaque alpha, as train/bear/00077 was published."""
    root = layouts.davis(tmp_path_factory.mktemp("davis"))
    for t in range(3):
        labels = 255 * (layouts.blocks([1, 2], shift=t) > 0).astype(np.uint8)
        image = with_alpha(labels, 255) if t == 1 else Image.fromarray(labels)
        image.save(root / f"Annotations/480p/bear/{t:05d}.png")
    return root


def test_a_mask_with_an_opaque_alpha_is_prepared(davis_2016, tmp_path):
    (report,) = shards.prepare(
        "davis/2016_480p", source=davis_2016, output=tmp_path, splits=["train"]
    )
    assert not report["left_out"] and report["counts"]["masks"] == 3
    header = catalog.open_videos(tmp_path / "davis").header(0)
    assert header.areas.tolist() == [[224]] * 3


def test_a_mask_with_an_opaque_alpha_is_evaluated_and_trained_on(davis_2016):
    (bear,) = videos.discover(davis_2016, split="train", year=2016)
    truth = layouts.blocks([1, 2], shift=1) > 0
    assert np.array_equal(videos.read_labels(bear, 1) > 0, truth)
    assert bear.truths == (0, 1, 2) and bear.starts == {1: 0}
    clips = aot.VideoClips(folders.Folder(str(davis_2016), ("bear",)))
    assert clips.clip(0, np.random.default_rng(0), ClipSpec(3, 32, 32))["labels"].shape[0] == 3


def test_a_mask_of_black_and_white_is_one_object_whatever_the_year(davis_2016):
    (bear,) = videos.discover(davis_2016, names=["bear"])
    assert bear.starts == {1: 0}
    assert np.array_equal(videos.read_labels(bear, 1), layouts.blocks([1, 2], shift=1) > 0)
