"""The command `vosjax`: a sub-parser for each mode, what it prints, and how it ends."""

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest
from support.command import FRAMES

import vosjax
from vosjax import cli, modes
from vosjax.errors import NotFinite
from vosjax.modes import render, segment, summary


def test_the_overview_has_a_line_for_every_mode(capsys):
    assert cli.main([]) == cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in modes.names():
        assert f"  {name:<12}" in text
    assert "vosjax MODE [CONFIG]" in text


def test_the_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"vosjax {vosjax.__version__}\n"


@pytest.mark.parametrize("mode", modes.names())
def test_a_mode_s_help_has_its_flags_and_fields(mode, capsys):
    assert cli.main([mode, "--help"]) == 0
    text = capsys.readouterr().out
    described = modes.described(mode)
    flags = {name for name in cli.FLAGS if f"--{name} " in text}
    assert flags == set(described.flags) and "--config.FIELD=VALUE" in text
    for field in described.fields:
        assert f"  {field}" in text


def test_help_does_not_wait_for_jax():
    code = (
        "import sys; from vosjax import cli; cli.main(['segment', '--help']); "
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_main_command_needs_no_config(workdir):
    code = cli.main(
        ["segment", "--video", workdir.video, "--masks", workdir.mask, "--output", str(workdir.out)]
        + [f"--config.weights={workdir.weights}", "--set", "save_every=4"]
    )
    assert code == 0 and len(list((workdir.out / "masks").iterdir())) == len(FRAMES)


@pytest.mark.parametrize("words", [["aot:t"], ["--config", "aot:t"], ["--config=configs/aot.py:t"]])
def test_a_config_is_given_by_name_or_path(words, monkeypatch):
    seen = []
    monkeypatch.setattr(summary, "run", lambda config, options: seen.append(config) or 0)
    assert cli.main(["summary", *words, "--config.summary.objects", "7"]) == 0
    assert seen[0].family == "aot" and seen[0].summary.objects == 7


def test_a_switch_needs_no_value(monkeypatch):
    seen = []
    monkeypatch.setattr(segment, "run", lambda config, options: seen.append(config))
    assert cli.main(["segment", "--config.tta.flip", "--video", "x"]) == 0
    assert seen[0].tta.flip


@pytest.fixture
def refused(capsys):
    def line(words, code=2):
        assert cli.main(words) == code
        printed = capsys.readouterr()
        assert printed.err.startswith("vosjax: ") and printed.err.count("\n") == 1
        return printed.err.removeprefix("vosjax: ").strip()

    return line


@pytest.mark.parametrize(
    "words, said",
    [
        (["segmnt"], "there is no mode 'segmnt' (did you mean 'segment'?); the modes are: absence"),
        (["segment", "--vidio", "x"], "there is no flag 'vidio' (did you mean 'video'?)"),
        (["segment", "--shard", "0/2"], "there is no flag 'shard'"),
        (["segment", "--video"], "argument --video: expected one argument"),
        (["summary", "aot:t", "more"], "'more' was given without a flag"),
        (["summary", "aot:t", "--set", "objects"], "--set got 'objects'; FIELD=VALUE is expected"),
        (["summary", "aot:t", "--set"], "--set got ''; FIELD=VALUE is expected"),
        (["train"], "training needs a folder for its run: give --output FOLDER"),
        (["train", "--output", "x"], "this config has no training part"),
        (["convert", "--input", "x", "--output", "y"], "this config names no network"),
        (["prepare", "base", "--data", "x", "--output", "y"], "this config names no datasets"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, said, refused):
    assert refused(words).startswith(said)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--shard", "0/2"], "--shard belongs to --mode eval, train; segment does not use it"),
        (
            ["--config.eval.split=val"],
            "--config.eval.split belongs to --mode eval, refine, unpack; s",
        ),
        (
            ["--input", "a", "b"],
            "--input belongs to --mode absence, convert, export, export-masks, fuse, patches, "
            "refine, report",
        ),
        (
            ["--set", "fuse_weights=1,2"],
            "--config.fuse_weights belongs to --mode fuse; seg",
        ),
        (
            ["--mode", "render", "--config.gap=3"],
            "--config.mem_every belongs to --mode convert",
        ),
    ],
)
def test_what_a_mode_does_not_use_is_noted(words, said, capsys, monkeypatch):
    for mode in (segment, render):
        monkeypatch.setattr(mode, "run", lambda config, options: 0)
    assert cli.launch(["launch.py", "--config", "base", *words]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes[-1].startswith(f"launch.py: note: {said}")
    assert len(notes) == 1 + (words[-1] == "--config.gap=3")  # of the old name


def test_what_a_mode_uses_and_what_its_config_holds_is_not_noted(capsys, monkeypatch):
    monkeypatch.setattr(segment, "run", lambda config, options: 0)
    words = ["--config.mode=segment", "--video=x", "--masks=y", "--overwrite", "--config.top_k=5"]
    words += ["--direction=forward", "--config.tta.flip", "--config.mem_every=3"]
    assert cli.launch(["launch.py", "--config", "train_default", *words]) == 0
    assert capsys.readouterr().err == ""


def test_an_unknown_encoder_is_one_line(refused, tmp_path):
    (tmp_path / "x.pth").write_bytes(b"")
    words = ["--input", str(tmp_path / "x.pth"), "--output", str(tmp_path / "out")]
    assert "x.pth" in refused(["convert", "aot:t", *words])
    assert "unknown encoder 'resnett:50'; there are: efficientnet" in refused(
        ["summary", "aot:t", "--config.model.encoder=resnett:50"]
    )


def test_stills_that_are_not_there_are_one_line(refused, tmp_path):
    words = ["train_rendered", "--output", str(tmp_path), "--config.data.stills=WRONG"]
    assert refused(["preview", *words]).startswith("no stills in WRONG: expected images/NAME.jpg")


def raising(error):
    def run(config, options):
        raise error

    return run


@pytest.mark.parametrize(
    "error, code, said",
    [
        (NotFinite("the loss was not finite in steps 1 to 2"), 3, "the loss was not finite in"),
        (KeyboardInterrupt(), 130, "stopped"),
        (KeyError("x"), 70, "unexpected error: KeyError: 'x' (please report it, with what --tra"),
        (ModuleNotFoundError("no grain", name="grain"), 2, "grain is not installed: pip install"),
        (ModuleNotFoundError("No module 'x'", name="x"), 2, "No module 'x': install it, or"),
    ],
)
def test_how_a_command_ends(error, code, said, refused, monkeypatch):
    monkeypatch.setattr(summary, "run", raising(error))
    assert refused(["summary", "aot:t"], code).startswith(said)


def test_a_traceback_is_shown_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(summary, "run", raising(KeyError("x")))
    assert cli.main(["summary", "aot:t", "--traceback"]) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_names_from_outside_play_no_tricks(refused):
    evil = "no\n\x1b[2Jvideo.mp4"
    line = refused(["segment", "--video", evil, "--masks", "x", "--output", "y"])
    assert r"no\n\x1b[2Jvideo.mp4" in line and "\x1b" not in line


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "import sys; from vosjax import cli; sys.exit(cli.main(['--help']))"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert done.stderr == "" and done.returncode == 141


def test_the_package_is_a_program(tmp_path):
    root = importlib.util.find_spec("vosjax").submodule_search_locations[0]
    done = subprocess.run(
        [sys.executable, "-m", "vosjax", "--version"],
        cwd=os.path.dirname(root),
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"vosjax {vosjax.__version__}\n"


def test_loading_a_model_brings_in_no_training_and_no_datasets():
    code = (
        "import sys, vosjax; vosjax.load(); "
        "print(*{'tensorflow_datasets', 'grain', 'orbax', 'tensorboard', 'tensorboardX', 'optax'} "
        "& {name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "\n"


def test_a_word_without_a_flag_is_the_studio_s_video(monkeypatch):
    given = []
    studio = importlib.import_module("vosjax.modes.studio")
    monkeypatch.setattr(studio, "run", lambda config, options: given.append(options))
    assert cli.main(["studio", "dog.mp4", "--no-browser", "--port", "0"]) == 0
    assert cli.main(["studio", "--video", "dog.mp4", "--config", "base"]) == 0
    assert [(options.video, options.no_browser, options.port) for options in given] == [
        ("dog.mp4", True, "0"),
        ("dog.mp4", False, None),
    ]
    assert cli.main(["studio", "dog.mp4", "cat.mp4"]) == 2
    assert len(given) == 2
    assert cli.launch(["launch.py", "--mode", "studio"]) == 0
    assert given[2] == modes.Options()
