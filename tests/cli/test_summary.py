"""`--mode summary`, the costs that it counts, and the sizes that configs state."""

import functools
import importlib.util
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vosjax import cli, cost, models
from vosjax.config import opened
from vosjax.config.files import folder
from vosjax.modes.summary import parameters, published

# Of aot-benchmark's models; the others have no published number.
PAPERS = {
    "aot:t": 5.734,
    "aot:s": 6.998,
    "aot:b": 8.262,
    "aot:l": 8.262,
    "aot:r50": 14.910,
    "aot:r101": 33.850,
    "aot:resnest101": 36.367,
    "aot:swin": 65.398,
    "aotv2:swin": 65.602,
    "aotv2:l": 8.466,
    "aotv2:r50": 15.114,
    "aost:mobilenet": 8.795,
    "aost:r50": 15.443,
    "aost:swin": 65.932,
    "deaot:t": 7.238,
    "deaot:s": 10.203,
    "deaot:b": 13.167,
    "deaot:l": 13.167,
    "deaot:r50": 19.815,
    "deaot:swin": 70.304,
}
FAMILIES = ("aot", "aotv2", "aost", "deaot", "famnet")


@functools.cache
def module(name):
    spec = importlib.util.spec_from_file_location(name, folder() / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


NETWORKS = [f"{name}:{variant}" for name in FAMILIES for variant in module(name).VARIANTS]


def row_of(asked):
    """{column: cell} of a variant's row in the table of its config's docstring."""
    name, _, variant = asked.partition(":")
    rows = [line for line in module(name).__doc__.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return next(dict(zip(cells[0], row)) for row in cells if row[0] == variant)


def shapes_of(config):
    return shapes(config.family, tuple(config.settings.items()))


@functools.cache
def shapes(family, settings):
    model = models.build(family, **dict(settings))
    return model, jax.eval_shape(model.init_params, jax.random.key(0))


@pytest.mark.parametrize("asked", NETWORKS)
def test_a_variant_has_the_weights_that_its_row_says(asked):
    count = published(shapes_of(opened(asked))[1]) / 1e6
    assert abs(count - float(row_of(asked)["M weights"])) <= 0.051, count
    if asked in PAPERS:
        assert abs(count - PAPERS[asked]) <= 0.001


@pytest.mark.parametrize("name, size", [("aot_swin", 65.6), ("stcn", 54.4)])
def test_a_config_without_variants_says_its_size_too(name, size):
    assert f"Expected: {size} M weights" in module(name).__doc__
    assert abs(published(shapes_of(opened(name))[1]) / 1e6 - size) <= 0.051


def test_every_published_network_has_a_config():
    assert PAPERS.keys() <= set(NETWORKS)


def test_rows_say_when_frames_are_remembered():
    for asked in NETWORKS:
        remembers = row_of(asked).get("remembers", "every fifth frame")
        assert (remembers == "every fifth frame") == (opened(asked).mem_every == 5), asked


def test_modules_and_groups_add_up():
    model, params = shapes_of(opened("aot:t"))
    counts = parameters(model, params)
    roots = [size for name, size in counts["modules"].items() if "/" not in name]
    assert sum(roots) == sum(counts["training"].values()) == counts["total"]
    assert counts["total"] == sum(math.prod(x.shape) for x in jax.tree.leaves(params))


def run(tmp_path, capsys, *flags):
    code = cli.main(["summary", "--output", str(tmp_path), *flags])
    printed = capsys.readouterr()
    summary = json.loads((tmp_path / "summary.json").read_text()) if code == 0 else None
    return code, printed, summary


def test_summary_of_a_config(tmp_path, capsys):
    code, printed, summary = run(
        tmp_path,
        capsys,
        "--config",
        "aot:t",
        "--config.summary.height=64",
        "--config.summary.width=80",
        "--config.summary.objects=12",
        "--config.summary.memory=2",
    )
    assert code == 0
    assert summary["network"] == [65, 81] and summary["groups"] == 2
    # Two groups; K and V of two remembered frames and of the last, 30 places, 256 channels.
    assert summary["bytes"]["memory frame"] == 2 * (2 * 30 * 256 * 4 + 6)
    assert summary["bytes"]["state"] == 2 * (3 * 2 * 30 * 256 * 4 + 2 * 6 + 10)
    whole = summary["cost"]["frame"]["flops"]
    assert whole == sum(summary["cost"][part]["flops"] for part in ("encode", "predict", "commit"))
    for word in ("encoder", "lstt", "5.734 M", "GFLOPs", "MiB", "65x81"):
        assert word in printed.out


def test_bfloat16_halves_memory_and_costs_the_same(tmp_path, capsys):
    small = ("--config.summary.height=64", "--config.summary.width=80")
    wide = run(tmp_path, capsys, "--config", "aot:t", *small)[2]
    thin = run(tmp_path, capsys, "--config", "aot:t", *small, "--config.dtype=bfloat16")[2]
    assert 2 * thin["bytes"]["features"] == wide["bytes"]["features"]
    assert abs(thin["cost"]["frame"]["flops"] / wide["cost"]["frame"]["flops"] - 1) < 0.01


@pytest.mark.parametrize(
    "flag", ["--config.model.layers=0", "--config.dtype=float8", "--config.summary.objects=0"]
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, flag):
    code, printed, _ = run(tmp_path, capsys, "--config", "aot:t", flag)
    assert code == 2 and len(printed.err.strip().splitlines()) == 1


def product(x, y):
    return jnp.tanh(x @ y)


X, Y = np.zeros((6, 5), np.float32), np.zeros((5, 7), np.float32)
ONE = 2 * 6 * 5 * 7


def test_products_and_elements_are_counted():
    operations = cost.count(product, X, Y)
    assert (
        operations.products == {"float32": ONE}
        and operations.others == operations.activations == 42
    )


def test_convolutions_agree_with_the_compiler():
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (2, 2),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=2,
        )

    args = jnp.zeros((1, 17, 13, 8)), jnp.zeros((3, 3, 4, 6))
    flops = jax.jit(convolve).lower(*args).cost_analysis()["flops"]
    assert cost.count(convolve, *args).flops == flops


def test_loops_count_by_their_length_where_the_compiler_counts_once():
    def loop(xs, y):
        return jax.lax.map(lambda x: x @ y, xs)

    args = jnp.zeros((9, *X.shape)), jnp.asarray(Y)
    assert cost.count(loop, *args).products == {"float32": 9 * ONE}
    assert jax.jit(loop).lower(*args).cost_analysis()["flops"] < 2 * ONE


def test_loop_of_unknown_length_is_reported():
    operations = cost.count(
        lambda x: jax.lax.while_loop(lambda x: x[0, 0] < 1, lambda x: x + 1, x), X
    )
    assert operations.unbounded == 1


def branch(flag, x, y):
    return jax.lax.cond(flag, lambda: x @ y, lambda: jnp.zeros((6, 7)))


def test_known_branch_is_followed_and_of_unknown_ones_the_dearest():
    assert cost.count(branch, np.False_, X, Y).products == {}
    assert cost.count(branch, np.True_, X, Y).products == {"float32": ONE}
    unknown = jax.ShapeDtypeStruct((), bool)
    assert cost.count(branch, unknown, X, Y).products == {"float32": ONE}


def test_platforms_count_by_their_general_form():
    def either(x, y):
        return jax.lax.platform_dependent(
            x, y, cpu=lambda x, y: (x @ y) + (x @ y), default=lambda x, y: x @ y
        )

    assert cost.count(either, X, Y).products == {"float32": ONE}


def test_inner_functions_are_entered():
    inner = jax.jit(jax.checkpoint(product))
    assert cost.count(lambda x, y: inner(x, y), X, Y).products == {"float32": ONE}


@pytest.mark.parametrize("family", models.families())
def test_every_family_has_costs(tmp_path, capsys, family):
    small = ("height=48", "width=64", "objects=2", "memory=1")
    flags = [word for value in small for word in ("--set", f"summary.{value}")]
    code, _, summary = run(tmp_path, capsys, *flags, "--set", f"family={family}")
    assert code == 0
    assert summary["cost"]["frame"]["flops"] > 1e8 and summary["bytes"]["state"] > 0
    assert summary["cost"]["frame"]["unbounded"] == 0


@pytest.mark.slow
def test_an_ensemble_is_described_by_its_members(tmp_path, capsys):
    small = [f"--config.summary.{value}" for value in ("height=48", "width=64", "memory=1")]
    code, printed, summary = run(tmp_path, capsys, "ensemble_2022", *small)
    assert code == 0 and list(summary["members"]) == ["aot", "famnet", "stcn"]
    assert summary["members"]["stcn"]["parameters"]["published"] == pytest.approx(54.4e6, abs=5e4)
    assert [member["views"] for member in summary["members"].values()] == [6, 6, 6]
    assert "member famnet:" in printed.out and "together" in printed.out
    alone = run(tmp_path, capsys, "ensemble_2022", *small, "--config.only=stcn")[2]
    assert list(alone["members"]) == ["stcn"]
