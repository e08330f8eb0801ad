"""Overrides on the command line: every field by its name, parsed by its type."""

import pytest

from vosjax import config
from vosjax.errors import InputError
from vosjax.schema import NEVER


def opened(*overrides, asked="base"):
    return config.opened(asked, overrides)


@pytest.mark.parametrize(
    "override, read",
    [
        ("mem_every=3", lambda c: c.mem_every == 3),
        ("mem_every=None", lambda c: c.mem_every is None),
        ("weights=", lambda c: c.weights == ""),
        ("weights=a=b", lambda c: c.weights == "a=b"),
        ("overlay=false", lambda c: c.overlay is False),
        ("tta.scales=(1.2, 1.3)", lambda c: c.tta.scales == (1.2, 1.3)),
        ("tta.scales=1.2,1", lambda c: c.tta.scales == (1.2, 1.0)),
        ("tta.scales=2", lambda c: c.tta.scales == (2.0,)),
        ("bench.models=aot:t,stcn", lambda c: c.bench.models == ("aot:t", "stcn")),
        ("bench.models=('aot:t',)", lambda c: c.bench.models == ("aot:t",)),
        ("bench.sizes=((48, 64), (96, 128))", lambda c: c.bench.sizes[1] == (96, 128)),
        ("bench.top_k=()", lambda c: c.bench.top_k == ()),
        ("eval.split=val", lambda c: c.eval.split == "val"),
        ("eval.seen=('cow', 'dog')", lambda c: c.eval.seen == ("cow", "dog")),
        ("eval.seen=ytvos/train", lambda c: c.eval.seen == "ytvos/train"),
        ("top_k=20", lambda c: c.settings == {"top_k": 20}),
        ("model.max_long_side=600", lambda c: c.model == {"max_long_side": 600}),
        ("datasets=({'name': 'ovis', 'source': 'x'},)", lambda c: c.datasets[0].name == "ovis"),
    ],
)
def test_a_text_is_read_by_the_type_of_its_field(override, read):
    assert read(opened(override))


@pytest.mark.parametrize(
    "override, read",
    [
        ("train.lr=1e-4", lambda c: c.train.lr == 1e-4),
        ("train.log.every=7", lambda c: c.train.log.every == 7),
        ("train.scale=(('^a', 0.1),)", lambda c: c.train.scale == (("^a", 0.1),)),
        ("data.crowd=0.5", lambda c: c.data.crowd == 0.5),
        ("data.shuffle=False", lambda c: not c.data.shuffle),
        ("data.sets[1].weight=2", lambda c: c.data.sets[1].weight == 2.0),
        ("data.phases[0].plain=False", lambda c: c.data.phases[0]["plain"] is False),
        ("data.phases[0].start=9", lambda c: c.data.phases[0]["start"] == 9),
        ("data.stills_settings.zoom=(1, 2)", lambda c: c.data.stills_settings.zoom == (1.0, 2.0)),
        (
            "data.rendered_settings.scene.motion.speed=0.3",
            lambda c: c.data.rendered_settings.scene.motion.speed == 0.3,
        ),
        ("model.layers=2", lambda c: c.model["layers"] == 2),
        ("model.top_k=None", lambda c: c.model["top_k"] is None),
    ],
)
def test_every_field_of_a_training_has_a_flag(override, read):
    assert read(opened(override, asked="data_youtube_vos"))


def test_stages_and_members_have_flags_too():
    config = opened("stages[1].train.steps=9", "stages[0].data.skip=2", asked="train_stcn")
    assert config.stages[1].train["steps"] == 9 and config.stages[0].data["skip"] == 2
    members = opened(
        "members.stcn.weights=w", "members.stcn.model.top_k=5", asked="ensemble"
    ).members
    assert members["stcn"].weights == "w" and members["stcn"].settings["top_k"] == 5
    member = opened("members.aot.family=", "members.aot.weights=default", asked="ensemble").members
    assert member["aot"].family == "" and member["aot"].weights == "default"


def test_a_family_decides_which_settings_there_are_whatever_the_order():
    assert opened("model.last_frame=True", "family=stcn").model == {"last_frame": True}


@pytest.mark.parametrize(
    "override, asked, said",
    [
        ("mem_every=0", "base", "config.mem_every is 0; at least 1 is expected"),
        ("mem_every=2.5", "base", "config.mem_every is '2.5'; a whole number or None is expected"),
        ("overlay=perhaps", "base", "config.overlay is 'perhaps'; True or False is expected"),
        ("tta.scales=(1.2", "base", "config.tta.scales is '.1.2'; a tuple is expected"),
        ("tta.scales=a", "base", "config.tta.scales is 'a'; a number is expected"),
        ("tta=3", "base", "config.tta is 3; a dict is expected"),
        ("tta.scale=3", "base", "config.tta has no field 'scale' .did you mean 'scales'"),
        ("dtype=float8", "base", "config.dtype is 'float8'; there are float32, bfloat16"),
        ("train.lr=3", "base", "config.train.lr was given, and this config has no training"),
        ("train.lr=inf", "train_rendered", "config.train.lr is inf; a finite number is expected"),
        ("train.lr=-1", "train_rendered", "config.train.lr is -1.0; at least 0 is expected"),
        ("train.warmup=2", "train_rendered", "at least 0 and at most 1 is expected"),
        ("train.optimizer=sgd", "train_rendered", "there are adam, adamw"),
        ("train.held=(", "train_rendered", "config.train.held is '.'; a regular expression"),
        ("data.max_objects=0", "train_rendered", "config.data.max_objects is 0; at least 1"),
        ("data.sets[5].weight=1", "data_youtube_vos", "config.data.sets has no 5; there are: 0, 1"),
        ("members.aott.weights=w", "ensemble", "config.members has no 'aott'; there are: aot"),
        ("model.layer=1", "aot:t", "config.model has no field 'layer' .did you mean 'layers'"),
        ("model.layers=x", "aot:t", "config.model.layers is 'x'; a whole number is expected"),
        ("family=atto", "aot:t", "unknown family 'atto'; there are: aost, aot"),
    ],
)
def test_what_does_not_fit_is_one_line_that_says_what_does(override, asked, said):
    with pytest.raises(InputError, match=said) as error:
        overrides = [override, "model.layers=1"] if override == "family=atto" else [override]
        opened(*overrides, asked=asked)
    assert "\n" not in str(error.value)


def test_names_of_the_version_before_are_taken_with_a_note():
    for override, said in (
        ("gap=3", "config.gap is now called config.mem_every"),
        ("limit=3", "config.limit is now called config.max_mem_frames"),
        ("size=3", "config.size is now called config.max_short_side"),
        ("tta.short=3", "config.tta.short is now called config.tta.max_short_side"),
    ):
        with pytest.warns(FutureWarning, match=said):
            config = opened(override)
        field = said.rpartition("config.")[2]
        value = config.tta.max_short_side if "tta" in field else getattr(config, field)
        assert value == 3


def test_never_had_another_number_before():
    with pytest.warns(FutureWarning):
        assert opened("gap=9999").mem_every == NEVER
    with pytest.warns(FutureWarning):
        assert opened("train.memory_gap=9999", asked="train_stcn").train.mem_every == NEVER
    with pytest.warns(FutureWarning):
        assert opened("train.gap=5", asked="train_stcn").train.card_mem_every == 5
