"""`--mode report`: a self-contained page, correct in structure and in a browser."""

import base64
import html.parser
import re
import shutil
import subprocess
import warnings

import cv2
import numpy as np
import pytest
from support.results_folder import dataset, run, table

VOID = {"meta", "line", "img", "br", "polyline"}


class Page(html.parser.HTMLParser):
    """Checks nesting; collects tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    data = dataset(root / "davis")
    return run(data, root / "right"), run(data, root / "late & low", late=2, mem_every=3)


def report(workdir, *runs, out=None):
    out = out or workdir.root / "page.html"
    code = workdir.run(
        "--mode", "report", "--config", "configs/base.py", "--input", *runs, "--output", out
    )
    return code, out


@pytest.fixture
def page(workdir, runs):
    code, out = report(workdir, *runs)
    assert code == 0
    return Page(out.read_text())


def test_the_page_is_well_formed_and_loads_nothing(page):
    assert page.tags[0][0] == "html"
    for name in ("src", "href"):
        assert all(attributes.get(name, "data:").startswith("data:") for _, attributes in page.tags)
    assert not page.all("script") and not page.all("link")


def test_scores_of_both_runs_stand_side_by_side(page, runs):
    words = "".join(page.text)
    for folder in runs:
        scores = table(folder)
        assert f"{100 * vars(scores)['global']['J&F-Mean']:.1f}" in words
        assert f"{100 * scores.sequences['dog']['J-Mean']:.1f}" in words
    assert "late & low" in words


def test_every_sequence_has_curves_of_every_run_s_objects(page):
    assert len(page.all("svg")) == 2
    assert len(page.all("polyline")) == 2 * 2 * 2
    for line in page.all("polyline"):
        assert re.fullmatch(r"(\d+\.\d,\d+\.\d ?)+", line["points"])


def test_worst_frames_show_truth_and_runs(page):
    images = page.all("img")
    assert [image["alt"] for image in images[:3]] == ["truth", "right", "late & low"]
    for image in images:
        data = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[:2] == (int(image["height"]), int(image["width"]))


def test_only_settings_that_differ_are_told(page):
    words = "".join(page.text)
    assert "settings.mem_every" in words and "settings.weights" in words
    assert "settings.family" not in words


def test_one_run_tells_all_its_settings(workdir, runs):
    code, out = report(workdir, runs[0])
    assert code == 0 and "settings.family" in out.read_text()


def test_without_the_dataset_there_are_no_pictures_and_a_note(workdir, tmp_path, capsys):
    data = dataset(tmp_path / "davis")
    alone = run(data, tmp_path / "alone")
    shutil.rmtree(data)
    code, out = report(workdir, alone)
    assert code == 0 and "<img" not in out.read_text()
    assert "no pictures" in capsys.readouterr().err


def test_what_cannot_be_compared_or_written_is_refused(workdir, runs, tmp_path, capsys):
    assert report(workdir, tmp_path)[0] == 2
    assert "holds no results.json" in capsys.readouterr().err
    assert report(workdir, runs[0], out=tmp_path / "page.txt")[0] == 2
    assert ".html file is expected" in capsys.readouterr().err


def test_a_browser_shows_the_page(workdir, runs, tmp_path):
    browser = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if browser is None:
        warnings.warn("no chromium here: the report was not opened in a browser", stacklevel=1)
        pytest.skip("no chromium here (apt package chromium)")
    _, out = report(workdir, *runs)
    common = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=2000",
    ]
    shot = tmp_path / "page.png"
    subprocess.run(
        [*common, f"--screenshot={shot}", "--window-size=1200,1600", out.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    picture = cv2.imread(str(shot))
    assert picture.shape[:2] == (1600, 1200) and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    dumped = subprocess.run(
        [*common, "--dump-dom", out.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
        text=True,
    ).stdout
    assert dumped.count("<polyline") == 8 and dumped.count("<img") == len(
        Page(out.read_text()).all("img")
    )
