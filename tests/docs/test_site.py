"""The documents as a whole: links, pictures, pages that can be found, words with one meaning."""

import ast
import csv
import re
import sys

import pytest
from PIL import Image
from support.api import directives, public
from support.documents import ROOT, documents

import vosjax
from vosjax import modes

sys.path.insert(0, str(ROOT / "docs"))
from docstrings import as_markdown, examples, is_code  # noqa: E402  # a script of the site

DOCUMENTS = [*documents(), ROOT / "CHANGELOG.md"]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
LINK = re.compile(r"\]\(([^)\s]+)\)")
GENERATED = {"modes.md"}  # pages that the site's build makes


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def prose(name):
    """The document without its code."""
    return re.sub(r"```.*?```|`[^`\n]+`", "", text_of(name), flags=re.S)


def anchors(path):
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    for link in LINK.findall(prose(name)):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), f"{name}: {link}"
        assert not anchor or anchor in anchors(path), f"{name}: {link}"


def test_every_page_has_its_place_in_the_navigation_or_comes_under_more():
    nav = text_of("docs/.nav.yml")
    named = set(re.findall(r"([\w/]+\.md)", nav))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert named - GENERATED <= pages
    assert {page for page in pages - named if "/" in page} == set(), "More takes no folders"
    assert '- "*"' in nav


def test_the_moving_picture_is_small_and_moves():
    path = ROOT / "docs" / "pictures" / "quickstart.webp"
    assert path.stat().st_size < 400_000
    with Image.open(path) as picture:
        assert picture.n_frames == 30
    first_screen = text_of("README.md").splitlines()[:20]
    assert any("docs/pictures/quickstart.webp" in line for line in first_screen)


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) < 200


def glossary():
    section = text_of("docs/architecture.md").partition("## Glossary")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.M)
    return [row for row in rows if row[0] not in ("word", "---")]


def test_the_glossary_has_one_meaning_for_a_word_on_one_screen():
    words = [word for word, _ in glossary()]
    assert len(words) == len(set(words)) and 20 < len(words) <= 40


def test_the_page_of_the_command_line_has_every_mode():
    table = text_of("docs/command.md").partition("## Modes")[2].partition("## Fields")[0]
    named = set(re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert named == set(modes.names())


@pytest.mark.parametrize("module, members", list(directives()))
def test_what_the_api_pages_list_is_there_and_documented(module, members):
    nodes = public(module)
    listed = members or [name for name in nodes if not name.startswith("_")]
    for name in listed:
        assert ast.get_docstring(nodes[name]), f"{module}.{name}"


def test_the_api_pages_list_what_the_package_offers():
    listed = {name for _, members in directives() for name in members or ()}
    assert set(vosjax.__all__) <= listed


def test_figures_of_the_benchmarks_are_those_of_the_csv():
    page = text_of("docs/benchmarks.md")
    with open(ROOT / "docs" / "benchmarks.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert re.search(rf"(?<![\d.]){re.escape(row['median'])}(?![\d.])", page), row
        if row["lowest"]:
            assert float(row["lowest"]) <= float(row["median"]) <= float(row["highest"])


def test_an_example_of_a_docstring_is_a_paragraph_of_code():
    doc = "Adds.\n\n    total = add(1, 2)\n\nIt is exact.\n\nArgs:\n  a: a number."
    assert examples(doc) == ["total = add(1, 2)"]
    assert not is_code("It is exact.") and not is_code("word") and is_code("add(1, 2)")


def test_a_docstring_becomes_markdown():
    fields = "a   one [H, W]\nbc  two,\n    or three"
    doc = (
        f"A pair.\n\n{fields}\n\nswap(a, bc) -> pair\n    It.\n\n    Pair(1, 2)\n\nArgs:\n  x: it."
    )
    assert as_markdown(doc).split("\n\n") == [
        "A pair.",
        "- `a`: one [H, W]\n- `bc`: two, or three",
        "- `swap(a, bc) -> pair`: It.",
        "```python\nPair(1, 2)\n```",
        "Args:\n  x: it.",
    ]


def test_documents_name_no_path_of_one_machine():
    for name in NAMES:
        assert not re.search(r"/(home|root|Users)/", text_of(name)), name
