"""One training on one device, on four, and in two processes with two each: the same numbers."""

import csv

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec
from support import small, trainer
from support.pixelwise import write_sets
from support.processes import ended, free_port

from vosjax.errors import InputError
from vosjax.modes import Options
from vosjax.modes import train as train_mode
from vosjax.runs import cluster
from vosjax.train import build, device
from vosjax.train.config import TrainConfig

EQUAL = 1e-5
TEN = {"steps": 10}
ALONE = {"plain": {"train": TEN}}
FOUR = {
    "plain": {"train": TEN},
    "sharded": {"train": TEN | {"sharded": 4}},
    "accumulated": {"train": TEN | {"accumulate": 2}},
}
LOGGED = {"every": 1, "validate": 10, "pictures": 10}
PAIR = {
    "plain": {"train": TEN | {"log": LOGGED}},
    "stopped": {"train": TEN | {"sharded": 2}, "stop": 1},
    "resumed": {"train": TEN | {"sharded": 4}, "output": "stopped"},
    "unlike": {"train": TEN, "unlike": 1, "refused": True},
    "in a file": {"train": TEN, "output": "plain/metrics.csv", "refused": True},
}


def cluster_of_two(runs, folder, cache):
    """Starts two processes with two devices each."""
    shared = dict(
        JAX_COORDINATOR_ADDRESS=f"localhost:{free_port()}",
        JAX_NUM_PROCESSES="2",
    )
    return [
        trainer.begin(runs, folder, devices=2, cache=cache, JAX_PROCESS_ID=str(number), **shared)
        for number in range(2)
    ]


def with_patches(root, runs):
    """Adds the training of a refinement network, whose batch norms see the whole batch."""
    sets = str(write_sets(root / "sets"))
    return runs | {"patches": {"root": sets, "patches": ["train.lr=0.01", "train.log.every=1"]}}


def trained(root, *kinds):
    """{kind: {run: arrays}} of runs on one device, on four, and in two processes with two each."""
    cache = root / "cache"
    outcome = {}
    for kind, runs in kinds:
        folder = root / kind
        folder.mkdir()
        begun = (
            cluster_of_two(runs, folder, cache)
            if kind == "pair"
            else [trainer.begin(runs, folder, devices={"one": 1, "four": 4}[kind], cache=cache)]
        )
        for code, output in [ended(process, within=1800) for process in begun]:
            assert code == 0, output
        outcome[kind] = {name: arrays(folder, name, run) for name, run in runs.items()}
    return outcome


def arrays(folder, name, run):
    if run.get("refused"):
        return [path.read_text() for path in sorted(folder.glob(f"{name}.?"))]
    with np.load(folder / f"{name}.npz") as stored:
        found = dict(stored)
    with open(folder / run.get("output", name) / "metrics.csv", newline="") as file:
        found["losses"] = np.array([float(row["loss"]) for row in csv.DictReader(file)])
    return found


def same(one, other):
    """Compares losses and weights."""
    names = [name for name in one if name == "losses" or "/" in name]
    assert "losses" in names and len(names) > 2
    for name in names:
        np.testing.assert_allclose(one[name], other[name], atol=EQUAL, rtol=0, err_msg=name)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("sharded")


@pytest.fixture(scope="module")
def runs(root):
    kinds = ("one", ALONE), ("four", FOUR), ("pair", PAIR)
    return trained(root, *((kind, with_patches(root, runs)) for kind, runs in kinds))


@pytest.mark.parametrize("kind", ["four", "pair"])
def test_ten_steps_are_the_same_however_many_devices_and_processes(runs, kind):
    alone, shared = runs["one"]["plain"], runs[kind]["plain"]
    assert int(alone["devices"]) == 1 and int(shared["devices"]) == 4
    assert len(shared["losses"]) == 10
    same(alone, shared)


@pytest.mark.parametrize("kind", ["four", "pair"])
def test_batch_norms_see_the_patches_of_all_devices(runs, kind):
    alone, shared = runs["one"]["patches"], runs[kind]["patches"]
    assert {"weights/bn/mean", "weights/bn/var"} < set(alone)
    same(alone, shared)


def test_distributed_weights_train_as_copies_do_in_less_memory(runs):
    copies, parts = runs["four"]["plain"], runs["four"]["sharded"]
    same(copies, parts)
    assert int(copies["held"]) == int(copies["whole"])
    assert int(parts["held"]) < 0.3 * int(parts["whole"])


def test_a_batch_in_parts_trains_as_the_whole_batch_does(runs):
    same(runs["four"]["plain"], runs["four"]["accumulated"])


def test_a_signal_to_one_process_stops_all_in_the_same_step(runs):
    stopped = runs["pair"]["stopped"]
    assert not stopped["complete"] and 3 < int(stopped["step"]) < 10


def test_a_checkpoint_goes_on_with_weights_distributed_otherwise(runs):
    resumed = runs["pair"]["resumed"]
    assert resumed["complete"] and int(resumed["step"]) == 10
    same(resumed, runs["pair"]["plain"])


def test_processes_with_different_configs_are_refused(runs):
    one, other = runs["pair"]["unlike"]
    assert one == other and "have different configs: start all with the same command" in one


def test_what_one_process_is_refused_all_are(runs):
    one, other = runs["pair"]["in a file"]
    assert one == other and "metrics.csv cannot be made" in one


def test_one_of_the_processes_writes(runs, root):
    with open(root / "pair/plain/metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == [*map(str, range(1, 11))]
    assert 0 < float(rows[-1]["validation_j"]) <= 1
    assert (root / "pair/plain/weights/card.json").is_file()


@pytest.mark.parametrize(
    "shape, spec",
    [
        ((3, 3, 64, 128), (None, None, None, "model")),
        ((256, 130), ("model",)),  # the longest side that is a multiple of 4
        ((7, 333), ()),
        ((512,), ()),  # too small to be worth an exchange
    ],
)
def test_an_array_is_distributed_along_its_longest_side(shape, spec):
    mesh = AbstractMesh((1, 4), ("data", "model"))
    over = device.Shardings(*[NamedSharding(mesh, PartitionSpec())] * 2)
    lies = device.of_state(jax.ShapeDtypeStruct(shape, "float32"), over)
    assert lies.spec == PartitionSpec(*spec)


@pytest.mark.parametrize(
    "changes, said",
    [
        (dict(batch=6), "train.batch is 6, .* by 4 devices: give a multiple of 4"),
        (dict(batch=4, accumulate=2), "by 4 devices in 2 parts .*: give a multiple of 8"),
        (dict(batch=4, sharded=3), "train.sharded is 3: .* number of devices, 4"),
    ],
)
def test_what_devices_cannot_share_is_refused(monkeypatch, changes, said):
    monkeypatch.setattr(jax, "devices", lambda: [None] * 4)
    with pytest.raises(InputError, match=said):
        build.divides(TrainConfig(**changes))


def test_a_training_takes_no_share_of_its_own(tmp_path):
    with pytest.raises(InputError, match="--shard is '0/2': .* --shard auto; only --mode eval"):
        train_mode.run(small.config(), Options(output=str(tmp_path), shard="0/2"))


def test_without_a_cluster_the_message_says_how_to_start_one(tmp_path, monkeypatch):
    for name in cluster.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cluster.jax.distributed, "initialize", refuse)
    with pytest.raises(InputError, match="--shard auto found no cluster .* srun or mpirun"):
        train_mode.run(small.config(), Options(output=str(tmp_path), shard="auto"))


def refuse(**given):
    raise ValueError("coordinator_address should be defined.")
