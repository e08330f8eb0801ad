"""What all tests share: the tests' own folder on the path, and a quiet, deterministic CPU."""

import os
import pathlib
import sys

import pytest

pytest.register_assert_rewrite(
    "support.clip_checks"
)  # shared checks tell what differed, as tests do
sys.path.insert(0, str(pathlib.Path(__file__).parent))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("NPROC", "8")  # see `vosjax.voting.fusion.spare_threads`
