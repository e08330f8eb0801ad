"""Files of the version before open: configs, cards, checkpoints' configs, run.json."""

import json

import jax
import pytest
from support import toy
from support.command import workdir  # noqa: F401

import vosjax
from vosjax.checkpoints.weights import save_weights
from vosjax.config import opened, parsed
from vosjax.loading import pretrained
from vosjax.runs import record
from vosjax.schema import NEVER
from vosjax.train import decisive

OLD_CONFIG = """
import ml_collections


def get_config():
    return ml_collections.ConfigDict(dict(
        mode="train", family="aot", model=dict(layers=1), gap=3, limit=8, size=320,
        tta=dict(flip=True, short=480),
        train=dict(memory_gap=9999, gap=5, lr=1e-4),
        data=dict(stills="", recipe="composed", sets=(dict(folder="x", gap=12),),
                  phases=(dict(start=4, recipe="aot"),)),
        stages=(dict(name="a", train=dict(memory_gap=2),
                     data=dict(sets=(dict(folder="y", gap=7),))),),
    ))
"""


def test_an_old_config_file_opens_with_a_note_for_each_name(tmp_path):
    (tmp_path / "old.py").write_text(OLD_CONFIG)
    with pytest.warns(FutureWarning) as notes:
        config = opened(str(tmp_path / "old.py"))
    assert (config.mem_every, config.max_mem_frames, config.max_short_side) == (3, 8, 320)
    assert config.tta.max_short_side == 480 and config.tta.flip
    assert config.train.mem_every == NEVER and config.train.card_mem_every == 5
    assert config.data.sampler == "composed" and config.data.sets[0].max_frame_gap == 12
    assert config.data.phases[0]["sampler"] == "aot"
    assert config.stages[0].train["mem_every"] == 2
    assert config.stages[0].data["sets"][0].max_frame_gap == 7
    old_names = {str(note.message).partition(" is now")[0] for note in notes}
    assert {"config.gap", "config.tta.short", "config.data.sets[0].gap"} <= old_names


def test_a_name_that_is_set_by_its_old_one_over_the_new_one_wins():
    made = {"mem_every": None, "gap": 4}
    with pytest.warns(FutureWarning):
        assert parsed(made).mem_every == 4


@pytest.mark.parametrize("gap, expected", [(3, 3), (9999, NEVER)])
def test_an_old_card_opens(workdir, gap, expected):  # noqa: F811
    config = {"model": {"slots": 4}, "gap": gap, "limit": 6}
    save_weights(
        workdir.root / "old",
        toy.fresh(jax.random.PRNGKey(0)),
        card={"family": "toynet", "config": config, "source": "", "licence": ""},
    )
    loaded = vosjax.load(workdir.root / "old")
    assert loaded.config["mem_every"] == expected and loaded.config["max_mem_frames"] == 6


def test_settings_of_a_model_open_by_their_old_names():
    config = parsed({"family": "stcn", "model": {"short_side": 320}})
    assert config.settings == {"max_short_side": 320}
    assert opened("stcn", ["model.short_side=320"]).settings["max_short_side"] == 320


def test_the_embedded_weights_have_the_card_of_the_version_before():
    assert pretrained.load().config["mem_every"] == 5


OLD_STAGE = dict(
    mode="train",
    family="stcn",
    model={"top_k": None},
    stages=[],
    train=dict(
        steps=9, memory_gap=1, gap=5, milestones=[3], scale=[["^a", 0.5]], log=dict(every=20)
    ),
    data=dict(
        stills="", frames=3, height=384, width=384, recipe="stcn", sets=[dict(folder="x", gap=4)]
    ),
)


def test_a_checkpoint_of_the_version_before_has_the_same_decisive_config():
    sets = ({"folder": "x", "max_frame_gap": 4},)
    data = dict(frames=3, height=384, width=384, sampler="stcn", sets=sets)
    train = dict(steps=9, mem_every=1, card_mem_every=7, milestones=(3,), scale=(("^a", 0.5),))
    now = parsed(dict(family="stcn", model={"top_k": None}, train=train, data=data))
    assert decisive.decisive(OLD_STAGE) == decisive.decisive(decisive.described(now))


def test_a_field_that_no_longer_exists_is_told():
    old = {**OLD_STAGE, "train": {**OLD_STAGE["train"], "magic": 3}}
    assert decisive.decisive(old)["train"]["magic"] == 3


def test_an_old_run_goes_on(workdir, capsys):  # noqa: F811
    assert workdir.segment() == 0
    path = workdir.out / "run.json"
    run = json.loads(path.read_text())
    assert run["settings"]["mem_every"] == 2
    new_names = {new: old for old, new in record.RENAMED.items() if old in ("gap", "limit", "size")}
    settings = {new_names.get(name, name): value for name, value in run["settings"].items()}
    assert settings["gap"] == 2 and settings["size"] is None
    path.write_text(json.dumps({**run, "settings": settings}))
    assert workdir.segment() == 0
    assert "is complete (10 frames)" in capsys.readouterr().out
    assert workdir.segment("--config.mem_every=3") == 2
    assert "mem_every was 2, is now 3" in capsys.readouterr().err


def test_an_old_record_s_never_is_todays(tmp_path):
    settings = {"gap": 9999, "model": {"tta": {"short": 480}, "short_side": 320}}
    (tmp_path / "run.json").write_text(json.dumps({"settings": settings, "status": "complete"}))
    assert record.read(tmp_path)["settings"] == {
        "mem_every": NEVER,
        "model": {"tta": {"max_short_side": 480}, "max_short_side": 320},
    }
