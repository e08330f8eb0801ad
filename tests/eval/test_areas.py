"""Scores of small and of large objects apart."""

import json

import numpy as np
import pytest
from support.results_folder import dataset, run, table

from vosjax.eval import areas, protocols, report


def row(area, j):
    return {"area": area, "J&F-Mean": j + 0.1, "J-Mean": j, "F-Mean": j + 0.2}


def test_an_area_is_that_in_a_frame_of_480_rows_or_columns():
    mask = np.zeros((240, 432), bool)
    mask[:8, :16] = True
    assert areas.scaled_area(mask) == areas.scaled_area(mask.T) == 4 * 128


def test_the_median_is_over_frames_that_show_the_object():
    assert areas.median_area([0, 100, 300, 0]) == 200 and areas.median_area([0, 0]) is None


def test_every_object_is_in_the_bin_of_its_area():
    sequences = {
        "cow": {"objects": {"1": row(255.9, 0.1), "2": row(256, 0.2), "3": row(None, 0.9)}},
        "dog": {"objects": {"1": row(1023, 0.4), "2": row(4096, 0.5)}},
    }
    bins = areas.by_area(sequences)
    assert {name: entry["objects"] for name, entry in bins.items()} == {
        "tiny": 1,
        "small": 2,
        "large": 1,
    }
    assert bins["small"]["J-Mean"] == pytest.approx(0.3)
    assert bins["small"]["F-Mean"] == pytest.approx(0.5)
    assert bins["small"]["J&F-Mean"] == pytest.approx(0.4)
    lines = areas.table(bins)
    assert [line.split()[0] for line in lines] == ["tiny", "small", "large"]
    assert "(16x16 to 32x32, 2 objects)" in lines[1] and "J-Mean 0.300" in lines[1]


def test_one_bin_makes_no_table_and_old_results_make_no_bins():
    assert areas.table(areas.by_area({"cow": {"objects": {"1": row(9, 0.5)}}})) == []
    old = {"cow": {"objects": {"1": {"J-Mean": 0.5, "F-Mean": 0.5, "J&F-Mean": 0.5}}}}
    assert areas.by_area(old) == {} and areas.table({}) == []


def test_a_protocol_stores_the_area_of_an_object():
    truth = [np.zeros((48, 64), np.uint8) for _ in range(5)]
    for labels, side in zip(truth, (8, 2, 0, 4, 8)):
        labels[:side, :side] = 1
    frames = [
        protocols.FrameCurves(f"{index:05d}", labels, labels) for index, labels in enumerate(truth)
    ]
    scores = protocols.davis().sequence("cow", frames)
    assert scores["objects"]["1"]["area"] == (4 + 16) / 2 * 100


def test_results_and_the_report_have_the_bins(tmp_path):
    out = run(dataset(tmp_path / "davis", (("cow", 5),)), tmp_path / "run", late=1)
    results = table(out)
    sizes = [entry["area"] for entry in results.sequences["cow"]["objects"].values()]
    assert sum(entry["objects"] for entry in results.areas.values()) == len(sizes)
    content = json.loads((out / "results.json").read_text())
    content["sequences"]["cow"]["objects"]["1"]["area"] = 200.0
    (out / "results.json").write_text(json.dumps(content))
    page = report.page(report.load([out]), ())
    assert "By the objects&#39; areas" in page or "By the objects' areas" in page
    assert "tiny (below 16x16, 1 object)" in page


def test_a_report_of_results_without_areas_has_no_such_table(tmp_path):
    out = run(dataset(tmp_path / "davis", (("cow", 5),)), tmp_path / "run")
    content = json.loads((out / "results.json").read_text())
    del content["areas"]
    for entry in content["sequences"]["cow"]["objects"].values():
        del entry["area"]
    (out / "results.json").write_text(json.dumps(content))
    assert "areas" not in report.page(report.load([out]), ())
