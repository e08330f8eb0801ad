"""The report's page: names and settings are text, never HTML."""

import json

import pytest
from support.results_folder import dataset, run

from vosjax.errors import InputError
from vosjax.eval import report

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
