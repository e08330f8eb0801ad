"""BPR's networks give the reference's maps and logits, within what its own float32 leaves open."""

import functools
import math

import jax
import numpy as np
import pytest
from support import backbone_goldens as goldens

from vosjax.backbones import hrnet
from vosjax.checkpoints.convert import convert
from vosjax.checkpoints.paths import nest
from vosjax.config import opened
from vosjax.refine.boundary import network

NETWORKS = {"w18": "hrnet18s_128", "w48": "hrnet48_256"}
COUNTS = {"w18": 3_935_278, "w48": 65_846_978}
NOISE = {"w18": 4e-5, "w48": 7e-3}  # the reference in float32 against itself in float64
STATISTICS = ("/mean", "/var")  # PyTorch counts them as buffers, not as parameters


@functools.cache
def of(name):
    """(network, its weights, nested)."""
    built = network.build(**opened(f"bpr:{name}").model)
    manifest = goldens.manifest(f"bpr/manifest_{NETWORKS[name]}.json")
    state = goldens.rebuilt("bpr", manifest)
    expected = {path: (leaf.shape, leaf.dtype) for path, leaf in network.forms(built).items()}
    return built, nest(convert(state, built.checkpoint_names, expected=expected))


def logits(name, x):
    """Our logits, NCHW, of the reference's input."""
    built, params = of(name)
    x = x.transpose(0, 2, 3, 1)
    return np.asarray(jax.jit(built.apply)(params, x[..., :3], x[..., 3])).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_published_number_of_parameters(name):
    forms = network.forms(network.build(**opened(f"bpr:{name}").model))
    counted = [leaf for path, leaf in forms.items() if not path.endswith(STATISTICS)]
    assert sum(math.prod(leaf.shape) for leaf in counted) == COUNTS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_names_cover_every_weight_once(name):
    built = network.build(**opened(f"bpr:{name}").model)
    entries = built.checkpoint_names.entries
    assert sorted(entry.path for entry in entries) == sorted(network.forms(built))
    assert len({entry.key for entry in entries}) == len(entries)


@pytest.fixture(scope="module")
def small_patches():
    """(golden, our logits, maps of all branches): one program, for they share a backbone."""
    golden = goldens.arrays("bpr/net_hrnet18s_64.npz")
    built, params = of("w18")
    branches = hrnet.HRNet(hrnet.VARIANTS["w18_small"], mask=True)

    @jax.jit
    def run(params, image, mask):
        maps = branches.apply({"params": params["backbone"]}, image, mask[..., None])
        return built.apply(params, image, mask), maps

    x = golden["x_64"].transpose(0, 2, 3, 1)
    ours, maps = run(params, x[..., :3], x[..., 3])
    return golden, np.asarray(ours).transpose(0, 3, 1, 2), maps


def test_logits_of_small_patches_are_the_references(small_patches):
    golden, ours, _ = small_patches
    theirs = golden["logits_64"]
    assert np.abs(ours - theirs).max() <= 2 * NOISE["w18"]
    assert np.abs(ours - theirs).max() <= 1e-5 * theirs.std()


def test_maps_of_all_branches_are_the_references(small_patches):
    golden, _, maps = small_patches
    for branch, ours in enumerate(maps):
        theirs = golden[f"branch{branch}_64"].transpose(0, 2, 3, 1)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-5 * theirs.std(), branch


@pytest.mark.slow
@pytest.mark.parametrize("side", (64, 128))
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_of_both_networks_are_the_references(name, side):
    golden = goldens.arrays(f"bpr/net_{NETWORKS[name]}.npz")
    ours, theirs = logits(name, golden[f"x_{side}"]), golden[f"logits_{side}"]
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 2 * NOISE[name]
    assert np.abs(ours - theirs).max() <= 1e-5 * theirs.std()
