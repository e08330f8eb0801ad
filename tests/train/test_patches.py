"""Training patches: which objects give some, what is in them, and the folder that keeps them."""

import numpy as np
import pytest
from PIL import Image

from vosjax.config import opened
from vosjax.errors import InputError
from vosjax.io.palette import write_label_png
from vosjax.modes import Options
from vosjax.modes import patches as patches_mode
from vosjax.train import patches
from vosjax.train.config import PatchesConfig

SETTINGS = PatchesConfig(side=16)
HEIGHT, WIDTH = 60, 80


def square(top, left, side, label=1, labels=None):
    """Labels uint8 [HEIGHT, WIDTH] with a square of a label."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8) if labels is None else labels.copy()
    labels[top : top + side, left : left + side] = label
    return labels


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def test_the_object_of_the_best_overlap_is_found_whatever_its_id():
    truth = square(10, 10, 20, 7, square(10, 50, 20, 3))
    mask = square(10, 12, 20) == 1
    label, iou = patches.matching_object(mask, truth)
    assert label == 7
    assert iou == pytest.approx(18 * 20 / (22 * 20))


def test_a_mask_beside_all_objects_matches_none():
    assert patches.matching_object(square(40, 60, 10) == 1, square(0, 0, 20, 3)) == (0, 0.0)


def test_ignored_pixels_do_not_count_in_the_overlap():
    truth = square(10, 30, 10, 255, square(10, 10, 20, 2))
    wider = np.zeros((HEIGHT, WIDTH), bool)
    wider[10:20, 10:40] = wider[20:30, 10:30] = True
    assert patches.matching_object(wider, truth) == (2, 1.0)


@pytest.mark.parametrize("shift, objects, dropped", [(6, 1, 0), (7, 0, 1)])
def test_objects_that_overlap_by_half_or_less_are_dropped(shift, objects, dropped):
    # 20 x 20 squares displaced by 6 pixels have an IoU of 14/26, by 7 one of 13/27.
    coarse, truth = square(10, 10 + shift, 20), square(10, 10, 20)
    made, used, left = patches.frame_patches(picture(), coarse, truth, SETTINGS)
    assert (used, left) == (objects, dropped)
    assert bool(len(made.images)) == bool(objects)


def test_a_mask_that_was_given_gives_no_patch():
    truth = square(10, 10, 20)
    made, used, left = patches.frame_patches(picture(), truth, truth, SETTINGS)
    assert (len(made.images), used, left) == (0, 0, 0)


def test_a_patch_shows_one_object_at_its_place():
    frame = picture()
    coarse = square(10, 12, 20, 4, square(11, 50, 20, 5))
    truth = square(10, 11, 20, 1, square(10, 50, 20, 2))
    truth[0, :] = 255
    made, used, _ = patches.frame_patches(frame, coarse, truth, SETTINGS)
    assert used == 2
    assert made.images.shape[1:] == (16, 16, 3) and made.truth.shape == made.coarse.shape
    for image, mask, own in zip(*made):
        rows = np.lib.stride_tricks.sliding_window_view(frame, (16, 16, 3))[:, :, 0]
        (y, x), *others = np.argwhere((rows == image).all((2, 3, 4)))
        assert not others
        label, true = (4, 1) if x < 36 else (5, 2)
        where = np.s_[y : y + 16, x : x + 16]
        np.testing.assert_array_equal(mask, coarse[where] == label)
        expected = np.where(truth[where] == 255, 255, truth[where] == true)
        np.testing.assert_array_equal(own, expected)


@pytest.fixture
def finished(tmp_path):
    """(run, data): two videos of three frames, one of which the run did not track."""
    run, data = tmp_path / "run", tmp_path / "data"
    for name in ("tracked", "other"):
        for t in range(3):
            (data / "JPEGImages" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(t)).save(data / "JPEGImages" / name / f"{t:05d}.png")
            (data / "Annotations" / name).mkdir(parents=True, exist_ok=True)
            truth = square(10, 10 + t, 20)
            write_label_png(data / "Annotations" / name / f"{t:05d}.png", truth)
            if name == "tracked":
                (run / "masks" / name).mkdir(parents=True, exist_ok=True)
                coarse = truth if t == 0 else square(10, 12 + t, 20)
                write_label_png(run / "masks" / name / f"{t:05d}.png", coarse)
    return run, data


def make(finished, output, *overrides):
    run, data = finished
    config = opened("train_boundary", ["patches.side=16", *overrides])
    options = Options(inputs=(str(run),), data=str(data), output=str(output))
    return patches_mode.run(config, options)


def test_a_runs_masks_become_a_set(finished, tmp_path, capsys):
    assert make(finished, tmp_path / "set") == 0
    assert "of 2 masks" in capsys.readouterr().out  # frame 0 was given
    assert patches.names(tmp_path / "set") == ["tracked"]
    read = patches.read(tmp_path / "set", ["tracked"])
    assert read.images.shape[1:] == (16, 16, 3)
    assert set(np.unique(read.coarse)) == set(np.unique(read.truth)) == {0, 1}
    assert not np.array_equal(read.coarse, read.truth)


def test_every_nth_frame_is_taken(finished, tmp_path, capsys):
    assert make(finished, tmp_path / "set", "patches.every=2") == 0
    assert "of 1 masks" in capsys.readouterr().out


def test_what_gives_no_patches_is_refused(finished, tmp_path):
    run, data = finished
    with pytest.raises(InputError, match="holds no masks of videos of"):
        make((tmp_path / "nothing", data), tmp_path / "set")
    with pytest.raises(InputError, match="no object of .* gives a patch"):
        make(finished, tmp_path / "set", "patches.every=5")
    with pytest.raises(InputError, match="give --input RUN"):
        patches_mode.run(opened("train_boundary"), Options(data=str(data)))


def test_a_mask_of_another_size_is_refused_by_name(finished, tmp_path):
    run, _ = finished
    write_label_png(run / "masks/tracked/00001.png", np.ones((10, 10), np.uint8))
    with pytest.raises(InputError, match="00001.png is 10x10, its frame 80x60"):
        make(finished, tmp_path / "set")


def test_a_set_that_cannot_be_read_is_refused(finished, tmp_path):
    make(finished, tmp_path / "set")
    with pytest.raises(InputError, match="holds no patches of videos in whose names 'x'"):
        patches.names(tmp_path / "set", only="x")
    with pytest.raises(InputError, match="holds no patches: make a set"):
        patches.names(tmp_path)
    path = tmp_path / "set" / "tracked.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="tracked.npz is damaged"):
        patches.read(tmp_path / "set", ["tracked"])
