"""`dimp50.pth` becomes weights by `--mode convert`, and these follow a box."""

import numpy as np
import pytest
from support import torch_files
from support.dimp_goldens import state_dict

import vosjax
from vosjax.boxes.protocol import FLAGS


@pytest.mark.slow
def test_the_published_form_is_converted_and_tracks(workdir, capsys):
    """All 407 entries under `net`; random weights have to say something finite of every frame."""
    tensors = {
        key: torch_files.tensor(array, str(i))
        for i, (key, array) in enumerate(state_dict().items())
    }
    assert len(tensors) == 407
    file = torch_files.write_zip(workdir.root / "dimp50.pth", {"net": tensors, "epoch": 50})
    command = "--config", "configs/dimp.py", "--mode", "convert", "--input", str(file)
    assert workdir.run(*command, "--output", str(workdir.out)) == 0
    assert "26,119,535 numbers" in capsys.readouterr().out
    results = list(vosjax.track_box(workdir.video, (10, 10, 20, 16), weights=workdir.out))
    assert len(results) == 10
    for _, (box, score, flag) in results:
        assert np.isfinite(box).all() and np.isfinite(score) and 0 <= flag < len(FLAGS)
