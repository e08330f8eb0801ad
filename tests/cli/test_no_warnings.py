"""No mode of ours warns, in a process in which every warning is an error."""

import jax
import numpy as np
import pytest
from support import torch_files, toy
from support.processes import ended, workplace


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return workplace(tmp_path_factory.mktemp("quiet"))


@pytest.fixture(scope="module")
def quiet(workdir):
    """Carries out a command under `python -W error`."""

    def run(*words):
        code, output = ended(workdir.start(*words, PYTHONWARNINGS="error"))
        assert code == 0 and "Warning" not in output and "Traceback" not in output, output
        return output

    return run


def test_a_folder_and_its_film(workdir, quiet):
    frames, masks = (workdir.data / kind / "cow" for kind in ("JPEGImages", "Annotations"))
    quiet("--video", frames, "--masks", masks / "00000.png", "--output", workdir.root / "a")
    film = workdir.root / "a" / "overlay.mp4"
    quiet("--video", film, "--masks", masks / "00000.png", "--output", workdir.root / "b")
    np.save(workdir.root / "mask.npy", np.pad(np.ones((8, 8), np.uint8), ((4, 20), (4, 36))))
    quiet("--video", frames, "--masks", workdir.root / "mask.npy", "--output", workdir.root / "c")


def test_a_dataset_s_way(workdir, quiet):
    for name, every in (("e", 1), ("f", 2)):
        quiet(
            *("--mode", "eval", "--data", workdir.data, "--output", workdir.root / name),
            *("--config.eval.probabilities=8", f"--config.mem_every={every}"),
            "--config.eval.processes=2",
        )
    runs = [workdir.root / "e", workdir.root / "f"]
    quiet("--mode", "fuse", "--input", *runs, "--output", workdir.root / "g")
    quiet("--mode", "report", "--input", *runs, "--output", workdir.root / "page.html")
    quiet("--mode", "absence", "--input", *runs)


@pytest.mark.parametrize("write", [torch_files.write_zip, torch_files.write_stream])
def test_weights_from_elsewhere(workdir, quiet, write):
    params = toy.fresh(jax.random.PRNGKey(5))
    state = {
        name: torch_files.tensor(np.asarray(params[path]), name)
        for name, path in (("net.key.weight", "key"), ("net.gain", "gain"))
    }
    write(workdir.root / "x.pth", {"state_dict": state})
    output = workdir.root / write.__name__
    quiet("--mode", "convert", "--input", workdir.root / "x.pth", "--output", output)
    quiet("--mode", "summary", "--output", output)
