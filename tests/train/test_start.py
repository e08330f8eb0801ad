"""Where training starts from, where it is judged, and what leaves it."""

import jax
import numpy as np
import pytest
import small

from vosjax.io.errors import InputError
from vosjax.io.weights import save_weights
from vosjax.train import export, optimizer, start, state, validate

MODEL = small.model()


@pytest.fixture(scope="module")
def fresh():
    return jax.tree.map(np.asarray, start.params(MODEL, seed=0, init="", encoder=""))


def saved(folder, params):
    save_weights(folder, params, card=dict(family="toy", config={}, source="", licence=""))
    return str(folder)


def test_seeds_decide_fresh_weights(fresh):
    same, other = (start.params(MODEL, seed=seed, init="", encoder="") for seed in (0, 1))
    np.testing.assert_array_equal(same["key"], fresh["key"])
    assert (np.asarray(other["key"]) != fresh["key"]).any()


def test_a_folder_gives_all_weights_in_full_precision(tmp_path, fresh):
    half = jax.tree.map(lambda w: (2 * w).astype(np.float16), fresh)
    found = start.params(MODEL, seed=1, init=saved(tmp_path, half), encoder="")
    assert found["key"].dtype == np.float32
    np.testing.assert_array_equal(found["key"], half["key"])


def test_weights_of_another_network_are_refused(tmp_path, fresh):
    wrong = fresh | {"key": fresh["key"][:2]}
    with pytest.raises(InputError, match="key"):
        start.params(MODEL, seed=0, init=saved(tmp_path, wrong), encoder="")


def test_an_encoder_without_a_reader_of_its_file_is_refused(tmp_path):
    np.savez(tmp_path / "encoder.npz", a=np.zeros(1))
    with pytest.raises(InputError, match="resnet:50 is not read from an .npz"):
        start.params(MODEL, seed=0, init=str(tmp_path / "encoder.npz"), encoder="resnet:50")


def test_validation_compares_with_the_truth_of_later_frames(fresh):
    clip = small.clip_of(0, frames=3, size=32)
    still = {name: np.repeat(clip[name][:1], 3, axis=0) for name in ("frames", "labels")}
    still["live"] = clip["live"]
    wrong = still["labels"].copy()
    wrong[1:] = np.array([2, 0, 1])[wrong[1:]]
    run, params = validate.compiled(MODEL, gap=1), fresh | {"gain": np.float32(50)}
    assert validate.mean_j(run, params, [still]) > 0.9
    assert validate.mean_j(run, params, [still | {"labels": wrong}]) < 0.1


def test_weights_beyond_half_precision_are_named(tmp_path, fresh):
    chain = optimizer.build({path: 1 for path in ("key", "gain", "bank")})
    large = state.fresh(fresh | {"gain": np.float32(1e6)}, MODEL.group, chain)
    with pytest.raises(InputError, match="float16 cannot hold: gain"):
        export.export(small.config(), large, tmp_path)
