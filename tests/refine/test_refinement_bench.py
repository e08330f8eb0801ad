"""The measurement of the stages, on drawn clips with the toy network."""

import dataclasses
import json

import pytest
from support import toy
from support.clips import clip
from support.command import write_frames

from vosjax.bench import refinement
from vosjax.config import opened
from vosjax.errors import InputError
from vosjax.eval import dataset, source
from vosjax.io.palette import write_label_png
from vosjax.refine.config import RefineConfig

FRAMES, LABELS = clip(frames=4, height=80, width=96, objects=2)
MODEL = toy.model(slots=2)


@pytest.fixture
def data(tmp_path):
    """A folder in DAVIS layout."""
    write_frames(tmp_path / "data" / "JPEGImages" / "cow", FRAMES)
    for t, labels in enumerate(LABELS):
        write_label_png(tmp_path / "data" / "Annotations" / "cow" / f"{t:05d}.png", labels)
    return str(tmp_path / "data")


@pytest.fixture
def config(boundary):
    refine = RefineConfig(boundary=boundary, zoom="mask", boundary_min_area=50)
    return dataclasses.replace(opened("base"), refine=refine)


def test_every_stage_is_a_way_and_only_what_is_asked_for(config):
    assert list(refinement.ways(config, MODEL)) == ["none", "boundary", "zoom", "both"]
    zoom = dataclasses.replace(config, refine=RefineConfig(zoom="mask"))
    assert list(refinement.ways(zoom, MODEL)) == ["none", "zoom"]


@pytest.mark.slow
def test_ways_are_scored_in_folders_that_are_continued(config, data, tmp_path):
    ways = refinement.ways(config, MODEL)
    table = refinement.scores(data, ways, config, MODEL, tmp_path / "out")
    assert list(table) == ["none", "boundary", "zoom", "both"]
    assert "refined" not in table["none"] and table["boundary"]["refined"]["patches"] > 0
    assert "zoom_objects" in table["zoom"]["refined"] and "patches" in table["both"]["refined"]
    record = json.loads((tmp_path / "out" / "both" / "run.json").read_text())
    assert record["status"] == "complete" and record["settings"]["refine"]["zoom"] == "mask"
    written = refinement.lines(table)
    assert written[0].split() == ["none", "J", "F", "boundary", "J", "F", "zoom", "J", "F"] + [
        *("both", "J", "F")
    ]
    first = f"{100 * table['none']['global']['J-Mean']:.1f}"
    assert written[1].startswith("all objects") and written[1].split()[2] == first

    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/masks/cow/*.png")}
    assert len(made) == 4 * len(FRAMES)
    assert refinement.scores(data, ways, config, MODEL, tmp_path / "out").keys() == table.keys()
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())  # not run again
    other = dataclasses.replace(config, mem_every=1)
    with pytest.raises(InputError, match="other settings"):
        refinement.scores(data, ways, other, MODEL, tmp_path / "out")


def test_times_are_taken_in_turns(config, data):
    zoom = dataclasses.replace(config, refine=RefineConfig(zoom="mask"))
    videos = source.discover(data, config.eval)
    memory = dataset.memory_of(config, MODEL)
    seconds = refinement.times(refinement.ways(zoom, MODEL), videos, memory, rounds=2)
    assert list(seconds) == ["none", "zoom"] and all(len(v) == 2 for v in seconds.values())
    assert all(0 < value < 60 for values in seconds.values() for value in values)


def test_ratios_are_those_of_the_same_round():
    none, both = refinement.speeds({"none": [0.1, 0.2, 0.4], "both": [0.2, 0.4, 1.2]})
    assert none.split()[:2] == ["none", "200.0"] and "1.00 times the first (1.00 .. 1.00)" in none
    assert "400.0 ms a frame (200.0 .. 1200.0), 2.00 times the first (2.00 .. 3.00)" in both
