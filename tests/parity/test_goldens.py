"""The goldens for parity: everything committed is there, and nothing is skipped by mistake."""

import pathlib

import pytest
from support import golden_root

FILES = sorted(
    str(path.relative_to(golden_root.COMMITTED))
    for path in golden_root.COMMITTED.rglob("*")
    if path.is_file() and path.suffix != ".pyc"
)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A checkout without the larger set."""
    monkeypatch.delenv("VOSJAX_GOLDENS", raising=False)
    monkeypatch.setattr(golden_root, "SHARED", tmp_path / "shared" / "goldens")
    return tmp_path / "shared" / "goldens"


@pytest.mark.parametrize("name", FILES)
def test_a_committed_golden_is_none_that_may_be_missing(name):
    assert not golden_root.larger(name)


@pytest.mark.parametrize("folder", ["aost", "aot", "backbones", "bpr", "metrics", "stcn", "stm"])
def test_every_family_has_committed_goldens(folder):
    assert any(name.startswith(f"{folder}/") for name in FILES)


def test_a_committed_golden_needs_nothing_else(bare):
    path = golden_root.path("aot/aott_97x129.npz")
    assert path == golden_root.COMMITTED / "aot" / "aott_97x129.npz"


def test_a_missing_golden_fails_its_test(bare):
    with pytest.raises(pytest.fail.Exception, match="GOLDENS MISSING: aot/never_made.npz"):
        golden_root.path("aot/never_made.npz")


def test_one_of_the_larger_set_is_skipped_only_without_that_set(bare):
    with pytest.raises(pytest.skip.Exception, match="the larger set of goldens"):
        golden_root.path("aot/losses.npz")
    bare.mkdir(parents=True)
    with pytest.raises(pytest.fail.Exception, match="GOLDENS MISSING: aot/losses.npz"):
        golden_root.path("aot/losses.npz")
    (bare / "aot").mkdir()
    (bare / "aot" / "losses.npz").touch()
    assert golden_root.path("aot/losses.npz") == bare / pathlib.Path("aot/losses.npz")
