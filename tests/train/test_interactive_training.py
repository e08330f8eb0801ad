"""The training of an interactive network: samples, simulated corrections, loss, and a run."""

import csv
import dataclasses

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax.checkpoints.embedded import weights_folder
from vosjax.checkpoints.weights import flatten, load_weights
from vosjax.config import opened
from vosjax.data.config import DatasetConfig
from vosjax.errors import InputError
from vosjax.interactive.clues import BOX, INSIDE, MASK, OUTSIDE
from vosjax.interactive.network import InteractiveNetwork, load_network, param_group
from vosjax.interactive.window import mask_box
from vosjax.io.palette import write_label_png
from vosjax.loading import networks
from vosjax.names import Names
from vosjax.train import answers, export, loop, start
from vosjax.train.marked import Marked, MarkSpec, drawn_box, drawn_clicks, sample

SPEC = MarkSpec(65)
EXACT = MarkSpec(65, colour=False, whole=0.0, loose=(1.4, 1.4), shift=0.0)


def picture(size=(90, 120)):
    """A red disc and a green square on grey, with their labels."""
    image, labels = np.full((*size, 3), 90, np.uint8), np.zeros(size, np.uint8)
    for drawn, colour, value in ((image, (200, 40, 40), None), (labels, None, 1)):
        cv2.circle(drawn, (40, 45), 22, colour or value, -1)
    image[20:60, 80:110], labels[20:60, 80:110] = (30, 180, 60), 2
    return image, labels


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    """A folder of three photos with masks."""
    root = tmp_path_factory.mktemp("stills")
    for name in ("images", "masks"):
        (root / name).mkdir()
    image, labels = picture()
    for number in range(3):
        cv2.imwrite(str(root / f"images/{number}.png"), np.roll(image, number, 1)[..., ::-1])
        write_label_png(root / f"masks/{number}.png", np.roll(labels, number, 1))
    return root


def test_a_sample_shows_one_object_and_a_clue_that_fits_it():
    image, labels = picture()
    for seed in range(30):
        drawn = sample(image, labels, 1, np.random.default_rng(seed), SPEC)
        truth, clues = drawn["truth"] == 1, drawn["clues"]
        assert drawn["images"].shape == (65, 65, 3) and truth.any()
        assert not clues[..., MASK].any()
        if clues[..., BOX].any():
            x, y, width, height = mask_box(clues[..., BOX] > 0)
            assert (truth & (clues[..., BOX] > 0)).sum() > 0.85 * truth.sum()
            assert width * height < 3 * truth.sum()
        assert clues[..., BOX].any() or clues[..., INSIDE].any()


