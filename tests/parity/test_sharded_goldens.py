"""The references' figures of training hold when a batch is shared by two devices."""

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parents[1]
RUN = """
import sys
import jax, pytest
assert len(jax.devices()) == 2
sys.exit(pytest.main(["-q", "-n", "0", "-m", "slow or not slow", *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "file, chosen",
    [
        ("test_training_parity.py", ""),
        ("test_stcn_train.py", "four_steps or loss or cross_entropy"),
        ("test_aost_training.py", "total_loss or row_by_row"),
    ],
)
def test_goldens_of_training_hold_on_two_devices(file, chosen):
    run = subprocess.run(
        [sys.executable, "-c", RUN, TESTS / "parity" / file, "-k", chosen],
        cwd=TESTS.parent,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout
