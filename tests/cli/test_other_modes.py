"""`--mode convert`, `bench` and `quickstart`; the configs; what is embedded and installed."""

import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from support import torch_files, toy

import vosjax
from vosjax import config as configs
from vosjax.config.files import find
from vosjax.io.palette import read_label_png
from vosjax.loading import networks
from vosjax.modes import quickstart

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", configs.names())
def test_every_config_says_its_command_and_names_a_network(name):
    doc = find(name)[0].read_text().partition('"""\n')[0]
    assert "python launch.py" in doc and f"configs/{name}.py" in doc and "Expected" in doc
    config = configs.opened(name)
    if config.family:
        networks.build(config.family, **config.settings)


def bench_of(workdir, models, *more):
    return workdir.run(
        "--config",
        workdir.config,
        "--mode",
        "bench",
        "--output",
        workdir.out,
        f"--config.bench.models={models}",
        "--config.bench.sizes=((48, 64),)",
        "--config.bench.objects=(1, 6)",
        "--config.bench.memory=(2,)",
        "--config.bench.repeats=2",
        "--config.bench.frames=2",
        *more,
    )


@pytest.fixture
def tiny(workdir):
    """A config of the toy network."""
    return workdir.config


def rows_of(workdir):
    return json.loads((workdir.out / "bench.json").read_text())["rows"]


def test_the_bench_prints_and_writes_its_rows(workdir, tiny, capsys):
    assert bench_of(workdir, (tiny,)) == 0
    assert "ms/frame" in capsys.readouterr().out
    assert [row["objects"] for row in rows_of(workdir)] == [1, 6]
    for row in rows_of(workdir):
        assert len(row["milliseconds"]) == 2 and row["traces"] == 1
        assert row["frames_per_second"] == pytest.approx(1000 / np.median(row["milliseconds"]))
        assert len(row["remembered_milliseconds"]) == 2
        assert row["state_bytes"] > 0 and row["program_bytes"] > row["state_bytes"]
        assert row["program_bytes"] > row["temporary_bytes"] > 0


def test_the_bench_compares_reads(workdir, tiny):
    assert bench_of(workdir, (tiny,), "--config.bench.top_k=(3, 0)") == 0
    assert [(row["objects"], row["top_k"]) for row in rows_of(workdir)] == [
        (1, 3),
        (1, None),
        (6, 3),
        (6, None),
    ]


def test_the_bench_names_the_models_there_are(workdir, capsys):
    assert bench_of(workdir, ("nope",)) == 2
    line = capsys.readouterr().err
    assert "'nope'" in line and "aot_swin" in line


@pytest.fixture
def checkpoint(workdir):
    """A file as PyTorch writes it, of the toy's weights by their reference's names."""
    params = toy.fresh(jax.random.PRNGKey(5))
    state = {
        f"module.net.{name}": torch_files.tensor(np.asarray(array), str(i))
        for i, (name, array) in enumerate(
            {
                "key.weight": params["key"],
                "gain": params["gain"],
                "unused.x": np.float32([1, 2]),
            }.items()
        )
    }
    return params, state, workdir.root / "x.pth"


def convert(workdir, file):
    return workdir.run(
        "--config", workdir.config, "--mode", "convert", "--input", file, "--output", workdir.out
    )


@pytest.mark.parametrize("write", [torch_files.write_zip, torch_files.write_stream])
def test_a_checkpoint_becomes_weights(workdir, checkpoint, write, capsys):
    params, state, file = checkpoint
    write(file, {"state_dict": state, "optimizer": {}})
    assert convert(workdir, file) == 0
    assert "2 tensors" in capsys.readouterr().out
    loaded = vosjax.load(workdir.out)
    np.testing.assert_array_equal(loaded.params["key"], params["key"])
    assert loaded.config["mem_every"] == 2 and loaded.card["source"] == "converted from x.pth"


def test_a_checkpoint_that_lacks_a_tensor_is_refused_by_name(workdir, checkpoint, capsys):
    _, state, file = checkpoint
    del state["module.net.gain"]
    state["module.other"] = torch_files.tensor(np.zeros(1, np.float32), "9")
    torch_files.write_zip(file, state)
    assert convert(workdir, file) == 2
    line = capsys.readouterr().err
    assert "net.gain" in line and "other" in line and not workdir.out.exists()


def test_a_checkpoint_that_is_no_number_is_refused_by_name(workdir, checkpoint, capsys):
    params, state, file = checkpoint
    key = np.array(params["key"])
    key[0, :3] = np.nan
    state["module.net.key.weight"] = torch_files.tensor(key, "8")
    torch_files.write_zip(file, state)
    assert convert(workdir, file) == 2
    lines = capsys.readouterr().err.splitlines()
    assert f"array 'key' holds 3 NaN of {key.size:,} values" in lines[-1]
    assert not workdir.out.exists()


