"""Every command in the documents runs over small stand-ins, or is at least parsed."""

import importlib
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
from support import documents

from data_prep import __main__ as preparing
from data_prep import shards
from vosjax import cli, models, modes
from vosjax.modes import quickstart

BLOCKS = [
    block
    for block in documents.blocks()
    if block.language == "sh" or documents.named_file(block.text)
]
PAGES = list(dict.fromkeys(block.document for block in BLOCKS))
SLOW = list(dict.fromkeys(block.document for block in BLOCKS if block.mark == "slow"))
EXTRAS = tomllib.loads((documents.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
BENCHES = "vosjax.bench."  # python -m vosjax.bench.NAME


def read(words):
    """Reads a command without carrying it out; whatever is wrong with it fails the test."""
    program, *rest = words
    if program == "python" and rest[0] == "launch.py":
        assert cli.launch(rest) == 0, words
    elif program == "vosjax":
        assert cli.main(rest) == 0, words
    elif program == "python" and rest[:2] == ["-m", "data_prep"]:
        assert preparing.main(rest[2:]) == 0, words
    elif program == "python" and rest[0] == "-m" and rest[1].startswith(BENCHES):
        bench_help(rest[1], rest[2:])
    elif program == "python" and rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]), words
    elif program == "python":
        assert pathlib.Path(rest[0]).is_file(), words
    elif program == "pip":
        pip(rest)
    else:
        assert program in ("mkdir", "cp", "echo", "git", "mkdocs", "ruff", "tensorboard"), (
            f"nothing is known of the program {program}: {words}"
        )


def pip(words):
    """What is installed is there: files of requirements, extras of this project."""
    assert words[0] == "install"
    for flag, word in zip(words, words[1:]):
        if flag == "-r":
            assert (documents.ROOT / word).is_file(), words
        elif word.startswith(".["):
            assert set(word[2:-1].split(",")) <= set(EXTRAS), words


def bench_help(module, words):
    """The flags of a bench are those that its help names."""
    answer = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=documents.ROOT
    )
    known = set(re.findall(r"--[a-z-]+", answer.stdout))
    assert {word for word in words if word.startswith("--")} <= known, words


def nobody_works(patch):
    """Modes and preparations only take what they are given."""
    for name in modes.names():
        module = importlib.import_module(modes.module(name))
        patch.setattr(module, "run", lambda config, options: 0)
    patch.setattr(shards, "prepare", lambda *arguments, **options: ())


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """The folder of stand-ins as the working directory, where new families are found, too."""
    documents.stand_ins(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "vosjax/models")])
    sample = quickstart.sample_clip()
    small = {name: sample[name][:3, ::4, ::4] for name in ("frames", "labels")}
    monkeypatch.setattr(quickstart, "sample_clip", lambda: small)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("vosjax.models.patchvote")]:
        del sys.modules[name]


PYTEST_HERE = """from vosjax import models

models.__path__.append("vosjax/models")
"""


def apart(words):
    """Runs Python in a process of its own, whose working directory comes before the project."""
    environment = os.environ | {"PYTHONPATH": str(documents.ROOT), "JAX_PLATFORMS": "cpu"}
    answer = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def run(words, workdir):
    """Carries out a command in the folder of stand-ins."""
    program, *rest = words
    importlib.invalidate_caches()
    if program == "python" and rest[:2] == ["-m", "pytest"]:
        (workdir / "conftest.py").write_text(PYTEST_HERE)
        apart([*rest, "-q", "-p", "no:cacheprovider", "--rootdir", str(workdir)])
    elif program == "python" and rest[:2] == ["-m", "data_prep"]:
        apart(rest)
    elif program == "python" and rest[0] == "-m" and rest[1].startswith("examples."):
        importlib.import_module(rest[1]).main(rest[2:])
    elif program == "python" and rest[0].endswith(".py") and rest[0] != "launch.py":
        exec(compile((workdir / rest[0]).read_text(), rest[0], "exec"), {"__name__": "__main__"})
    elif program in ("mkdir", "cp"):
        subprocess.run(words, check=True)
    elif program == "echo":
        text, arrow, file = rest
        assert arrow == ">"
        (workdir / file).write_text(text + "\n")
    else:
        read(words)


def carry_out(page, workdir, monkeypatch, *, slow):
    """The blocks of a page, one after the other, with the files that its blocks of Python are."""
    for block in BLOCKS:
        if block.document != page or (block.mark == "slow" and not slow):
            continue
        if name := documents.named_file(block.text):
            (workdir / name).parent.mkdir(parents=True, exist_ok=True)
            (workdir / name).write_text(block.text.partition("\n")[2])
            continue
        for words in documents.commands(block.text):
            if block.mark == "parsed" and words[0] in documents.PROGRAMS:
                with monkeypatch.context() as patch:
                    nobody_works(patch)
                    read(words)
            elif block.mark != "parsed":
                run(words, workdir)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_or_can_be_read(page, workdir, monkeypatch):
    carry_out(page, workdir, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW)
def test_the_long_commands_of_a_page_run(page, workdir, monkeypatch):
    carry_out(page, workdir, monkeypatch, slow=True)


def test_the_readme_has_the_two_commands_to_set_up():
    """One line makes what the main command needs, one passes the tests; both can be pasted."""
    text = (documents.ROOT / "README.md").read_text(encoding="utf-8")
    assert (
        "\npip install -r requirements.txt\npython launch.py --config configs/quickstart.py\n"
        in text
    )
    assert (
        "\npip install -r requirements.txt -r tests/requirements.txt && python -m pytest -n 2\n"
        in text
    )
