"""Any file of a run, flipped, cut, emptied or gone: the same command works, or prints one line."""

import json
import random
import shutil
import signal
import warnings

import numpy as np
import pytest
from support import results_folder
from support.command import LABELS, masks_of
from support.damage import cut, flipped
from support.processes import made

from data_prep import shards
from vosjax import cli
from vosjax.datasets import catalog
from vosjax.datasets.protocol import frame_names
from vosjax.errors import InputError, Note
from vosjax.io.palette import write_label_png
from vosjax.io.scores import ObjectScore, ScoreWriter
from vosjax.tracking import backward


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


SEGMENT = ("masks/00003.png", "scores.csv", "run.json", "state/tracker.npz", "state/books.jsonl")
COMPLETE = ("masks/00003.png", "overlay.mp4", "scores.csv", "run.json")
TWICE = ("state/backward/00006.npz", "state/backward.npz")  # of the pass backward


@pytest.fixture
def interrupted(workdir, capfd):
    """(folder, masks): a run that a damaged frame ended, and the masks of a whole one."""
    workdir.segment(out=workdir.root / "whole")
    frame = workdir.root / "frames" / "00007.png"
    data = frame.read_bytes()
    frame.write_bytes(data[:50])
    assert workdir.segment() == 2
    frame.write_bytes(data)
    capfd.readouterr()
    return workdir.out, masks_of(workdir.root / "whole")


def again(workdir, folder, name, how, rng, capfd):
    """Whether the command goes on in a copy of `folder` in which one file is damaged."""
    shutil.rmtree(workdir.root / "copy", ignore_errors=True)
    shutil.copytree(folder, workdir.root / "copy")
    damage(workdir.root / "copy" / name, how, rng)
    code = workdir.segment(out=workdir.root / "copy")
    return outcome(code, capfd.readouterr().err)


@pytest.fixture
def complete(workdir, capfd):
    assert workdir.segment() == 0
    capfd.readouterr()
    return workdir.out, made(workdir.out, *COMPLETE[1:3], "masks")


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_segmented_folder_is_whole_again_or_one_line_says_why_not(
    name, complete, workdir, capfd
):
    folder, whole = complete
    for seed, how in enumerate(DAMAGES):
        if again(workdir, folder, name, how, random.Random(seed), capfd):
            assert made(workdir.root / "copy", *COMPLETE[1:3], "masks") == whole, how.__name__


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLETE)
def test_many_damages_of_a_complete_segmented_folder(name, complete, workdir, capfd):
    folder, whole = complete
    for seed in range(5, 60):
        how = DAMAGES[seed % len(DAMAGES)]
        if again(workdir, folder, name, how, random.Random(seed), capfd):
            assert made(workdir.root / "copy", *COMPLETE[1:3], "masks") == whole, seed


@pytest.fixture
def on_the_way_back(workdir, capfd):
    """(folder, words, whole): a run that a signal ended in its pass backward, and a whole one's."""
    words = (f"--masks=8={workdir.root / '8.png'}",)
    write_label_png(workdir.root / "8.png", LABELS[8])

    def segment(out):
        return workdir.segment(*words, masks=f"0={workdir.mask}", out=out)

    assert segment(workdir.root / "whole") == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backward.Outputs, "write", stopping(backward.Outputs.write, frame=4))
        assert segment(workdir.out) == 130
    capfd.readouterr()
    return workdir.out, segment, made(workdir.root / "whole", *COMPLETE[1:3], "masks")


def stopping(write, *, frame):
    """`Outputs.write`, which sends Ctrl-C at a frame."""

    def write_and_stop(self, index, output):
        write(self, index, output)
        if index == frame:
            signal.raise_signal(signal.SIGINT)

    return write_and_stop


@pytest.mark.slow
@pytest.mark.parametrize("name", TWICE)
def test_what_a_pass_backward_left(name, on_the_way_back, workdir, capfd):
    folder, segment, whole = on_the_way_back
    for seed in range(20):
        how = DAMAGES[seed % len(DAMAGES)]
        shutil.rmtree(workdir.root / "copy", ignore_errors=True)
        shutil.copytree(folder, workdir.root / "copy")
        damage(workdir.root / "copy" / name, how, random.Random(seed))
        if outcome(segment(workdir.root / "copy"), capfd.readouterr().err):
            assert made(workdir.root / "copy", *COMPLETE[1:3], "masks") == whole, seed


