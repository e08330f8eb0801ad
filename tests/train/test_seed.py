"""The recipe of arXiv 2206.09585: its ladder, its stages, and what it says of missing data sets."""

import pathlib
import pkgutil
import shutil

import jax
import numpy as np
import pytest
from support import seed_sets, small

import data_prep
from data_prep import shards
from vosjax import models
from vosjax.config import opened
from vosjax.data import pipeline
from vosjax.errors import InputError
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.train import beforehand, checkpoint, checkpoint_folder, clip_task, decisive, loop, state

LADDER = ("r50", "swin", "lstt_v2", "more_video", "augmentation_off")
MATCHING = ("stcn", "famnet")
MEMBERS = ("effnet", "resnext", *MATCHING)
QUICK = ("r50", "augmentation_off", "stcn")  # the first, the last, and one of another kind
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
        clip_task,
        "compile_step",
        lambda network, chain, settings, shardings: small.compiled(settings),
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


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in LADDER + MEMBERS
    ],
)
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


@pytest.fixture
def begun(monkeypatch):
    """The weights with which the stages began, in their order."""
    weights, fresh = [], state.fresh
    monkeypatch.setattr(
        state, "fresh", lambda params, *rest: weights.append(params) or fresh(params, *rest)
    )
    return weights


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def check_that_the_second_stage_begins_with_the_average(config, folder, begun):
    ended = loop.train(config, output=folder)
    (name, stills), _ = loop.stages(config)
    average = averaged(folder / name, stills, ended.state)
    same(begun[1], average)
    moved = jax.tree.map(lambda one, other: bool(np.any(one != other)), begun[0], average)
    assert any(jax.tree.leaves(moved)) and ended.complete


def test_the_video_stage_begins_with_the_average_of_the_stills(datasets, toy, tmp_path, begun):
    config = toy_of("augmentation_off", datasets)
    check_that_the_second_stage_begins_with_the_average(config, tmp_path, begun)


@pytest.mark.slow
@pytest.mark.parametrize("name", LADDER + MEMBERS)
def test_every_network_itself_takes_three_steps_of_every_stage(name, datasets, tmp_path, begun):
    side = 32 if "swin" in str(opened(f"train_seed:{name}").model) or name in MATCHING else 33
    config = tiny(name, datasets, side=side)
    check_that_the_second_stage_begins_with_the_average(config, tmp_path, begun)


def test_the_same_command_again_trains_no_step(datasets, toy, tmp_path):
    config = toy_of("r50", datasets)
    first = loop.train(config, output=tmp_path)
    again = loop.train(config, output=tmp_path)
    assert again.complete and again.folder == tmp_path / "video"
    same(again.state, first.state)


def test_data_of_a_stage_that_is_complete_are_not_needed(datasets, toy, tmp_path):
    here = tmp_path / "datasets"
    shutil.copytree(datasets, here)
    config = toy_of("r50", here)
    loop.run_stage(loop.stages(config)[0][1], tmp_path / "run/stills")
    shutil.rmtree(here / "coco")
    assert loop.train(config, output=tmp_path / "run").complete


@pytest.mark.parametrize(
    "other, more, said",
    [
        ("augmentation_off", (), "data.phases"),
        ("r50", (), "model.encoder"),
        ("more_video", ("stages[0].train.lr=1e-3",), "train.lr"),
    ],
)
def test_another_config_in_the_same_folder_is_refused(datasets, toy, tmp_path, other, more, said):
    loop.train(toy_of("more_video", datasets), output=tmp_path)
    with pytest.raises(InputError, match="was made with another config") as error:
        loop.train(toy_of(other, datasets, *more), output=tmp_path)
    line = str(error.value)
    assert said in line and "another output folder" in line and "\n" not in line


@pytest.fixture
def without(datasets, tmp_path):
    """without(*names) -> a folder of the data sets that lacks some of them."""

    def copied(*names):
        here = tmp_path / "some_sets"
        here.mkdir()
        for path in datasets.iterdir():
            if path.name not in names:
                (here / path.name).symlink_to(path)
        return here

    return copied


def refusal(config, folder):
    """The line that refuses a training, which has not begun any stage."""
    with pytest.raises(InputError) as error:
        loop.train(config, output=folder)
    assert not folder.exists() and "\n" not in str(error.value)
    return str(error.value)


def test_missing_sets_are_named_before_the_first_step(without, toy, tmp_path):
    root = without("ovis", "vspw")
    line = refusal(toy_of("augmentation_off", root), tmp_path / "run")
    flags = [f"stages[1].data.sets[{number}].weight=0" for number in (3, 4)]
    assert line == (
        f"stage video lacks {root}/ovis and {root}/vspw/classes; without them it would train on "
        "youtube_vos/2019, davis/2017_480p and youtube_vis/2021: to do so, give "
        f"--config.{flags[0]} --config.{flags[1]}; `python -m data_prep NAME --source DOWNLOAD "
        f"--output {root}` prepares them (ovis and vspw/classes), and configs/prepare.py many at "
        "once"
    )
    assert loop.train(toy_of("augmentation_off", root, *flags), output=tmp_path / "run").complete


def test_every_stage_and_phase_that_lacks_a_set_is_named(without, toy, tmp_path):
    root = without("youtube_vos", "ecssd")
    line = refusal(toy_of("augmentation_off", root), tmp_path / "run")
    for said in (
        f"stage stills lacks {root}/ecssd/binary; without it it would train on coco/crowds_ignored",
        f"stage video lacks {root}/youtube_vos/2019; without it it would train on davis/2017_480p",
        f"stage video from step 2 on lacks {root}/youtube_vos/2019; without it it would have no",
        "--config.stages[0].data.sets[2].weight=0",
        "--config.stages[1].data.sets[0].weight=0",
    ):
        assert said in line


def test_a_split_that_was_not_prepared_is_named(without, datasets, toy, tmp_path):
    root = without("pascal_voc")
    shards.prepare(
        "pascal_voc", source=datasets.parent / "downloads/pascal_voc", output=root, splits=["train"]
    )
    line = refusal(toy_of("r50", root), tmp_path / "run")
    assert f"stage stills lacks {root}/pascal_voc (val)" in line and "'val'" in line


def test_a_root_that_does_not_exist_is_named(toy, tmp_path):
    line = refusal(toy_of("r50", tmp_path / "nowhere"), tmp_path / "run")
    assert f"there is no folder {tmp_path}/nowhere" in line and "--config.data.root" in line


def test_sets_without_a_root_ask_for_it(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "give --config.data.root=DATASETS" in refusal(toy_of("r50", ""), tmp_path / "run")


def test_a_later_stage_that_does_not_fit_is_refused_before_the_first_step(datasets, tmp_path):
    config = tiny("r50", datasets, "stages[1].data.height=32", side=33)
    assert "data.height and data.width are 32 and 33" in refusal(config, tmp_path / "run")


def test_imagenet_weights_are_looked_for_in_the_root(datasets, toy, tmp_path):
    config = toy_of("r50", datasets, "train.init=imagenet/resnet50.pth")
    with pytest.raises(InputError, match=f"does not exist and not in {datasets} either"):
        loop.train(config, output=tmp_path)


def test_published_sets_are_those_that_data_prep_prepares():
    def prepares(name):
        path = pathlib.Path(data_prep.__path__[0], f"{name}.py")
        return "\nclass Builder(" in path.read_text(encoding="utf-8")

    builders = [m.name for m in pkgutil.iter_modules(data_prep.__path__) if prepares(m.name)]
    assert sorted(beforehand.PUBLISHED) == sorted(builders)
