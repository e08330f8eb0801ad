"""`--mode summary`, the costs it counts, and what the recipes say of their own size."""

import functools
import importlib
import json
import math
import pkgutil
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import configs
import launch
from vosjax import models
from vosjax.bench import cost
from vosjax.modes.summary import parameters, published

# Of aot-benchmark's models; the others have no published number.
PAPERS = {
    "aot_t": 5.734,
    "aot_s": 6.998,
    "aot_b": 8.262,
    "aot_l": 8.262,
    "aot_r50": 14.910,
    "aot_r101": 33.850,
    "aot_resnest101": 36.367,
    "aot_swin_v1": 65.398,
    "aot_swin": 65.602,
    "aotv2_l": 8.466,
    "aotv2_r50": 15.114,
    "aost": 8.795,
    "aost_r50": 15.443,
    "aost_swin": 65.932,
    "deaot_t": 7.238,
    "deaot_s": 10.203,
    "deaot_b": 13.167,
    "deaot_l": 13.167,
    "deaot_r50": 19.815,
    "deaot_swin": 70.304,
}
RECIPES = sorted(found.name for found in pkgutil.iter_modules(configs.__path__))
NETWORKS = [name for name in RECIPES if re.match("aot|aost|deaot", name)]


def recipe(name):
    module = importlib.import_module(f"configs.{name}")
    return module, module.get_config()


def shapes_of(config):
    return shapes(config.family, tuple(config.model.items()))


@functools.cache
def shapes(family, settings):
    model = models.build(family, **dict(settings))
    return model, jax.eval_shape(model.init_params, jax.random.key(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_recipe_has_the_weights_it_says(name):
    module, config = recipe(name)
    count = published(shapes_of(config)[1]) / 1e6
    told = re.search(r"Expected: (?:.* )?([0-9.]+) M weights", module.__doc__)
    assert told and abs(count - float(told[1])) <= 0.051, count
    if name in PAPERS:
        assert abs(count - PAPERS[name]) <= 0.001


def test_every_published_network_has_a_recipe():
    assert PAPERS.keys() <= set(NETWORKS)


def test_recipe_names_its_command():
    for name in NETWORKS:
        assert f"--config configs/{name}.py" in recipe(name)[0].__doc__, name


def test_modules_and_groups_add_up():
    model, params = shapes_of(recipe("aot_t")[1])
    found = parameters(model, params)
    roots = [size for name, size in found["modules"].items() if "/" not in name]
    assert sum(roots) == sum(found["training"].values()) == found["total"]
    assert found["total"] == sum(math.prod(x.shape) for x in jax.tree.leaves(params))


def run(tmp_path, capsys, *flags):
    code = launch.run(["launch.py", "--mode", "summary", "--output", str(tmp_path), *flags])
    told = capsys.readouterr()
    found = json.loads((tmp_path / "summary.json").read_text()) if code == 0 else None
    return code, told, found


def test_summary_of_a_config(tmp_path, capsys):
    code, told, found = run(
        tmp_path,
        capsys,
        "--config",
        "configs/aot_t.py",
        "--config.summary.height=64",
        "--config.summary.width=80",
        "--config.summary.objects=12",
        "--config.summary.memory=2",
    )
    assert code == 0
    assert found["network"] == [65, 81] and found["groups"] == 2
    # Two groups; K and V of two remembered frames and of the last, 30 places, 256 channels.
    assert found["bytes"]["memory frame"] == 2 * (2 * 30 * 256 * 4 + 6)
    assert found["bytes"]["state"] == 2 * (3 * 2 * 30 * 256 * 4 + 2 * 6 + 10)
    whole = found["cost"]["frame"]["flops"]
    assert whole == sum(found["cost"][part]["flops"] for part in ("encode", "predict", "commit"))
    for word in ("encoder", "lstt", "5.734 M", "GFLOPs", "MiB", "65x81"):
        assert word in told.out


def test_bfloat16_halves_memory_and_costs_the_same(tmp_path, capsys):
    small = ("--config.summary.height=64", "--config.summary.width=80")
    wide = run(tmp_path, capsys, "--config", "configs/aot_t.py", *small)[2]
    thin = run(tmp_path, capsys, "--config", "configs/aot_t.py", *small, "--config.dtype=bfloat16")[
        2
    ]
    assert 2 * thin["bytes"]["features"] == wide["bytes"]["features"]
    assert abs(thin["cost"]["frame"]["flops"] / wide["cost"]["frame"]["flops"] - 1) < 0.01


@pytest.mark.parametrize(
    "flag", ["--config.model.layers=0", "--config.dtype=float8", "--config.summary.objects=0"]
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, flag):
    code, told, _ = run(tmp_path, capsys, "--config", "configs/aot_t.py", flag)
    assert code == 2 and len(told.err.strip().splitlines()) == 1


def product(x, y):
    return jnp.tanh(x @ y)


X, Y = np.zeros((6, 5), np.float32), np.zeros((5, 7), np.float32)
ONE = 2 * 6 * 5 * 7


def test_products_and_elements_are_counted():
    found = cost.count(product, X, Y)
    assert found.products == {"float32": ONE} and found.others == found.activations == 42


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
    told = jax.jit(convolve).lower(*args).cost_analysis()["flops"]
    assert cost.count(convolve, *args).flops == told


def test_loops_count_by_their_length_where_the_compiler_counts_once():
    def loop(xs, y):
        return jax.lax.map(lambda x: x @ y, xs)

    args = jnp.zeros((9, *X.shape)), jnp.asarray(Y)
    assert cost.count(loop, *args).products == {"float32": 9 * ONE}
    assert jax.jit(loop).lower(*args).cost_analysis()["flops"] < 2 * ONE


def test_loop_of_unknown_length_is_reported():
    found = cost.count(lambda x: jax.lax.while_loop(lambda x: x[0, 0] < 1, lambda x: x + 1, x), X)
    assert found.unbounded == 1


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
    config = recipe("base")[1]
    with config.unlocked():
        config.family, config.model = family, {}
    config.summary.update(height=48, width=64, objects=2, memory=1)
    file = tmp_path / "one.py"
    file.write_text(
        "import ml_collections\n\n\ndef get_config():\n    return "
        f"ml_collections.ConfigDict({config.to_dict()!r})\n"
    )
    code, _, found = run(tmp_path, capsys, "--config", str(file))
    assert code == 0
    assert found["cost"]["frame"]["flops"] > 1e8 and found["bytes"]["state"] > 0
    assert found["cost"]["frame"]["unbounded"] == 0