@pytest.mark.parametrize("name", SEGMENT)
def test_a_segmented_folder(name, interrupted, workdir, capfd):
    folder, _ = interrupted
    if not (folder / name).exists():
        pytest.skip(f"a run that was interrupted here leaves no {name}")
    for seed, how in enumerate(DAMAGES):
        again(workdir, folder, name, how, random.Random(seed), capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEGMENT)
def test_many_damages_of_a_segmented_folder(name, interrupted, workdir, capfd):
    folder, masks = interrupted
    if not (folder / name).exists():
        pytest.skip(f"a run that was interrupted here leaves no {name}")
    for seed in range(60):
        how = DAMAGES[seed % len(DAMAGES)]
        if again(workdir, folder, name, how, random.Random(seed), capfd):
            assert np.array_equal(masks_of(workdir.root / "copy"), masks), (
                f"{how.__name__} {name}, seed {seed}"
            )


@pytest.mark.parametrize("name", ["weights/weights.safetensors", "weights/card.json", "config.py",
                                  "first.png", "frames/00000.png", "frames/00004.png"])  # fmt: skip
def test_what_a_command_is_given(name, workdir, capfd):
    path = workdir.root / name
    data = path.read_bytes()
    for seed, how in enumerate(DAMAGES):
        damage(path, how, random.Random(seed))
        outcome(workdir.segment(out=workdir.root / f"out{seed}"), capfd.readouterr().err)
        path.write_bytes(data)


EVAL = ("run.json", "videos/cow.json", "masks/cow/00002.png", "probabilities/cow/00002.npz",
        "results.json", "submission.zip", "scores/cow.csv")  # fmt: skip


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A dataset and two runs of it with all their files, made without a network."""
    root = tmp_path_factory.mktemp("scored")
    data = results_folder.dataset(root / "davis", (("cow", 4),))
    for number in (0, 1):
        out = results_folder.run(data, root / f"run{number}", late=number)
        with ScoreWriter(out / "scores" / "cow.csv") as writer:
            for index in range(4):
                score = ObjectScore(1, 0.9, 0.5, 7, index == 2)
                writer.write(index, f"{index:05d}", [score, score._replace(object=2)])
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
        outcome(cli.main(["absence", *words]), capfd.readouterr().err)


FUSED = ("run.json", "videos/cow.json", "masks/cow/00002.png", "results.json",
         "submission.zip", "global_results-all.csv", "per-sequence_results-all.csv")  # fmt: skip


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_folder(name, scored, tmp_path, capfd):
    for seed, how in two(name):
        fused_again(scored, tmp_path / str(seed), name, how, random.Random(seed), capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUSED)
def test_many_damages_of_a_fused_folder(name, scored, tmp_path, capfd):
    for seed in range(2, 30):
        how = DAMAGES[seed % len(DAMAGES)]
        fused_again(scored, tmp_path / str(seed), name, how, random.Random(seed), capfd)


def fused_again(scored, root, name, how, rng, capfd):
    """Fuses, damages a file of the fusion and fuses again: all is as it was, or one line says."""
    shutil.copytree(scored, root)
    assert fused(root) == 0
    kept = (FUSED[2], *FUSED[4:])
    whole = made(root / "fused", *kept)
    assert len(whole) == len(kept)
    damage(root / "fused" / name, how, rng)
    capfd.readouterr()
    if outcome(fused(root), capfd.readouterr().err):
        assert made(root / "fused", *kept) == whole, f"{how.__name__} {name}"
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


@pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)
def test_preparing_where_a_damaged_dataset_stands(how, prepared, tmp_path):
    """Its own records are used for what they say, or one line says that they cannot be."""
    options = dict(source=prepared.parent / "davis", splits=["val"])
    files = [path.relative_to(prepared) for path in prepared.rglob("*.json")]
    assert {file.name for file in files} >= {"report-val.json", "sources-val.json"}
    for seed, file in enumerate(files):
        out = tmp_path / str(seed)
        shutil.copytree(prepared, out)
        damage(out / file, how, random.Random(seed))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Note)
                shards.prepare("davis/2017_480p", output=out, **options)
        except InputError as error:
            assert "\n" not in str(error) and str(error).isprintable()
        shards.prepare("davis/2017_480p", output=out, **options, overwrite=True)
        assert read(out) == read(prepared)
