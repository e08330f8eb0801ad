"""Which frames and objects DAVIS, YouTube-VOS and vos-benchmark count."""

import numpy as np
import pytest

from vosjax.eval import protocols
from vosjax.eval.protocols import FrameCurves


def boxes(*ids):
    """A label map with a 4 x 4 box for each id, at a place of its own."""
    labels = np.zeros((12, 80), np.uint8)
    for column, key in enumerate(ids):
        labels[4:8, 2 + 6 * column : 6 + 6 * column] = key
    return labels


def frames(truths, predictions):
    pairs = zip(truths, predictions, strict=True)
    return [FrameCurves(f"{i:05d}", *pair) for i, pair in enumerate(pairs)]


def forbidden():
    raise AssertionError("a frame that does not count was read")


def test_davis_leaves_out_the_first_and_the_last_frame():
    truth = boxes(1)
    result = protocols.davis().sequence(
        "cow",
        [
            FrameCurves("00000", truth, forbidden),
            FrameCurves("00001", truth, truth),
            FrameCurves("00002", truth, truth),
            FrameCurves("00003", forbidden, forbidden),
        ],
    )
    assert result["objects"]["1"]["frames"] == ["00001", "00002"]


def test_davis_objects_are_those_up_to_the_first_truths_largest_id():
    truths = [boxes(1, 3), boxes(1, 3, 4), boxes(1, 3, 4)]
    result = protocols.davis().sequence("cow", frames(truths, [boxes(1, 3)] * 3))
    assert {key: row["J-Mean"] for key, row in result["objects"].items()} == {
        "1": 1,
        "2": 1,
        "3": 1,
    }


def test_davis_void_is_background():
    result = protocols.davis().sequence("cow", frames([boxes(1, 255)] * 3, [boxes(1)] * 3))
    assert list(result["objects"]) == ["1"] and result["J-Mean"] == result["F-Mean"] == 1


def test_davis_refuses_an_id_that_the_first_truth_lacks():
    with pytest.raises(ValueError, match="cow, frame 00001.* id 3, .* ids up to 1"):
        protocols.davis().sequence("cow", frames([boxes(1)] * 3, [boxes(1, 3)] * 3))


def test_davis_2016_merges_all_ids():
    result = protocols.davis(year=2016).sequence(
        "cow", frames([boxes(255, 255)] * 3, [boxes(1, 2)] * 3)
    )
    assert list(result["objects"]) == ["1"] and result["J-Mean"] == 1


def test_davis_needs_three_frames():
    with pytest.raises(ValueError, match="cow has 2 frames"):
        protocols.davis().sequence("cow", frames([boxes(1)] * 2, [boxes(1)] * 2))


def test_davis_needs_an_object():
    with pytest.raises(ValueError, match="no object"):
        protocols.davis().sequence("cow", frames([boxes()] * 3, [boxes()] * 3))


def test_sizes_must_agree_and_the_error_says_where():
    wrong = [boxes(1)[:, :40]] * 3
    with pytest.raises(ValueError, match="sequence cow, frame 00001: .*12 x 80.*12 x 40"):
        protocols.davis().sequence("cow", frames([boxes(1)] * 3, wrong))


def test_every_object_weighs_the_same_in_the_global_table():
    protocol = protocols.davis()
    results = {
        "two": protocol.sequence("two", frames([boxes(1, 2)] * 3, [boxes(1, 2)] * 3)),
        "one": protocol.sequence("one", frames([boxes(1)] * 3, [boxes()] * 3)),
    }
    total = protocol.total(results)
    assert total["J-Mean"] == pytest.approx(2 / 3) and total["J&F-Mean"] == pytest.approx(2 / 3)


META = {
    "videos": {
        "cow": {
            "objects": {
                "1": {"category": "cow", "frames": ["00000"]},
                "2": {"category": "yak", "frames": ["00001"]},
                "5": {"category": "gnu", "frames": ["00003"]},
            }
        }
    }
}


def late_video():
    truths = [boxes(1), boxes(1, 2), boxes(1, 2), boxes(1, 2, 5)]
    return frames(truths, [boxes(1), boxes(1), boxes(1, 2), boxes(1)])


def test_youtube_objects_count_after_the_frame_that_shows_them_first():
    result = protocols.youtube_vos(META).sequence("cow", late_video())
    rows = result["objects"]
    assert rows["1"]["frames"] == ["00001", "00002", "00003"]
    assert rows["2"]["frames"] == ["00002", "00003"] and rows["2"]["J"] == [1, 0]
    assert rows["2"]["first_frame"] == "00001" and rows["2"]["category"] == "yak"


def test_youtube_can_drop_the_last_frame():
    result = protocols.youtube_vos(META, drop_last=True).sequence("cow", late_video())
    assert result["objects"]["2"]["frames"] == ["00002"]


def test_youtube_says_which_objects_it_could_not_score():
    result = protocols.youtube_vos(META).sequence("cow", late_video())
    assert "5" not in result["objects"] and "00003" in result["unscored"]["5"]


def test_youtube_says_which_ids_of_the_truth_meta_lacks():
    result = protocols.youtube_vos(META).sequence(
        "cow", frames([boxes(1), boxes(1, 9, 255)], [boxes(1)] * 2)
    )
    assert result["unscored"]["9"] == "not in meta.json, met in frame 00001"
    assert "0" not in result["unscored"] and "255" not in result["unscored"]


def test_youtube_says_which_predicted_ids_it_ignored():
    result = protocols.youtube_vos(META).sequence(
        "cow", frames([boxes(1)] * 2, [boxes(1), boxes(1, 9)])
    )
    assert result["ignored_ids"] == [9] and result["objects"]["1"]["J-Mean"] == 1


def test_youtube_overall_is_the_mean_of_four():
    protocol = protocols.youtube_vos(META, seen=["cow"])
    total = protocol.total({"cow": protocol.sequence("cow", late_video())})
    assert total["J_seen"] == 1 and total["J_unseen"] == 0.5
    assert total["Overall"] == 0.75


def test_youtube_has_no_overall_without_unseen_classes():
    protocol = protocols.youtube_vos(META)
    total = protocol.total({"cow": protocol.sequence("cow", late_video())})
    assert total["Overall"] is None and total["J-Mean"] == 0.75


def test_youtube_refuses_a_video_that_meta_lacks():
    with pytest.raises(ValueError, match="video yak is not among the 1 of meta.json"):
        protocols.youtube_vos(META).sequence("yak", late_video())


def test_vos_benchmark_counts_from_the_first_meeting_in_truth_or_prediction():
    truths = [boxes(1), boxes(1), boxes(1), boxes(1, 2), boxes(1, 2)]
    guesses = [boxes(1), boxes(1), boxes(1, 2), boxes(1, 2), boxes(1, 2)]
    result = protocols.vos_benchmark().sequence("cow", frames(truths, guesses))
    assert result["objects"]["2"]["J"] == [0, 1]


def test_vos_benchmark_takes_255_for_an_object_and_drops_what_truth_never_shows():
    result = protocols.vos_benchmark(skip_first_last=False).sequence(
        "cow", frames([boxes(1, 255)] * 3, [boxes(1, 255, 7)] * 3)
    )
    assert list(result["objects"]) == ["1", "255"] and result["ignored_ids"] == [7]
