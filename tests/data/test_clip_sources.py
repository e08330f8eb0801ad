"""Clips from stills and rendered clips: shapes, labels, distractors, occlusion, determinism."""

import cv2
import numpy as np
import pytest
from PIL import Image

from vosjax.data import photos, stills, types
from vosjax.data.synthetic import motion, rendered, sprites
from vosjax.data.synthetic import scene as scenes
from vosjax.data.synthetic.sample import sample_clip
from vosjax.datasets import decode

SPEC = types.ClipSpec(3, 72, 88)


def write_stills(folder, count=3):
    """Grey photos with a red rectangle and a blue disc, and palette masks."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for i in range(count):
        image = np.repeat(rng.integers(0, 255, (12, 16, 1), np.uint8), 3, 2)
        image = cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC)
        ids = np.zeros((120, 160), np.uint8)
        ids[20:70, 20 + 10 * i : 80] = 1
        cv2.circle(ids, (110, 80), 25, 2 + i, -1)
        image[ids == 1] = (220, 40, 40)
        image[ids > 1] = (40, 60, 230)
        cv2.imwrite(str(folder / "images" / f"{i}.jpg"), image[..., ::-1])
        mask = Image.fromarray(ids)
        mask.putpalette([(37 * i) % 256 for i in range(768)])  # any colours: ids are indices
        mask.save(folder / "masks" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_stills(tmp_path_factory.mktemp("stills"))


def _source(kind, folder):
    if kind == "rendered":
        return rendered.Rendered()
    return stills.Stills(
        photos.pairs(folder), stills.StillsSettings(coherent=float(kind == "coherent"))
    )


@pytest.fixture(scope="module", params=["coherent", "independent", "rendered"])
def source(request, folder):
    return _source(request.param, folder)


def _clips(source, count, spec=SPEC):
    return [source.clip(i % 3, np.random.default_rng(i), spec) for i in range(count)]


def test_clip_has_the_documented_arrays(source):
    for clip in _clips(source, 4):
        assert clip["frames"].shape == (3, 72, 88, 3) and clip["frames"].dtype == np.uint8
        assert clip["labels"].shape == (3, 72, 88) and clip["labels"].dtype == np.uint8
        assert clip["live"].shape == (10,) and clip["live"].dtype == bool


def test_every_live_object_is_seen_in_frame_0_and_no_other(source):
    for clip in _clips(source, 12):
        seen = types.visible_ids(clip["labels"][0], types.minimum_pixels(72, 88))
        assert np.array_equal(np.flatnonzero(clip["live"]) + 1, seen)
        assert set(np.unique(clip["labels"])) <= {0, 255, *seen}


def test_clips_show_objects_that_move(source):
    clips = _clips(source, 12)
    assert sum(clip["objects"] > 0 for clip in clips) >= 10
    assert sum((clip["labels"][0] != clip["labels"][-1]).any() for clip in clips) >= 10


def test_one_seed_gives_one_clip(source):
    one, two = (source.clip(1, np.random.default_rng(5), SPEC) for _ in range(2))
    other = source.clip(1, np.random.default_rng(6), SPEC)
    assert all(np.array_equal(one[key], two[key]) for key in one)
    assert not np.array_equal(one["frames"], other["frames"])


def test_clip_of_one_frame(source):
    clip = source.clip(0, np.random.default_rng(0), SPEC._replace(frames=1))
    assert clip["labels"].shape == (1, 72, 88)


def _square(label, x, rank, colour):
    patch = np.full((30, 30, 4), 255, np.uint8)
    patch[..., :3] = colour
    return scenes.Actor(patch, label, motion.shift(x, 20.0), group=int(x), rank=rank)


QUIET = scenes.Scene(
    motion=motion.Motion(*[0.0] * 7),
    still_camera=1.0,
    resting=0.0,
    cross=0.0,
    tint=0.0,
    shutter=0.0,
    lookalike=1.0,
    twin=0.0,
)
PLATE = (np.zeros((72, 88, 3), np.uint8), np.eye(3))


def test_nearer_objects_hide_farther_ones():
    actors = [_square(1, 20, 0.2, 90), _square(2, 35, 0.8, 200)]
    frames, labels, _ = scenes.animate(
        PLATE, actors, spec=SPEC, scene=QUIET, rng=np.random.default_rng(0)
    )
    assert (labels[:, 25:45, 40:48] == 2).all() and (frames[:, 25:45, 40:48] == 200).all()
    assert (labels[:, 25:45, 24:33] == 1).all()


def test_unlabelled_occluder_hides_the_label():
    actors = [_square(1, 20, 0.2, 90), _square(0, 35, 0.8, 200)]
    _, labels, _ = scenes.animate(
        PLATE, actors, spec=SPEC, scene=QUIET, rng=np.random.default_rng(0)
    )
    assert (labels[:, 25:45, 40:48] == 0).all() and (labels[:, 25:45, 24:33] == 1).all()


def test_lookalikes_are_in_the_picture_and_not_in_the_labels():
    target = _square(1, 5, 0.2, 200)
    actors = scenes.add_copies(np.random.default_rng(2), [target], size=(72, 88), scene=QUIET)
    copy = actors[1]
    assert len(actors) == 2 and copy.label == 0 and copy.group != target.group
    frames, labels, _ = scenes.animate(
        PLATE, actors, spec=SPEC, scene=QUIET, rng=np.random.default_rng(0)
    )
    assert (frames[0].max(-1) > 60).sum() > (labels[0] == 1).sum() + 200


def test_twins_are_objects_of_their_own():
    actors = scenes.add_copies(
        np.random.default_rng(2),
        [_square(1, 5, 0.2, 200)],
        size=(72, 88),
        scene=QUIET._replace(lookalike=0.0, twin=1.0),
    )
    assert [actor.label for actor in actors] == [1, 2]


def test_rendered_clips_occlude_objects():
    spec = types.ClipSpec(6, 72, 88)
    covered = 0
    for seed in range(12):
        labels = rendered.Rendered(rendered.RenderedSettings(objects=(4, 4))).clip(
            0, np.random.default_rng(seed), spec
        )["labels"]
        areas = np.array([np.bincount(frame.ravel(), minlength=11)[1:11] for frame in labels])
        covered += ((areas.max(0) > 100) & (areas.min(0) < 0.5 * areas.max(0))).any()
    assert covered >= 4


def test_masks_sit_on_their_pixels(folder):
    source = stills.Stills(
        photos.pairs(folder),
        stills.StillsSettings(coherent=0.0, merge=0.0, colour=stills.colours.Colour(*[0.0] * 10)),
    )
    for seed in range(4):
        clip = source.clip(0, np.random.default_rng(seed), SPEC._replace(shuffle=False))
        red = clip["frames"][..., 0].astype(int) - clip["frames"][..., 2] > 100
        assert ((clip["labels"] == 1) == red).mean() > 0.97


def test_still_motion_moves_the_label_with_the_picture():
    plate = sprites.Plate(np.zeros((72, 88, 3), np.uint8), np.tile(np.eye(3), (3, 1, 1)))
    patch = np.full((20, 20, 4), 255, np.uint8)
    when = np.arange(3.0)
    layer = sprites.Layer(
        patch,
        1,
        motion.shift(10 + 8 * when, 30.0),
        np.zeros(3),
        motion.bending(np.random.default_rng(0), when, 0.1),
    )
    frames, labels = sprites.paint(plate, [layer], size=(72, 88))
    assert ((frames[..., 0] > 127) == (labels == 1)).mean() > 0.995
    assert np.nonzero(labels[2])[1].mean() > np.nonzero(labels[0])[1].mean() + 10


def test_object_that_leaves_comes_back():
    path = motion.excursion(np.random.default_rng(0), np.linspace(0, 10, 21), size=(72, 88))
    way = np.hypot(path[:, 0, 2], path[:, 1, 2])
    assert way[0] == 0 and way.max() > 60 and way[-1] < way.max()


def test_filled_background_shows_nothing_of_the_object():
    image = np.full((60, 60, 3), 100, np.uint8)
    hole = np.zeros((60, 60), bool)
    hole[20:40, 20:40] = True
    image[hole] = 250
    filled = photos.fill(image, hole)
    assert np.abs(filled.astype(int) - 100).max() <= 3
    assert np.array_equal(filled[:10], image[:10])


def test_salient_mask_of_0_and_255_is_one_object(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    assert np.array_equal(np.unique(decode.mask((tmp_path / "m.png").read_bytes())), [0, 1])


def test_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="images/NAME.jpg"):
        photos.pairs(tmp_path)


def test_render_clip_is_fixed_by_its_seed():
    one, two = (rendered.render_clip(3, size=(64, 80), frames=2, objects=3) for _ in range(2))
    assert np.array_equal(one["frames"], two["frames"]) and np.array_equal(
        one["labels"], two["labels"]
    )
    with pytest.raises(ValueError, match="objects is 11"):
        rendered.render_clip(3, size=(64, 80), frames=2, objects=11)


def test_validation_clips_show_objects():
    clips = rendered.validation_clips(4, size=(64, 96), frames=2)
    assert all(clip["objects"] >= 1 for clip in clips)


def test_validation_clips_keep_to_the_most_objects_of_the_training():
    clips = rendered.validation_clips(3, size=(64, 96), frames=2, max_objects=2)
    assert all(1 <= clip["objects"] <= 2 for clip in clips)


def test_sample_clip_shows_occlusion_and_a_lookalike():
    clip = sample_clip()
    areas = np.array([[(frame == i).sum() for i in (1, 2, 3)] for frame in clip["labels"]])
    assert clip["frames"].shape == (30, 240, 432, 3)
    assert (areas[0] > 1500).all() and (areas > 100).all()
    assert areas[:, 1].min() < 0.3 * areas[0, 1] and areas[-1, 1] > 0.9 * areas[0, 1]
    assert np.array_equal(clip["frames"], sample_clip()["frames"])
