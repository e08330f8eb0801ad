"""Probabilities that one run writes and another reads."""

import numpy as np
import pytest

from vosjax.errors import InputError
from vosjax.eval import probabilities


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_what_is_read_is_what_was_written_to_a_step(tmp_path, kind):
    top = np.iinfo(kind).max
    soft = np.random.default_rng(0).dirichlet(np.ones(3), (6, 8)).transpose(2, 0, 1)
    probabilities.write(tmp_path / "a.npz", np.round(soft[1:] * top).astype(kind), (3, 7), (6, 8))
    probs, ids = probabilities.read(tmp_path / "a.npz")
    assert ids == (3, 7) and probs.shape == (3, 6, 8)
    np.testing.assert_allclose(probs, soft, atol=2 / top)


def test_small_planes_come_back_at_the_frames_size(tmp_path):
    probabilities.write(tmp_path / "a.npz", np.full((1, 3, 4), 255, np.uint8), (1,), (6, 8))
    probs, _ = probabilities.read(tmp_path / "a.npz")
    assert probs.shape == (2, 6, 8) and (probs[1] == 1).all()


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: b"", lambda data: b"x"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "a.npz"
    probabilities.write(path, np.zeros((1, 3, 4), np.uint8), (1,), (6, 8))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="a.npz cannot be read"):
        probabilities.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.npz cannot be read"):
        probabilities.read(tmp_path / "none.npz")
