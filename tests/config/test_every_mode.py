"""Every config in every mode: it starts to work, or one line says what it lacks."""

import ast
import dataclasses
import functools
import importlib
import inspect
import sys

import pytest

from vosjax import checkpoints, config, modes
from vosjax.bench import training
from vosjax.errors import InputError
from vosjax.loading import pretrained
from vosjax.modes import Options, quickstart

WORK = {  # where a mode begins to compute
    "absence": ("vosjax.eval.absence", "table"),
    "bench": ("vosjax.modes.bench", "network"),
    "convert": ("vosjax.modes.convert", "read_pth"),
    "eval": ("vosjax.eval.dataset", "run"),
    "export": ("vosjax.train.export", "from_checkpoint"),
    "export-masks": ("vosjax.modes.export_masks", "write"),
    "export-step": ("vosjax.modes.export_step", "portable_step"),
    "fuse": ("vosjax.eval.fusion", "fuse_sequence"),
    "patches": ("vosjax.train.patches", "make"),
    "plan": ("vosjax.bench.plan", "planned"),
    "prepare": ("data_prep.shards", "prepare"),
    "preview": ("vosjax.data.pipeline", "clips"),
    "quickstart": ("vosjax.modes.segment", "carry_out"),
    "refine": ("vosjax.refine.refiner", "load_network"),
    "render": ("vosjax.eval.rendered_set", "write"),
    "report": ("vosjax.eval.report", "load"),
    "segment": ("vosjax.modes.segment", "carry_out"),
    "serve": ("vosjax.server.run", "serve"),
    "studio": ("vosjax.modes.studio", "Project"),
    "summary": ("vosjax.modes.summary", "shapes"),
    "train": ("vosjax.train.beforehand", "check"),
    "unpack": ("vosjax.datasets.unpack", "unpack"),
}


NAMES = {field.name for field in dataclasses.fields(config.Config)}


class Reached(Exception):
    """The work would begin here."""


def reached(*arguments, **options):
    raise Reached


class Watched(config.Config):
    """A config that notes which of its fields are read, while `read` is a set."""

    read = None

    def __getattribute__(self, name):
        reader = sys._getframe(1).f_code
        itself = reader.co_name == "__post_init__" or reader.co_filename == dataclasses.__file__
        if name in NAMES and Watched.read is not None and not itself:
            Watched.read.add(name)
        return super().__getattribute__(name)


@pytest.fixture
def watched(monkeypatch):
    """Makes a config one that is watched; gives it and the set of the fields that are read."""

    def watch(made):
        monkeypatch.setattr(Watched, "read", None)
        made = Watched(**{name: getattr(made, name) for name in NAMES})
        monkeypatch.setattr(Watched, "read", set())
        return made, Watched.read

    return watch


@pytest.fixture(scope="module", autouse=True)
def cached():
    """The embedded weights are read once, and one short clip is rendered."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(checkpoints.weights.load_weights)
        patch.setattr(pretrained, "load_weights", read)
        clip = quickstart.sample_clip()
        short = {name: clip[name][:2] for name in ("frames", "labels")}
        patch.setattr(quickstart, "sample_clip", lambda: short)
        yield


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Flags that fit whatever is asked: a clip, a data set, a run, a folder of downloads."""
    from support.results_folder import dataset, run

    root = tmp_path_factory.mktemp("modes")
    data = dataset(root / "davis", (("cow", 3),))
    (data / "ImageSets" / "2017").mkdir(parents=True)
    (data / "ImageSets" / "2017" / "val.txt").write_text("cow\n")
    (root / "davis_all_frames").symlink_to(data)
    for name in ("DAVIS", "ovis"):
        (data / name).mkdir()
    return functools.partial(
        Options,
        video=str(data / "JPEGImages" / "cow"),
        masks=(str(data / "Annotations" / "cow" / "00000.png"),),
        data=str(data),
        format="coco",
        inputs=(str(run(data, root / "run")),),
        port="0",
    )


def expected(mode, made) -> bool:
    """Whether a config has what a mode needs."""
    if mode in ("train", "export", "plan"):
        return made.train is not None
    if mode == "preview":
        return made.data is not None
    if mode == "render":  # photos lie where the user says, and no config knows where
        return made.render.source == "rendered"
    if mode == "summary":  # of networks that track
        return made.family not in ("bpr", "dimp", "interactive")
    if mode == "prepare":
        return bool(made.datasets)
    if mode == "convert":
        return bool(made.family)
    network = bool(made.weights) and not made.members
    if mode == "refine":
        return network if made.refine.zoom else bool(made.refine.boundary)
    if mode == "fuse":  # which has masks already: a network is for the crops of small objects
        return network or not made.refine.zoom
    if mode in ("segment", "eval", "export-step", "quickstart", "serve", "studio"):
        return network
    return True


@pytest.mark.parametrize("mode", modes.names())
@pytest.mark.parametrize("name", config.names())
def test_a_config_works_in_a_mode_or_says_what_it_lacks(
    name, mode, options, watched, tmp_path, monkeypatch
):
    module, function = WORK[mode]
    monkeypatch.setattr(importlib.import_module(module), function, reached)
    monkeypatch.setattr(training, "measure", reached)
    made, out = config.opened(name), tmp_path / "out"
    if made.train is not None:  # which JAX would have to be told before the first array
        made = config.opened(name, ["train.cpu_devices=0"])
    flags = options(output=str(out.with_suffix(".html") if mode == "report" else out))
    made, read = watched(made)
    with pytest.raises((Reached, InputError)) as outcome:
        importlib.import_module(modes.module(mode)).run(made, flags)
    assert read <= modes.described(mode).reads  # so that a note can tell of what it does not use
    assert outcome.type is (Reached if expected(mode, made) else InputError), outcome.value
    if outcome.type is InputError:
        assert "\n" not in str(outcome.value) and len(str(outcome.value)) > 20


def test_every_mode_is_looked_at():
    assert set(WORK) == set(modes.names())


@pytest.mark.parametrize("mode", modes.names())
def test_a_mode_s_file_tells_what_its_help_says(mode):
    described = modes.described(mode)
    module = importlib.import_module(modes.module(mode))
    assert (described.flags, described.fields) == (module.FLAGS, module.FIELDS)
    assert described.also == getattr(module, "ALSO", ())
    assert described.doc == module.__doc__.strip() and described.doc.startswith(f"`--mode {mode}`")


def named_in(file):
    """The fields that a module names as `config.FIELD`."""
    tree = ast.parse(inspect.getsource(importlib.import_module(file)))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {node.attr for node in attributes if ast.unparse(node.value).endswith("config")} & NAMES


@pytest.mark.parametrize("mode", modes.names())
def test_a_mode_s_file_lists_every_field_that_it_names(mode):
    """What is read behind the place where the work begins, too."""
    files = {modes.module(mode)} | ({WORK[mode][0]} if mode in ("export", "train") else set())
    assert set().union(*map(named_in, files)) <= modes.described(mode).reads <= NAMES


def test_reading_a_field_is_noticed(watched):
    made, read = watched(config.Config())
    assert made.mem_every is None and made.eval.batch is None
    assert read == {"mem_every", "eval"}
