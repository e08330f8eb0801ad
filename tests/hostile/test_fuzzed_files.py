"""Any file of a run, flipped, cut, emptied or gone: the same command is right, or says one line."""

import json
import random
import shutil

import numpy as np
import pytest
from support import results_folder
from support.command import masks_of

from data_prep import shards
from vosjax import cli
from vosjax.datasets import catalog
from vosjax.datasets.protocol import frame_names
from vosjax.errors import InputError


def flipped(data, rng):
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def emptied(data, rng):
    return b""


def noise(data, rng):
    return rng.randbytes(64)


def gone(data, rng):
    return None


DAMAGES = (flipped, cut, emptied, noise, gone)


def two(name):
    """(seed, damage) of two damages, others for other files: each costs a fusion."""
    first = sum(name.encode()) % len(DAMAGES)
    return [(seed, DAMAGES[(first + 2 * seed) % len(DAMAGES)]) for seed in range(2)]


def damage(path, how, rng):
    data = how(path.read_bytes(), rng)
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def outcome(code, err):
    """Asserts that a command ended in good order; returns whether it was carried out."""
    assert "Traceback" not in err and "unexpected error" not in err, err
    assert code in (0, 1, 2), (code, err)
    lines = [line for line in err.splitlines() if ": note: " not in line]
    assert code != 2 or len(lines) == 1, err
    return code == 0


SEGMENT = ("masks/00003.png", "overlay.mp4", "scores.csv", "run.json", "state/tracker.npz")


@pytest.fixture
def interrupted(place, capfd):
    """(folder, masks): a run that a damaged frame ended, and the masks of a whole one."""
    place.segment(out=place.root / "whole")
    frame = place.root / "frames" / "00007.png"
    data = frame.read_bytes()
    frame.write_bytes(data[:50])
    assert place.segment() == 2
    frame.write_bytes(data)
    capfd.readouterr()
    return place.out, masks_of(place.root / "whole")


def again(place, folder, name, how, rng, capfd):
    """Whether the command goes on in a copy of `folder` in which one file is damaged."""
    shutil.rmtree(place.root / "copy", ignore_errors=True)
    shutil.copytree(folder, place.root / "copy")
    damage(place.root / "copy" / name, how, rng)
    code = place.segment(out=place.root / "copy")
    return outcome(code, capfd.readouterr().err)


@pytest.mark.parametrize("name", SEGMENT)
def test_a_segmented_folder(name, interrupted, place, capfd):
    folder, _ = interrupted
    if not (folder / name).exists():
        pytest.skip(f"a run that was interrupted here leaves no {name}")
    for seed, how in enumerate(DAMAGES):
        again(place, folder, name, how, random.Random(seed), capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEGMENT)
def test_many_damages_of_a_segmented_folder(name, interrupted, place, capfd):
    folder, masks = interrupted
    if not (folder / name).exists():
        pytest.skip(f"a run that was interrupted here leaves no {name}")
    for seed in range(60):
        how = DAMAGES[seed % len(DAMAGES)]
        if again(place, folder, name, how, random.Random(seed), capfd):
            made = masks_of(place.root / "copy")
            assert np.array_equal(made, masks), f"{how.__name__} {name}, seed {seed}"


@pytest.mark.parametrize("name", ["weights/weights.safetensors", "weights/card.json", "config.py",
                                  "first.png", "frames/00000.png", "frames/00004.png"])  # fmt: skip
def test_what_a_command_is_given(name, place, capfd):
    path = place.root / name
    data = path.read_bytes()
    for seed, how in enumerate(DAMAGES):
        damage(path, how, random.Random(seed))
        outcome(place.segment(out=place.root / f"out{seed}"), capfd.readouterr().err)
        path.write_bytes(data)


EVAL = ("run.json", "videos/cow.json", "masks/cow/00002.png", "probabilities/cow/00002.npz",
        "results.json", "submission.zip")  # fmt: skip


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A dataset and two runs of it with all their files, made without a network."""
    root = tmp_path_factory.mktemp("scored")
    data = results_folder.dataset(root / "davis", (("cow", 4),))
    for number in (0, 1):
        results_folder.run(data, root / f"run{number}", late=number)
    return root


def fused(root):
    words = ["--input", str(root / "run0"), str(root / "run1"), "--output", str(root / "fused")]
    return cli.main(["fuse", *words])


@pytest.mark.parametrize("name", EVAL)
def test_a_run_that_is_fused_and_reported(name, scored, tmp_path, capfd):
    for seed, how in two(name):
        root = tmp_path / str(seed)
        shutil.copytree(scored, root)
        damage(root / "run1" / name, how, random.Random(seed))
        outcome(fused(root), capfd.readouterr().err)
        words = ["--input", str(root / "run0"), str(root / "run1")]
        code = cli.main(["report", *words, "--output", str(root / "page.html")])
        outcome(code, capfd.readouterr().err)


@pytest.mark.parametrize("name", ["run.json", "videos/cow.json", "masks/cow/00002.png",
                                  "results.json"])  # fmt: skip
def test_a_fused_folder(name, scored, tmp_path, capfd):
    for seed, how in two(name):
        root = tmp_path / str(seed)
        shutil.copytree(scored, root)
        assert fused(root) == 0
        damage(root / "fused" / name, how, random.Random(seed))
        capfd.readouterr()
        if outcome(fused(root), capfd.readouterr().err):
            assert json.loads((root / "fused/results.json").read_text())["complete"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    results_folder.dataset(root / "davis", (("cow", 4),))
    below = root / "davis/JPEGImages"
    for kind in ("JPEGImages", "Annotations"):
        (root / "davis" / kind / "cow").rename(root / "cow")
        (root / "davis" / kind / "480p").mkdir()
        (root / "cow").rename(root / "davis" / kind / "480p" / "cow")
    (root / "davis/ImageSets/2017").mkdir(parents=True)
    (root / "davis/ImageSets/2017/val.txt").write_text("cow\n")
    assert below.is_dir()
    shards.prepare("davis/2017_480p", source=root / "davis", output=root / "sets", splits=["val"])
    return root / "sets"


def read(folder):
    """All names and bytes of a prepared dataset."""
    source = catalog.open_videos(folder)
    return [
        (
            name,
            frame_names(source, number),
            source.read(number, range(source.header(number).length)),
        )
        for number, name in enumerate(source.names)
    ]


@pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)
def test_a_prepared_dataset(how, prepared, tmp_path):
    whole = read(prepared)
    files = [path.relative_to(prepared) for path in prepared.rglob("*") if path.is_file()]
    for seed, file in enumerate(files):
        shutil.copytree(prepared, tmp_path / str(seed))
        damage(tmp_path / str(seed) / file, how, random.Random(seed))
        try:
            content = read(tmp_path / str(seed))
        except InputError as error:
            assert "\n" not in str(error)
            continue
        assert [names for _, names, _ in content] == [names for _, names, _ in whole], file
