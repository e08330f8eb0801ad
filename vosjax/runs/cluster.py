"""Finds the other processes of a cluster, by means of `jax.distributed`."""

import os

import jax

from vosjax.errors import InputError

VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def join() -> tuple[int, int]:
    """Connects this process with the others; returns its number, from 0, and how many there are.

        number, count = join()
        len(jax.devices())      # of all processes

    TPU pods, Slurm (`srun`) and Open MPI (`mpirun`) are recognized; there, each process on GPUs
    takes the GPU of its local rank. Anywhere else the three `VARIABLES` decide. A process that
    stays connected ends with the others: jax.distributed ends all of them if one is killed.

    Call it in all processes, before anything is computed.

    Raises:
        InputError: no cluster is recognized, a variable is not a number, or a process is missing.
    """
    values = {name: os.environ.get(name) for name in VARIABLES}
    count, number = (_number(name, values[name]) for name in VARIABLES[1:])
    try:
        jax.distributed.initialize(num_processes=count, process_id=number)
        return jax.process_index(), jax.process_count()
    except (ValueError, RuntimeError) as error:
        set_here = ", ".join(f"{name}={value}" for name, value in values.items() if value)
        raise InputError(
            f"--shard auto found no cluster ({str(error).strip().splitlines()[0]}; "
            f"{set_here or 'none of the variables is set'}): start all processes with srun or "
            f"mpirun, on a TPU pod, or with {', '.join(VARIABLES)}"
        ) from error


def place() -> tuple[int, int]:
    """Returns what `join` returns, and disconnects this process from the others at once.

        part, parts = place()
        mine = plan.share(videos, part, parts)

    Processes that share files and no arrays may then be killed, or be through, one by one.

    Raises:
        InputError: as for `join`.
    """
    try:
        position = join()
        jax.distributed.shutdown()
    except InputError as error:
        raise InputError(f"{error}; or give each its --shard i/n") from error
    except RuntimeError as error:
        raise InputError(
            f"--shard auto: the processes lost each other ({str(error).strip().splitlines()[0]}): "
            "start all of them again, or give each its --shard i/n"
        ) from error
    return position


def _number(name: str, value: str | None) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise InputError(f"{name} is {value!r}; a number is expected")
    return int(value)