def test_equal_generators_give_equal_samples(stills):
    source = Marked(DatasetConfig(str(stills)))
    first, again = (source.clip(1, np.random.default_rng(5), SPEC) for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


def test_a_sample_without_chance_is_the_object_in_its_own_window():
    image, labels = picture()
    drawn = sample(image, labels, 2, np.random.default_rng(0), EXACT)
    _, _, width, height = mask_box(drawn["truth"] == 1)
    assert abs(height - 65 / 1.4) <= 1.5 and abs(width - 65 / 1.4 * 30 / 40) <= 1.5


def test_ignored_pixels_stay_ignored():
    image, labels = picture()
    labels[labels == 2] = 255
    drawn = sample(image, labels, 1, np.random.default_rng(0), EXACT._replace(loose=(3, 3)))
    assert set(np.unique(drawn["truth"])) == {0, 1, 255}


def test_users_boxes_are_near_the_objects():
    boxes = [drawn_box((10, 20, 50, 40), np.random.default_rng(seed), 0.03) for seed in range(400)]
    np.testing.assert_allclose(np.mean(boxes, 0), (10, 20, 50, 40), atol=0.6)
    np.testing.assert_allclose(np.std(boxes, 0)[:2], (1.5, 1.2), rtol=0.2)


def test_first_clicks_lie_on_the_object_and_others_where_they_say():
    mask = picture()[1] == 1
    outside = 0
    for seed in range(60):
        clicks = drawn_clicks(mask, np.random.default_rng(seed))
        assert clicks.inside[0]
        for (x, y), inside in zip(clicks.at, clicks.inside):
            assert mask[int(y), int(x)] == inside
            outside += not inside
    assert outside


def test_a_set_without_objects_is_refused(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images/0.png"), np.zeros((40, 40, 3), np.uint8))
    write_label_png(tmp_path / "masks/0.png", np.zeros((40, 40), np.uint8))
    with pytest.raises(InputError, match="no object that could be marked"):
        Marked(DatasetConfig(str(tmp_path))).clip(0, np.random.default_rng(0), SPEC)


def corrected(answer, truth):
    clues = np.zeros((1, *truth.shape, 4), np.float32)
    logits = np.where(answer, 9.0, -9.0).astype(np.float32)[None]
    return np.asarray(answers.corrected(clues, logits, truth.astype(np.uint8)[None]))[0]


def test_a_correction_lies_in_the_largest_mistake():
    truth = np.zeros((64, 64), np.uint8)
    truth[10:50, 10:50] = 1
    answer = truth == 1
    answer[10:30, 10:30] = False  # a large part is missed
    answer[54:60, 54:60] = True  # a small one is too much
    clues = corrected(answer, truth)
    rows, columns = np.nonzero(clues[..., INSIDE])
    assert 12 <= rows.mean() <= 28 and 12 <= columns.mean() <= 28
    assert not clues[..., OUTSIDE].any()
    np.testing.assert_array_equal(clues[..., MASK] > 0.5, answer)


def test_a_correction_of_too_much_lies_beside_the_object():
    truth = np.zeros((64, 64), np.uint8)
    truth[10:30, 10:30] = 1
    clues = corrected(np.ones((64, 64), bool), truth)
    assert clues[..., OUTSIDE].any() and not clues[..., INSIDE].any()
    assert not (clues[..., OUTSIDE] * truth).any()


def test_without_a_mistake_nothing_is_clicked():
    truth = np.zeros((64, 64), np.uint8)
    truth[10:30, 10:30] = 1
    clues = corrected(truth == 1, truth)
    assert not clues[..., [INSIDE, OUTSIDE]].any()


def test_ignored_pixels_are_no_mistakes():
    truth = np.full((64, 64), 255, np.uint8)
    truth[:8, :8] = 1
    assert corrected(np.zeros((64, 64), bool), truth)[..., INSIDE][:16, :16].any()


def test_the_loss_of_a_sure_and_right_answer_is_nothing():
    truth = np.zeros((2, 32, 32), np.uint8)
    truth[:, 4:20, 4:20] = 1
    truth[:, 28:] = 255
    right = np.where(truth == 1, 30.0, -30.0).astype(np.float32)
    np.testing.assert_allclose(answers.losses(right, truth), 0, atol=1e-5)
    wrong = answers.losses(-right, truth)
    assert (np.asarray(wrong) > 10).all()


def test_iou_ignores_what_does_not_count():
    truth = np.full((1, 8, 8), 255, np.uint8)
    truth[0, :4] = 1
    assert answers.ious(np.ones((1, 8, 8), bool), truth) == 1


class Pixelwise(nn.Module):
    """Decides every pixel by its colour and its clues."""

    @nn.compact
    def __call__(self, images, clues):
        return nn.Dense(1, name="out")(jnp.concatenate([images, clues], -1))[..., 0]


def toy():
    """An interactive network that compiles in no time; its trunk is one number."""

    def fresh(rng):
        head = Pixelwise().init(rng, jnp.zeros((1, 2, 2, 3)), jnp.zeros((1, 2, 2, 4)))["params"]
        return {"encoder": {"gain": jnp.ones(())}, "head": head}

    def encode(params, images):
        return images * params["encoder"]["gain"]

    def segment(params, features, clues):
        return Pixelwise().apply({"params": params["head"]}, features, clues)

    return InteractiveNetwork(33, fresh, encode, segment, Names(()), param_group, ())


def small(stills, *more):
    return opened(
        "train_interactive",
        [
            f"marks.root={stills.parent}",
            f"marks.sets=[{{'folder': '{stills.name}'}}]",
            f"marks.validation=[{{'folder': '{stills.name}'}}]",
            "marks.validated=16",
            "model.side=33",
            "model.width=16",
            "model.blocks=1",
            "train.batch=2",
            "train.steps=3",
            "train.threads=0",
            *more,
        ],
    )


def test_a_run_learns_and_moves_the_head_alone(stills, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "build", lambda family, **settings: toy())
    config = small(stills, "train.steps=40", "train.lr=0.1", "train.init=", "train.log.every=10")
    result = loop.train(config, output=tmp_path)
    assert result.complete
    assert float(result.state.frozen["encoder/gain"]) == 1
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert float(rows[-1]["loss"]) < 0.7 * float(rows[0]["loss"])
    figures = ("validation_box_j", "validation_click1_j", "validation_click3_j")
    mean = np.mean([float(rows[-1][figure]) for figure in figures])
    assert float(rows[-1]["validation_j"]) == pytest.approx(mean, abs=1e-5)
    for figure in ("validation_box_j", "validation_click1_j", "validation_click3_j"):
        assert 0.3 < float(rows[-1][figure]) <= 1


def test_a_run_that_was_stopped_ends_as_one_that_was_not(stills, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "build", lambda family, **settings: toy())
    whole = loop.train(small(stills, "train.steps=6", "train.init="), output=tmp_path / "whole")
    steps, taken = loop.steps, []

    def three(*args):
        for done in steps(*args):
            yield done
            taken.append(done.at)
            if len(taken) == 3:
                return

    monkeypatch.setattr(loop, "steps", three)
    config = small(stills, "train.steps=6", "train.init=")
    assert not loop.train(config, output=tmp_path / "parts").complete
    parts = loop.train(config, output=tmp_path / "parts")
    assert parts.complete and taken == [1, 2, 3, 4, 5, 6]
    for path, weight in whole.state.trainable.items():
        np.testing.assert_array_equal(parts.state.trainable[path], weight)


@pytest.mark.slow
def test_the_trunk_is_that_of_the_embedded_default(stills):
    config = small(stills)
    network = networks.build(config.family, **config.settings)
    started = start.params(network, seed=0, init=config.train.init)
    trunk = flatten(load_weights(weights_folder())[0]["encoder"])
    kept = flatten(started["encoder"])
    assert kept.keys() == trunk.keys()
    for path, weight in kept.items():
        np.testing.assert_array_equal(weight, trunk[path].astype(np.float32))


@pytest.mark.slow
def test_an_encoder_that_the_weights_lack_is_named(stills):
    config = small(stills, "train.init=encoder=default")
    network = networks.build(config.family, **config.settings)
    other = network._replace(pretrained_encoders=(("trunk", network.pretrained_encoders[0][1]),))
    with pytest.raises(InputError, match="default for trunk: these weights have"):
        start.params(other, seed=0, init="trunk=default")


@pytest.mark.slow
def test_the_networks_own_training_moves_every_weight_of_its_head(stills, tmp_path):
    config = small(stills)
    result = loop.train(config, output=tmp_path / "run")
    assert result.complete
    folder = tmp_path / "weights"
    export.export(config, result.state, folder, dtype=np.float32)
    network, params, card = load_network(folder)
    assert network.side == 33 and card["family"] == "interactive"
    fresh = flatten(network.init_params(jax.random.key(config.train.seed))["head"])
    head = flatten(params["head"])
    assert sum(not np.array_equal(head[path], fresh[path]) for path in head) > 0.9 * len(head)


def test_batches_in_parts_are_refused(stills, monkeypatch):
    monkeypatch.setattr(networks, "build", lambda family, **settings: toy())
    with pytest.raises(InputError, match="train.accumulate is 2: .* whole batch"):
        loop.task_of(small(stills, "train.init=", "train.accumulate=2"))


def test_other_families_are_no_interactive_networks(stills):
    config = dataclasses.replace(small(stills, "train.init="), family="bpr", model={})
    with pytest.raises(InputError, match="cannot be trained on marks"):
        loop.task_of(config)


def test_weights_that_track_cannot_mark():
    with pytest.raises(InputError, match="marking an object takes weights of the family"):
        load_network("default")
