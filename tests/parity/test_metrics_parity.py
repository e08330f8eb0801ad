"""J, F and the tables equal the figures of davis2017-evaluation and vos-benchmark."""

import json

import numpy as np
import pytest
from support.golden_root import path
from support.one_mask import boundary_accuracy

from vosjax.eval import metrics, protocols

TIGHT = 1e-12  # only integer counts and divisions are involved


@pytest.fixture(scope="module")
def golden():
    root = path("metrics")
    with np.load(root / "metrics.npz") as arrays:
        return dict(arrays), json.loads((root / "metrics.json").read_text())


def frames_of(arrays, name):
    pairs = zip(arrays[f"{name}__gt"], arrays[f"{name}__pred"], strict=True)
    return [
        protocols.FrameCurves(f"{i:05d}", truth, prediction)
        for i, (truth, prediction) in enumerate(pairs)
    ]


def score(protocol, arrays, names):
    results = {name: protocol.sequence(name, frames_of(arrays, name)) for name in names}
    return results, protocol.total(results)


@pytest.fixture(scope="module")
def davis(golden):
    arrays, tables = golden
    return score(protocols.davis(year=2017), arrays, tables["davis_sequences"])


def test_davis_curves(golden, davis):
    arrays, tables = golden
    for name in tables["davis_sequences"]:
        objects = davis[0][name]["objects"]
        assert list(objects) == [str(i + 1) for i in range(len(arrays[f"{name}__J"]))]
        for measure in "JF":
            ours = np.array([row[measure] for row in objects.values()])
            np.testing.assert_allclose(ours, arrays[f"{name}__{measure}"], rtol=0, atol=TIGHT)


def test_davis_objects(golden, davis):
    ours = {
        f"{name}_{key}": row
        for name, result in davis[0].items()
        for key, row in result["objects"].items()
    }
    assert set(ours) == set(golden[1]["davis_per_object"])
    for key, row in golden[1]["davis_per_object"].items():
        assert {column: ours[key][column] for column in row} == pytest.approx(row, abs=TIGHT)


def test_davis_global_table(golden, davis):
    assert davis[1] == pytest.approx(golden[1]["davis_global"], abs=TIGHT)


@pytest.mark.parametrize(
    "member,skip", [("vos_benchmark_skip_first_last", True), ("vos_benchmark_all_frames", False)]
)
def test_vos_benchmark(golden, member, skip):
    arrays, tables = golden
    objects = tables[member]["objects"]
    # The tool takes 255 for an object; the figures were made from truths whose void was cleared.
    clear = {
        key: np.where(value == protocols.VOID, 0, value) if key.endswith("__gt") else value
        for key, value in arrays.items()
    }
    results, total = score(protocols.vos_benchmark(skip_first_last=skip), clear, objects)
    ours = {
        name: {
            key: [100 * row["J-Mean"], 100 * row["F-Mean"]]
            for key, row in result["objects"].items()
        }
        for name, result in results.items()
    }
    assert {name: set(rows) for name, rows in ours.items()} == {
        name: set(rows) for name, rows in objects.items()
    }
    for name, rows in objects.items():
        for key, row in rows.items():
            assert ours[name][key] == pytest.approx(row, abs=100 * TIGHT)
    percent = {column[: -len("-Mean")]: 100 * value for column, value in total.items()}
    assert percent == pytest.approx(tables[member]["global"], abs=100 * TIGHT)


@pytest.mark.parametrize("variant,drop_last", [("keep_last", False), ("drop_last", True)])
def test_youtube_style(golden, variant, drop_last):
    arrays, tables = golden
    expected = tables["youtube_style"][variant]
    # The goldens' categories are "seen" and "unseen" themselves.
    meta = {
        "videos": {
            name: {"objects": {key: {"category": category} for key, category in objects.items()}}
            for name, objects in tables["categories"].items()
        }
    }
    protocol = protocols.youtube_vos(meta, seen=["seen"], drop_last=drop_last)
    results, total = score(protocol, arrays, tables["categories"])
    ours = {
        f"{name}_{key}": row
        for name, result in results.items()
        for key, row in result["objects"].items()
    }
    assert set(ours) == set(expected["objects"])
    for key, row in expected["objects"].items():
        assert int(ours[key]["first_frame"]) == row["start"]
        for measure in "JF":
            np.testing.assert_allclose(ours[key][measure], row[measure], rtol=0, atol=TIGHT)
    figures = {key: value for key, value in expected.items() if key != "objects"}
    assert {key: total[key] for key in figures} == pytest.approx(figures, abs=TIGHT)


@pytest.mark.parametrize("member", ["void", "edge"])
def test_single_masks(golden, member):
    arrays = golden[0]
    voids = arrays.get(f"{member}__void", [None] * len(arrays[f"{member}__gt"]))
    for i, void in enumerate(voids):
        pair = arrays[f"{member}__gt"][i], arrays[f"{member}__pred"][i]
        j, f = arrays[f"{member}__J"][i], arrays[f"{member}__F"][i]
        assert metrics.region_similarity(*pair, void=void) == pytest.approx(j, abs=TIGHT)
        assert boundary_accuracy(*pair, void=void) == pytest.approx(f, abs=TIGHT)
        if void is not None:
            j, f = arrays[f"{member}__J_without"][i], arrays[f"{member}__F_without"][i]
            assert metrics.region_similarity(*pair) == pytest.approx(j, abs=TIGHT)
            assert boundary_accuracy(*pair) == pytest.approx(f, abs=TIGHT)


def test_boundary_maps(golden):
    arrays, tables = golden
    first = arrays[f"{tables['davis_sequences'][0]}__gt"]
    masks = [(first[i] == 1, expected) for i, expected in enumerate(arrays["bmap__example"])]
    for side in ("gt", "pred"):
        masks += zip(arrays[f"edge__{side}"], arrays[f"edge__{side}_bmap"], strict=True)
    for mask, expected in masks:
        np.testing.assert_array_equal(metrics.boundary(mask), expected != 0)


def test_statistics(golden):
    arrays = golden[0]
    parts = np.split(arrays["stat__values"], np.cumsum(arrays["stat__lengths"])[:-1])
    ours = np.array([metrics.statistics(values) for values in parts])
    np.testing.assert_allclose(ours, arrays["stat__M_R_D"], rtol=0, atol=TIGHT)


def test_tolerance_by_frame_size(golden):
    for size, radius in golden[1]["bound_pix"].items():
        assert metrics.tolerance(*map(int, size.split("x"))) == radius


def test_tolerance_disk(golden):
    # As many pixels of a window find the one in its centre as the official disk has.
    for radius, pixels in ((int(key), count) for key, count in golden[1]["disk_pixels"].items()):
        side = 2 * radius + 5
        window = np.arange(side * side)
        centre = np.array([side * side // 2])
        assert len(window) - len(metrics.without_partner(window, centre, radius, side)) == pixels
