"""`--mode bench` with a target: a network's frame on a chip that is not there."""

import json

import jax
import pytest

from vosjax.ahead import compiler
from vosjax.bench import compiled
from vosjax.errors import InputError
from vosjax.loading import pretrained


@pytest.fixture
def stand_in(monkeypatch):
    """The CPU in the place of the chip."""
    monkeypatch.setattr(compiler, "devices", lambda target: jax.devices("cpu"))


def test_a_target_is_one_tpu_chip():
    assert compiled.chip("v5e").devices == 1
    with pytest.raises(InputError, match="a frame runs on one chip; give v5e"):
        compiled.chip("v5e:2x2")


@pytest.mark.parametrize("name", ["h100", "cpu"])
def test_nothing_is_claimed_of_a_device_without_a_compiler(name):
    with pytest.raises(InputError, match="nothing is claimed") as error:
        compiled.chip(name)
    assert "\n" not in str(error.value)


def row(workdir, **changes):
    options = dict(dtype="float32", size=(48, 64), objects=3, memory=2, largest=4) | changes
    return compiled.row(compiled.chip("v5e"), str(workdir.config), **options)


def test_a_row_has_the_roofline_and_the_largest_fusions(workdir, stand_in):
    facts = row(workdir)
    slowest = max(facts["products"] / 197e12, facts["main"] / 819e9)
    assert facts["frames_per_second"] == pytest.approx(1 / slowest)
    assert facts["bound"] in ("products", "bytes")
    assert 0 < facts["products"] < facts["operations"] and facts["state_bytes"] > 0
    sizes = [one["bytes"] for one in facts["largest"]]
    assert len(sizes) == 4 and sizes == sorted(sizes, reverse=True)
    assert sum(sizes) <= facts["bytes"]
    assert any("/" in one["scope"] for one in facts["largest"])


def test_a_row_is_the_program_that_a_tracker_runs(workdir, stand_in):
    """Its arguments and results are those of `Tracker.compile`, whatever the number of objects."""
    model = compiled.shapes(str(workdir.config), "float32")[0]
    network = pretrained.fresh({"family": "toynet", "model": {"slots": 4}})
    for objects in (3, 9):
        program, arguments = compiled.frame(model, network.params, (48, 64), objects, 2)
        shapes = jax.eval_shape(program, *arguments)
        assert shapes[1].shape == (48, 64) and shapes[2].shape[0] >= objects
        assert jax.tree.map(lambda leaf: leaf.shape, shapes[0]) == jax.tree.map(
            lambda leaf: leaf.shape, arguments[1]
        )


def test_the_command_prints_and_writes_its_rows(workdir, stand_in, capsys):
    answer = workdir.run(
        "--config", workdir.config, "--mode", "bench", "--output", workdir.out,
        f"--config.bench.models=({workdir.config!r},)", "--config.bench.sizes=((48, 64),)",
        "--config.bench.objects=(3,)", "--config.bench.memory=(2,)", "--config.bench.target=v5e",
    )  # fmt: skip
    assert answer == 0
    out = capsys.readouterr().out
    assert "one v5e" in out and "nothing was measured" in out and "the most bytes" in out
    (facts,) = json.loads((workdir.out / "bench.json").read_text())["rows"]
    assert facts["target"] == "v5e" and facts["objects"] == 3 and len(facts["largest"]) == 5


def test_a_row_of_the_offline_engine_is_one_frame_of_one_video(workdir, stand_in):
    one, four = (row(workdir, chunk=2, batch=batch) for batch in (1, 4))
    assert (four["chunk"], four["batch"]) == (2, 4)
    assert four["products"] == pytest.approx(one["products"], rel=0.05)
    assert four["state_bytes"] == 4 * one["state_bytes"] > 0
    assert 0 < four["frames_per_second"] and four["bound"] in ("products", "bytes")
    assert any("4 videos and 2 frames at once" in line for line in compiled.lines([four]))


def test_chunks_and_batches_are_those_of_a_target(workdir, capsys):
    answer = workdir.run("--config", workdir.config, "--mode", "bench", "--config.bench.batch=(4,)")
    assert answer == 2 and "python -m vosjax.bench.engine measures" in capsys.readouterr().err


def test_the_command_refuses_what_it_cannot_compile_for(workdir, capsys):
    answer = workdir.run(
        "--config", workdir.config, "--mode", "bench", "--config.bench.target=h100"
    )
    assert answer == 2 and capsys.readouterr().err.count("\n") == 1
