"""The accuracy of `absent`, counted by hand, and the rendered sets on which it is measured."""

import numpy as np
import pytest

from vosjax.errors import InputError
from vosjax.eval import absence, rendered_set, videos
from vosjax.io.palette import read_label_png
from vosjax.io.scores import ObjectScore, ScoreWriter


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("rendered")
    rendered_set.write(root, clips=2, frames=6, size=(32, 48), objects=2)
    return root


def test_a_rendered_set_is_a_dataset_of_known_truth(rendered):
    sequences = videos.discover(rendered)
    assert [video.name for video in sequences] == ["rendered000", "rendered001"]
    assert all(len(video.frames) == len(video.truths) == 6 for video in sequences)


def test_the_same_arguments_give_the_same_set(rendered, tmp_path):
    rendered_set.write(tmp_path, clips=1, frames=6, size=(32, 48), objects=2)
    name = "Annotations/rendered000/00005.png"
    np.testing.assert_array_equal(read_label_png(tmp_path / name), read_label_png(rendered / name))


def test_verdicts_are_read_beside_the_truth_without_given_frames(tmp_path, rendered):
    (first, _) = videos.discover(rendered)
    shown = [set(np.unique(videos.read_labels(first, index)).tolist()) for index in first.truths]
    with ScoreWriter(tmp_path / "scores" / "rendered000.csv") as writer:
        for index, frame in enumerate(first.frames):
            writer.write(
                index,
                frame,
                [
                    ObjectScore(key, 0.9, 0.5, 7, key not in shown[index])
                    for key in sorted(first.starts)
                ],
            )
    verdicts = absence.gather(tmp_path, [first])
    assert len(verdicts.absent) == 5 * len(first.starts)
    np.testing.assert_array_equal(verdicts.called, verdicts.absent)
    assert (verdicts.area == 7).all()


def test_missing_scores_are_named(tmp_path, rendered):
    with pytest.raises(InputError, match="rendered000.csv is missing"):
        absence.gather(tmp_path, videos.discover(rendered))


def test_precision_and_recall_by_hand():
    called, absent = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 0, 1], bool)
    measured = absence.quality(called, absent)
    assert (measured.precision, measured.recall, measured.both) == (2 / 3, 2 / 3, 2 / 3)


def test_a_rule_calls_what_is_empty_or_low():
    empty = absence.Verdicts(
        np.array([0.0, 0.58, 0.9]),
        np.array([0.0, 0.3, 0.8]),
        np.array([0, 20, 30]),
        np.array([True, False, False]),
        np.array([True, True, False]),
    )
    qualities = absence.rules(absence.together([empty]))
    assert qualities["as called"] == qualities["empty"] == (1, 0.5, 2 / 3)
    assert qualities["empty, or mean probability below 0.6"] == (1, 1, 1)
    assert np.isnan(absence.quality(np.zeros(2, bool), np.zeros(2, bool)).both)
