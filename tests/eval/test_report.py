"""The report's page: names and settings are text, never HTML."""

import json

import pytest
from support.results_folder import dataset, run

from vosjax.errors import InputError
from vosjax.eval import report, videos
from vosjax.eval.worst_boundaries import worst_boundaries

EVIL = "<b onmouseover='x'>&\"cow"


@pytest.fixture
def evil(tmp_path):
    """A run whose sequence, setting and failure are called so that they could be HTML."""
    data = dataset(tmp_path / "davis", (("cow", 4),))
    out = run(data, tmp_path / "run <i>")
    content = json.loads((out / "results.json").read_text())
    content["sequences"] = {EVIL: content["sequences"]["cow"]}
    content["failed"] = {EVIL: EVIL}
    content["settings"][EVIL] = EVIL
    (out / "results.json").write_text(json.dumps(content))
    return out


def test_no_html_comes_through_from_names(evil):
    page = report.page(report.load([evil]), ())
    assert "<b " not in page and "<i>" not in page and '"cow' not in page
    assert page.count("&lt;b onmouseover=") >= 5 and "run &lt;i&gt;" in page


def test_the_page_begins_with_its_type(evil):
    page = report.page(report.load([evil]), ())
    assert page.lstrip().startswith("<!doctype html>") and page.rstrip().endswith("</html>")


def test_a_run_without_truth_says_so(evil):
    content = json.loads((evil / "results.json").read_text())
    content.update(sequences={}, failed={})
    content["global"] = None
    (evil / "results.json").write_text(json.dumps(content))
    page = report.page(report.load([evil]), ())
    assert "No truth, so no scores." in page and "<svg" not in page and "warn" not in page[-3000:]


def test_runs_by_different_rules_are_not_compared(evil, tmp_path):
    other = run(dataset(tmp_path / "more", (("cow", 4),)), tmp_path / "other")
    content = json.loads((other / "results.json").read_text())
    (other / "results.json").write_text(json.dumps(content | {"rules": {"year": 2016}}))
    with pytest.raises(InputError, match="scored by different rules"):
        report.load([evil, other])


def test_the_worst_boundaries_are_shown_before_and_after_refinement(tmp_path):
    data = dataset(tmp_path / "davis", (("cow", 6), ("dog", 4)))
    before, after = run(data, tmp_path / "late", late=1), run(data, tmp_path / "right")
    sequences = videos.discover(data)
    assert not worst_boundaries(report.load([before, after]), sequences)
    assert "Worst boundaries" not in report.page(report.load([before, after]), sequences)
    content = json.loads((after / "results.json").read_text())
    content["settings"]["refine"] = {"boundary": "mine"}
    (after / "results.json").write_text(json.dumps(content))
    shown = worst_boundaries(report.load([before, after]), sequences)
    assert {boundary["video"] for boundary in shown} == {"cow", "dog"}
    values = [float(boundary["value"]) for boundary in shown]
    assert values == sorted(values) and values[0] < 100
    for boundary in shown:
        assert [figure.caption for figure in boundary["figures"]] == ["truth", "late", "right"]
        truth, late, right = (figure.jpeg for figure in boundary["figures"])
        assert truth == right != late
    assert "Worst boundaries" in report.page(report.load([before, after]), sequences)
