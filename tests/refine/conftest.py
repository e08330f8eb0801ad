"""The folder in which commands run, for all tests of this folder, and a small network."""

import jax
import pytest
from support.command import workdir  # noqa: F401

from vosjax.checkpoints.weights import save_weights
from vosjax.refine.boundary import network

SMALL = dict(patch=32, widths=(4, 4, 4, 4), bottlenecks=1, modules=(1, 1, 1), blocks=1, stem=4)


@pytest.fixture(scope="session")
def boundary(tmp_path_factory):
    """A folder of random weights of a boundary network that compiles fast."""
    folder = tmp_path_factory.mktemp("boundary")
    params = network.build(**SMALL).init_params(jax.random.PRNGKey(0))
    card = {
        "family": network.FAMILY,
        "config": {"model": {name: value for name, value in SMALL.items()}},
        "source": "a test",
        "licence": "none",
    }
    save_weights(folder / "weights", params, card=card)
    return str(folder / "weights")
