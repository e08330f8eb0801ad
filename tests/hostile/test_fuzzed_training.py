"""Any file of a training's folder, damaged: the same command works, or prints one line."""

import random
import shutil

import pytest
from hostile.test_fuzzed_files import DAMAGES, damage
from support import small
from support.processes import made

from vosjax.errors import InputError
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.train import export

pytestmark = pytest.mark.filterwarnings("ignore::vosjax.errors.Note")  # of the older checkpoint
WEIGHTS = "weights/weights.safetensors"


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    small.install(monkeypatch)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a training that is complete, its weights exported, and its files but events."""
    with pytest.MonkeyPatch.context() as patch:
        small.install(patch)
        folder = tmp_path_factory.mktemp("trained") / "run"
        assert train_mode.run(small.config(), Options(output=str(folder))) == 0
    return folder


def own(folder):
    """Its files, but for locks and events, whose names tell of the second they were begun in."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path) for path in paths if "tensorboard" not in path.parts)


def taken_up(trained, folder, name, how, rng):
    """Damages a file and gives the same command: the same weights, or an InputError of one line."""
    shutil.copytree(trained, folder)
    damage(folder / name, how, rng)
    try:
        code = train_mode.run(small.config(), Options(output=str(folder)))
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert code == 0
    assert made(folder, WEIGHTS) == made(trained, WEIGHTS), (name, how.__name__)


@pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)
@pytest.mark.parametrize("name", ["config.json", "metrics.csv", WEIGHTS, "weights/card.json"])
def test_what_a_training_wrote_beside_its_checkpoints(name, how, trained, tmp_path):
    taken_up(trained, tmp_path / "run", name, how, random.Random(0))


@pytest.mark.slow
def test_every_file_of_a_training(trained, tmp_path):
    for number, name in enumerate(own(trained)):
        for seed, how in enumerate(DAMAGES):
            folder = tmp_path / "run"
            taken_up(trained, folder, name, how, random.Random(number + 100 * seed))
            shutil.rmtree(folder)


@pytest.mark.slow
def test_exporting_from_a_damaged_training(trained, tmp_path):
    whole = export.from_checkpoint(small.config(), trained, tmp_path / "whole")
    for number, name in enumerate(own(trained)):
        for seed, how in enumerate(DAMAGES):
            folder, out = tmp_path / "run", tmp_path / "out"
            shutil.copytree(trained, folder)
            damage(folder / name, how, random.Random(number + 100 * seed))
            try:
                card = export.from_checkpoint(small.config(), folder, out)
            except InputError as error:
                assert "\n" not in str(error)
            else:
                steps = card["training"]["steps"], whole["training"]["steps"]
                assert steps[0] < steps[1] or card["sha256"] == whole["sha256"], name
            shutil.rmtree(folder)
            shutil.rmtree(out, ignore_errors=True)
