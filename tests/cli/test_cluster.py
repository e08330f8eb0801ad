"""`--shard auto`: processes that find each other by `jax.distributed` share one dataset run."""

import json
import time

import pytest
from support.processes import ended, free_port, made, stamps, workplace

from vosjax.errors import InputError
from vosjax.runs import cluster

KINDS = ("masks", "scores", "submission.zip")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return workplace(tmp_path_factory.mktemp("cluster"))


def start(workdir, out, *arguments, **variables):
    return workdir.start(
        "--mode", "eval", "--data", workdir.data, "--output", out, *arguments, **variables
    )


def pair(workdir, out):
    """Two processes that know each other's coordinator at a free port."""
    address = f"localhost:{free_port()}"
    return [
        start(
            workdir,
            out,
            "--shard",
            "auto",
            JAX_COORDINATOR_ADDRESS=address,
            JAX_NUM_PROCESSES="2",
            JAX_PROCESS_ID=str(number),
        )
        for number in range(2)
    ]


def results(folder):
    found = json.loads((folder / "results.json").read_text())
    return {name: value for name, value in found.items() if name != "speed"}


def test_two_processes_make_what_one_makes_and_outlive_each_other(workdir):
    whole, shared = workdir.root / "whole", workdir.root / "shared"
    assert ended(start(workdir, whole))[0] == 0

    victim, other = pair(workdir, shared)
    while victim.poll() is None and other.poll() is None and not stamps(shared):
        time.sleep(0.005)
    victim.kill()
    victim.communicate()
    code, output = ended(other)
    assert code == 0, output  # whatever befell the victim
    finished = stamps(shared)
    assert finished

    told = [ended(process) for process in pair(workdir, shared)]
    assert [code for code, _ in told] == [0, 0], told
    assert finished.items() <= stamps(shared).items()  # nothing finished was written again
    assert made(shared, *KINDS) == made(whole, *KINDS) and results(shared) == results(whole)


def test_without_a_cluster_the_message_says_how_to_start_one(monkeypatch):
    for name in cluster.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cluster.jax.distributed, "initialize", refuse)
    with pytest.raises(InputError, match="srun or mpirun.*JAX_PROCESS_ID.*--shard i/n"):
        cluster.place()


def refuse(**given):
    raise ValueError("coordinator_address should be defined.")


def test_a_variable_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("JAX_NUM_PROCESSES", "two")
    with pytest.raises(InputError, match="JAX_NUM_PROCESSES is 'two'"):
        cluster.place()
