"""The input benchmark of a training config: clips produced beside clips consumed."""

import json

import pytest
from support import small

from vosjax.bench import training
from vosjax.modes import Options
from vosjax.modes import bench as mode


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        small.install(patch)
        patch.setattr(mode, "REPEATS", 3)
        out = tmp_path_factory.mktemp("bench")
        assert mode.run(small.config(), Options(output=str(out))) == 0
        return json.loads((out / "bench.json").read_text())["input"]


def test_input_and_step_take_turns(figures):
    assert figures["fed"] == pytest.approx(
        [made / used for made, used in zip(figures["made"], figures["used"])]
    )
    assert len(figures["fed"]) == 3 and min(figures["fed"]) > 0
    assert figures["size"] == [32, 32] and figures["frames"] == 3


def test_nothing_stored_is_nothing_decoded(figures):
    assert figures["decoded"] == []
    assert not any("decoded" in line for line in training.lines(figures))


def test_the_table_has_median_and_range(figures):
    figures = figures | {"fed": [3.0, 1.0, 2.0], "decoded": [0.5]}
    assert "      2.00  (1.00-3.00)  input / step" in training.lines(figures)
