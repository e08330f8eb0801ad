"""Every builder of stills, from a source's own layout to what TFDS reads: ids, pixels, reports."""

import numpy as np
import pytest
from PIL import Image
from support import dataset_layouts as layouts
from support.prepared_splits import labels, once


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """prepared(layout function, name, split) -> `PreparedSplit`."""
    return once(tmp_path_factory)


def test_coco_paints_in_order_and_keeps_every_pixel(prepared):
    made = prepared(layouts.coco, "coco/crowds_ignored", "val")
    truth, still = made.written, made.still("000000000000.jpg")
    assert np.array_equal(labels(still["mask"]) == 2, truth["middle"])
    assert np.array_equal(labels(still["mask"]) == 1, truth["left"] & ~truth["middle"])
    assert still["categories"] == [b"person", b"dog"] and still["ids"].tolist() == [1, 2]
    assert still["image"] == (made.source / "val2017/000000000000.jpg").read_bytes()


def test_coco_ignores_crowds_unless_they_are_kept(prepared):
    ignored = prepared(layouts.coco, "coco/crowds_ignored", "val")
    name, truth = "000000000001.jpg", ignored.written["crowd"]
    kept = prepared(layouts.coco, "coco/crowds_kept", "val").still(name)
    decoded = labels(ignored.still(name)["mask"])
    assert set(np.unique(decoded[truth])) == {1, 255} and (decoded[~truth] != 255).all()
    assert np.array_equal(labels(kept["mask"]) == 2, truth)
    assert ignored.left_out["crowd annotation, its pixels are ignored"] == [f"{name} annotation 53"]


def test_coco_tells_what_it_leaves_out(prepared):
    left_out = prepared(layouts.coco, "coco/crowds_ignored", "val").left_out
    assert left_out["object too small"] == ["000000000002.jpg annotation 54"]
    assert left_out["nothing left of it"] == ["000000000002.jpg"]
    assert left_out["missing mask"] == ["000000000003.jpg"]
    assert left_out["damaged picture"] == ["000000000004.jpg"]


def write_ecssd(root):
    layouts.salient(root, "images", "ground_truth_mask")


def write_msra10k(root):
    layouts.salient(root, "MSRA10K_Imgs_GT/Imgs", "MSRA10K_Imgs_GT/Imgs")


def write_pascal_s(root):
    layouts.salient(root, "datasets/imgs/pascal", "datasets/masks/pascal")


@pytest.mark.parametrize(
    "write, name",
    [(write_ecssd, "ecssd"), (write_msra10k, "msra10k"), (write_pascal_s, "pascal_s/binary")],
)
def test_salient_masks_are_cut_at_half(prepared, write, name):
    made = prepared(write, name)
    assert np.array_equal(labels(made.still("0")["mask"]), layouts.greys() >= 128)
    assert made.left_out == {"missing mask": ["1"], "mask of another size": ["2"]}


def test_grey_levels_can_be_objects(prepared):
    mask = labels(prepared(write_pascal_s, "pascal_s").still("0")["mask"])
    assert np.array_equal(mask == 1, layouts.greys() == 150)
    assert np.array_equal(mask == 2, layouts.greys() == 255)


def write_unusual_masks(root):
    """A mask whose levels stand in its palette, and one of which half is left."""
    write_ecssd(root)
    levels, masks = layouts.greys(), root / "ground_truth_mask"
    image = Image.fromarray(255 - levels)
    image.putpalette(np.repeat(np.arange(255, -1, -1, dtype=np.uint8), 3).tobytes())
    image.save(masks / "0.png")
    whole = (masks / "0.png").read_bytes()
    (masks / "1.png").write_bytes(whole[: len(whole) // 2])


def test_of_a_palette_the_levels_that_are_seen_count_and_a_damaged_mask_is_left_out(prepared):
    made = prepared(write_unusual_masks, "ecssd")
    assert np.array_equal(labels(made.still("0")["mask"]), layouts.greys() >= 128)
    assert made.left_out["damaged mask"] == ["1"]


def test_voc_masks_are_kept_as_they_are(prepared):
    made = prepared(layouts.voc, "pascal_voc", "val")
    still = made.still("2007_000001")
    path = made.source / "VOCdevkit/VOC2012/SegmentationObject/2007_000001.png"
    assert still["mask"] == path.read_bytes() and 255 in labels(still["mask"])
    assert still["categories"] == [b"person", b"bird"] and still["ids"].tolist() == [1, 2]
    assert made.left_out == {"damaged picture": ["2007_000002"]}


def test_pixel_imagenet_joins_masks_and_photos(prepared):
    made = prepared(layouts.pixel_imagenet, "pixel_imagenet")
    still = made.still("n01440764/n01440764_18")
    assert still["categories"] == [b"n01440764"] * 2 and still["areas"].tolist() == [112, 112]
    assert made.left_out == {"damaged picture": ["n01440764/n01440764_99 (no photo)"]}