def test_wrappers_of_a_checkpoint_are_said_in_a_note(workdir, checkpoint, capsys):
    _, state, file = checkpoint
    torch_files.write_zip(file, {"ema": {"a": state["module.net.gain"]}, "model": state})
    assert convert(workdir, file) == 0
    (note,) = capsys.readouterr().err.splitlines()
    assert "note: the checkpoint: weights stand under 'model' and under 'ema'" in note
    assert "'module.' of DataParallel is taken off" in note


def test_what_is_no_checkpoint_is_refused(workdir, capsys):
    assert convert(workdir, workdir.mask) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_converting_needs_a_network(workdir, capsys):
    code = workdir.run(
        "--config",
        ROOT / "configs" / "base.py",
        "--mode",
        "convert",
        "--input",
        "x.pth",
        "--output",
        workdir.out,
    )
    assert code == 2 and "names no network" in capsys.readouterr().err


def test_the_quickstart_goes_the_whole_way(workdir, monkeypatch, capsys):
    whole = quickstart.sample_clip()
    short = {name: whole[name][:3] for name in ("frames", "labels")}
    monkeypatch.setattr(quickstart, "sample_clip", lambda: short)
    code = workdir.run(
        "--config",
        ROOT / "configs" / "quickstart.py",
        "--output",
        workdir.out,
        f"--config.weights={workdir.weights}",
    )
    text = capsys.readouterr().out
    assert code == 0 and "J&F" in text and "overlay.mp4" in text
    first = read_label_png(workdir.out / "result" / "masks" / "00000.png")
    np.testing.assert_array_equal(first, short["labels"][0])


def test_the_report_of_perfect_masks_is_100(tmp_path, capsys):
    labels = quickstart.sample_clip()["labels"][:3]
    for index, mask in enumerate(labels):
        quickstart.write_label_png(tmp_path / "masks" / f"{index:05d}.png", mask)
    quickstart.report(tmp_path, labels)
    assert "mean  100.0  100.0  100.0" in capsys.readouterr().out


def test_the_program_runs_as_a_program(tmp_path):
    """From another folder, where nothing is importable but the packages."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "launch.py",
            "--config",
            ROOT / "configs" / "base.py",
            "--video",
            "none.mp4",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert (
        done.stderr == "launch.py: --output is missing; segmenting takes --video, --masks and "
        "--output\n"
    )


def test_reading_files_does_not_wait_for_the_networks():
    code = "import sys, vosjax.io.masks, vosjax.data.types; print('jax' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "False\n"


def test_converting_leaves_a_folder_of_someone_else_alone(workdir, checkpoint, capsys):
    torch_files.write_zip(checkpoint[2], checkpoint[1])
    workdir.out.mkdir()
    for name, text in (("weights.safetensors", "theirs"), ("card.json", '{"title": "theirs"}')):
        (workdir.out / name).write_text(text)
    assert convert(workdir, checkpoint[2]) == 2
    line = capsys.readouterr().err
    assert "holds other files (card.json, weights.safetensors)" in line and line.count("\n") == 1
    assert (workdir.out / "weights.safetensors").read_text() == "theirs"


def test_converting_replaces_weights_of_ours(workdir, checkpoint):
    torch_files.write_zip(checkpoint[2], checkpoint[1])
    assert convert(workdir, checkpoint[2]) == 0
    (workdir.out / "README").write_text("mine")
    assert convert(workdir, checkpoint[2]) == 0
    assert (workdir.out / "README").read_text() == "mine"


def test_a_quickstart_leaves_a_folder_of_someone_else_alone(workdir, monkeypatch, capsys):
    whole = quickstart.sample_clip()
    short = {name: whole[name][:2] for name in ("frames", "labels")}
    monkeypatch.setattr(quickstart, "sample_clip", lambda: short)
    command = ("--config", ROOT / "configs" / "quickstart.py", "--output", workdir.out)
    command += (f"--config.weights={workdir.weights}", "--config.overlay=False")
    frame = workdir.out / "frames" / "00001.png"
    frame.parent.mkdir(parents=True)
    for name, data in (("frames/00001.png", b"theirs"), ("frames/x.png", b"theirs")):
        (workdir.out / name).write_bytes(data)
    assert workdir.run(*command) == 2
    line = capsys.readouterr().err
    assert "that no quickstart wrote (x.png, 00001.png)" in line and line.count("\n") == 1
    assert frame.read_bytes() == b"theirs"
    (workdir.out / "frames" / "x.png").unlink()
    assert workdir.run(*command) == 2
    assert workdir.run(*command, "--overwrite") == 0
    stamp = frame.stat().st_mtime_ns
    assert workdir.run(*command) == 0 and frame.stat().st_mtime_ns == stamp
    assert "is complete" in capsys.readouterr().out
