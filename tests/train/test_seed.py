"""The recipe of arXiv 2206.09585: its ladder, its stages, and what it says of missing data sets."""

import pathlib
import pkgutil
import shutil

import jax
import numpy as np
import pytest
from support import seed_sets, small

import data_prep
from vosjax import models
from vosjax.config import opened
from vosjax.data import pipeline
from vosjax.errors import InputError
from vosjax.io.names import natural
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.schema import plain
from vosjax.train import beforehand, checkpoint, checkpoint_folder, clip_task, decisive, loop, state

LADDER = ("r50", "swin", "lstt_v2", "more_video", "augmentation_off")
MEMBERS = ("effnet", "resnext", "stcn", "famnet")
VIDEOS = ["youtube_vos/2019", "davis/2017_480p", "youtube_vis/2021", "ovis", "vspw/classes"]
TINY = (
    "train.init=",
    "data.frames=3",
    "train.threads=0",
    "train.log.validate=0",
    "train.log.pictures=0",
    "stages[0].train.steps=3",
    "stages[1].train.steps=3",
    "stages[0].train.batch=2",
    "stages[1].train.batch=2",
)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    return seed_sets.prepared(tmp_path_factory.mktemp("seed"))


@pytest.fixture
def toy(monkeypatch):
    """Puts a toy in the place of every network; the clips remain those of the data sets."""
    monkeypatch.setattr(models, "build", lambda family, **settings: small.model())
    monkeypatch.setattr(
        clip_task, "compile_step", lambda network, chain, settings: small.compiled(settings)
    )


def tiny(name, datasets, *more, side=32):
    """The recipe of a name, three steps a stage, on small frames."""
    frame = (f"data.height={side}", f"data.width={side}", "data.max_objects=4")
    return opened(f"train_seed:{name}", (f"data.root={datasets}", *frame, *TINY, *more))


def toy_of(name, datasets, *more):
    """`tiny` for the toy, whose compiled step has an optimizer of AOT's form."""
    return tiny(name, datasets, "train.optimizer=adamw", "train.clip=5", *more)


def fields(value, path=()):
    """{path of a field: its value} of a config; a list of sets counts as one field."""
    if not isinstance(value, dict):
        return {".".join(path): value}
    return {k: v for name in value for k, v in fields(value[name], (*path, name)).items()}


def described(name):
    """What decides the weights in each stage, {stage.field: value}."""
    stages = loop.stages(opened(f"train_seed:{name}"))
    return fields({stage: decisive.decisive(decisive.described(part)) for stage, part in stages})


def changed(one, other):
    one, other = described(one), described(other)
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def of_both(*names):
    return {f"{stage}.{name}" for stage in ("stills", "video") for name in names}


FRAME = ("train.init", "data.height", "data.width")


@pytest.mark.parametrize(
    "one, other, differences",
    [
        ("r50", "swin", of_both("model.encoder", *FRAME)),
        ("swin", "lstt_v2", of_both("model.block")),
        ("lstt_v2", "more_video", {"video.data.sets"}),
        ("more_video", "augmentation_off", {"video.data.phases"}),
        ("augmentation_off", "effnet", of_both("model.encoder", *FRAME)),
        ("effnet", "resnext", of_both("model.encoder", "train.init")),
    ],
)
def test_a_name_changes_one_thing_of_the_name_before_it(one, other, differences):
    assert changed(one, other) == differences


def test_the_default_is_the_whole_recipe():
    assert opened("train_seed") == opened("train_seed:augmentation_off")


@pytest.mark.parametrize("name", (*LADDER, "effnet", "resnext"))
def test_the_stages_are_those_of_the_paper(name):
    (first, stills), (second, video) = loop.stages(opened(f"train_seed:{name}"))
    assert (first, second) == ("stills", "video")
    assert (stills.train.steps, stills.train.batch) == (100_000, 32)
    assert (stills.train.lr, stills.train.lr_min, stills.train.weight_decay) == (4e-4, 2e-5, 0.03)
    assert (video.train.steps, video.train.batch) == (130_000, 16)
    assert (video.train.lr, video.train.lr_min, video.train.weight_decay) == (2e-4, 2e-5, 0.07)
    side = 464 if stills.model["encoder"] == "swin:b" else 465
    for part in (stills, video):
        assert (part.data.height, part.data.width, part.data.frames) == (side, side, 5)
        assert part.data.rendered_weight == 0 and not part.data.stills


def test_the_last_phase_has_videos_of_youtube_vos_alone_and_no_strong_augmentation():
    _, (_, video) = loop.stages(opened("train_seed"))
    (_, first), (start, last) = pipeline.phased(video.data)
    assert start == 117_000 and last.plain and not first.plain
    assert [dataset.folder for dataset in first.sets] == VIDEOS
    assert [dataset.folder for dataset in last.sets] == VIDEOS[:1]


@pytest.mark.parametrize("after, steps, start", [(0.95, 130_000, 123_500), (0.9, 1000, 900)])
def test_the_length_of_the_last_phase_is_a_share_of_the_stage(after, steps, start):
    given = [f"stages[1].data.phases[0].after={after}", f"stages[1].train.steps={steps}"]
    _, (_, video) = loop.stages(opened("train_seed", given))
    assert video.data.phases[0]["start"] == start


@pytest.mark.parametrize("name", MEMBERS)
def test_members_of_the_ensemble_train_on_the_five_sets_of_videos(name):
    _, (_, video) = loop.stages(opened(f"train_seed:{name}"))
    assert [dataset.folder for dataset in video.data.sets] == VIDEOS


@pytest.mark.parametrize("name", LADDER + MEMBERS)
def test_every_name_takes_three_steps_of_every_stage(name, datasets, toy, tmp_path):
    assert train_mode.run(toy_of(name, datasets), Options(output=str(tmp_path))) == 0
    for stage in ("stills", "video"):
        rows = (tmp_path / stage / "metrics.csv").read_text().split()
        assert [row.split(",")[0] for row in rows] == ["step", "3"]
        loss = float(rows[1].split(",")[1])
        assert np.isfinite(loss) and loss > 0
    assert (tmp_path / "weights" / "card.json").is_file()


def averaged(folder, config, like):
    """The average that the last checkpoint of a stage holds."""
    with checkpoint_folder.managed(folder / "checkpoints", keep=3) as checkpoints:
        restored = checkpoint.restore(checkpoints, like, decisive.described(config))
    assert int(restored.step) == config.train.steps
    return state.averaged(restored)


def network(monkeypatch):
    """Notes the weights with which each stage begins."""
    begun, fresh = [], state.fresh
    monkeypatch.setattr(
        state, "fresh", lambda params, *rest: begun.append(params) or fresh(params, *rest)
    )
    return begun


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


# A network of the family itself, but with the smallest encoder.
SMALL = ("model.encoder=mobilenet_v2", "model.layers=1")


def test_the_video_stage_begins_with_the_average_of_the_stills(datasets, tmp_path, monkeypatch):
    begun = network(monkeypatch)
    config = tiny("augmentation_off", datasets, *SMALL, side=33)
    ended = loop.train(config, output=tmp_path)
    (_, stills), _ = loop.stages(config)
    average = averaged(tmp_path / "stills", stills, ended.state)
    same(begun[1], average)
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), begun[0], average)
    assert any(jax.tree.leaves(moved))
