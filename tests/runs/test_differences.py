"""What differs between two runs, by its dotted name."""

from vosjax.runs.differences import differences


def test_changed_missing_and_new_values_are_named():
    old = {"a": 1, "b": {"c": "x", "d": [1, 2]}, "gone": True}
    new = {"a": 1, "b": {"c": "y", "d": [1, 3]}, "new": 0.5}
    assert differences(old, new) == [
        'b.c was "x", is now "y"',
        "b.d was [1, 2], is now [1, 3]",
        "gone was true, is now null",
        "new was null, is now 0.5",
    ]


def test_the_same_has_no_differences():
    assert differences({"a": {"b": [1]}}, {"a": {"b": [1]}}) == []


def test_long_values_are_cut():
    (line,) = differences({"a": "x" * 100}, {"a": ""})
    assert line.startswith('a was "xxx') and len(line) < 90


def test_a_path_can_stand_before_the_names():
    assert differences({"lr": 1}, {"lr": 2}, path="train") == ["train.lr was 1, is now 2"]
