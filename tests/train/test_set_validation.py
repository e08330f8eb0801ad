"""Validation on a real dataset gives the figures that an evaluation of the same weights gives."""

import json
import pathlib
import shutil

import jax
import pytest
from support import small
from support.results_folder import dataset

from vosjax.errors import InputError
from vosjax.eval import dataset as running
from vosjax.eval import results, scoring, videos
from vosjax.eval.config import EvalConfig
from vosjax.eval.engine import Engine
from vosjax.loading.ensembles import Part
from vosjax.train import loop, state
from vosjax.train.config import LogConfig
from vosjax.train.validate_set import SetValidation, chosen


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    root = tmp_path_factory.mktemp("davis")
    return dataset(root, counts=(("cow", 6), ("dog", 5), ("eel", 7)))


def params(seed=0):
    return small.model().init_params(jax.random.key(seed))


def evaluated(root, weights, out, *, max_short_side=None):
    """J and F of the run that `--mode eval` makes."""
    vos = small.model().vos
    found = videos.discover(root)
    engine = Engine([Part(vos, weights, 0)], max_short_side=max_short_side)
    config = running.RunConfig(pathlib.Path(out), running.Memory(2, 32), 1, 2017)
    running.run(found, [engine], config, slots=vos.slots, stop=[])
    protocol = results.scoring_rules(root, EvalConfig()).protocol
    table = scoring.score(videos.truths(found), out / "masks", protocol=protocol)["global"]
    return {"validation_j": table["J-Mean"], "validation_f": table["F-Mean"]}


def test_figures_are_those_of_an_evaluation(davis, tmp_path):
    """Also when other weights come, for which nothing is compiled again."""
    validation = SetValidation(small.model(), LogConfig(data=str(davis)), mem_every=2)
    for seed in (0, 1):
        expected = evaluated(davis, params(seed), tmp_path / str(seed))
        assert validation(params(seed)) == pytest.approx(expected, abs=1e-12)
        assert 0 < expected["validation_j"] < 1


def test_the_size_is_that_which_is_asked_for(davis, tmp_path):
    settings = LogConfig(data=str(davis), max_short_side=24)
    validation = SetValidation(small.model(), settings, mem_every=2)
    expected = evaluated(davis, params(), tmp_path, max_short_side=24)
    assert validation(params()) == pytest.approx(expected, abs=1e-12)


def test_fewer_videos_are_taken_at_even_distances(davis):
    found = videos.discover(davis)
    names = [video.name for video in chosen(found, LogConfig(data="d", videos=2))]
    assert names == ["cow", "eel"]
    assert len(chosen(found, LogConfig(data="d", videos=9))) == 3


def test_fewer_frames_are_a_shorter_video(davis, tmp_path):
    """As if the later frames were not there."""
    short = tmp_path / "short"
    shutil.copytree(davis, short)
    for path in [*short.rglob("0000[4-9].*")]:
        path.unlink()
    limited, whole = LogConfig(data=str(davis), video_frames=4), LogConfig(data=str(short))
    figures = [SetValidation(small.model(), s, mem_every=2)(params()) for s in (limited, whole)]
    assert figures[0] == figures[1]
    assert 0 < figures[0]["validation_f"] < 1


def test_a_run_tells_j_and_f_of_the_average(davis, tmp_path, monkeypatch):
    small.install(monkeypatch)
    log = dict(every=0, validate=2, data=str(davis), videos=1)
    after = loop.train(small.config(steps=2, card_mem_every=2, log=log), output=tmp_path)
    head, row = (line.split(",") for line in (tmp_path / "metrics.csv").read_text().split())
    told = {name: float(value) for name, value in zip(head, row) if value and "valid" in name}
    validation = SetValidation(small.model(), LogConfig(data=str(davis), videos=1), mem_every=2)
    assert told == pytest.approx(validation(state.averaged(after.state)), abs=1e-5)
    assert set(told) == {"validation_j", "validation_f"}


def test_youtube_vos_is_scored_by_its_own_rules(davis, tmp_path):
    """They score the last frame, which those of DAVIS leave out."""
    root = tmp_path / "youtube"
    shutil.copytree(davis, root)
    meta = {}
    for folder in (root / "JPEGImages").iterdir():
        frames = sorted(path.stem for path in folder.iterdir())
        objects = {str(i): {"category": "fish", "frames": frames} for i in (1, 2)}
        meta[folder.name] = {"objects": objects}
    (root / "meta.json").write_text(json.dumps({"videos": meta}))
    validation = SetValidation(small.model(), LogConfig(data=str(root)), mem_every=2)
    expected = evaluated(root, params(), tmp_path / "out")
    assert validation(params()) == pytest.approx(expected, abs=1e-12)


def test_a_dataset_that_is_none_is_refused_before_training(tmp_path, monkeypatch):
    small.install(monkeypatch)
    config = small.config(log=dict(data=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="nowhere"):
        loop.train(config, output=tmp_path / "out")


def test_too_few_frames_are_refused(davis):
    found = videos.discover(davis)
    late = [video._replace(starts={1: 3}) for video in found]
    with pytest.raises(InputError, match="has no object before frame 3; take more frames"):
        chosen(late, LogConfig(data="d", video_frames=3))


def test_videos_without_public_truth_are_refused(davis):
    secret = [video._replace(truths=None) for video in videos.discover(davis)]
    with pytest.raises(InputError, match="no video has public masks"):
        chosen(secret, LogConfig(data="d"))
