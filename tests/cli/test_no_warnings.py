"""No mode of ours warns, in a process in which every warning is an error."""

import jax
import numpy as np
import pytest
from support import torch_files, toy
from support.processes import ended, workplace


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return workplace(tmp_path_factory.mktemp("quiet"))


@pytest.fixture(scope="module")
def quiet(place):
    """Carries out a command under `python -W error`."""

    def run(*words):
        code, output = ended(place.start(*words, PYTHONWARNINGS="error"))
        assert code == 0 and "Warning" not in output and "Traceback" not in output, output
        return output

    return run


def test_a_folder_and_its_film(place, quiet):
    frames, masks = (place.data / kind / "cow" for kind in ("JPEGImages", "Annotations"))
    quiet("--video", frames, "--masks", masks / "00000.png", "--output", place.root / "a")
    film = place.root / "a" / "overlay.mp4"
    quiet("--video", film, "--masks", masks / "00000.png", "--output", place.root / "b")
    np.save(place.root / "mask.npy", np.pad(np.ones((8, 8), np.uint8), ((4, 20), (4, 36))))
    quiet("--video", frames, "--masks", place.root / "mask.npy", "--output", place.root / "c")


def test_a_dataset_s_way(place, quiet):
    for name, every in (("e", 1), ("f", 2)):
        quiet(
            *("--mode", "eval", "--data", place.data, "--output", place.root / name),
            *("--config.eval.probabilities=8", f"--config.mem_every={every}"),
            "--config.eval.processes=2",
        )
    runs = [place.root / "e", place.root / "f"]
    quiet("--mode", "fuse", "--input", *runs, "--output", place.root / "g")
    quiet("--mode", "report", "--input", *runs, "--output", place.root / "page.html")
    quiet("--mode", "absence", "--input", *runs)


@pytest.mark.parametrize("write", [torch_files.write_zip, torch_files.write_stream])
def test_weights_from_elsewhere(place, quiet, write):
    params = toy.fresh(jax.random.PRNGKey(5))
    state = {
        name: torch_files.tensor(np.asarray(params[path]), name)
        for name, path in (("net.key.weight", "key"), ("net.gain", "gain"))
    }
    write(place.root / "x.pth", {"state_dict": state})
    output = place.root / write.__name__
    quiet("--mode", "convert", "--input", place.root / "x.pth", "--output", output)
    quiet("--mode", "summary", "--output", output)
