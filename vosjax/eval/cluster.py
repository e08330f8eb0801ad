"""Finds the number of this process in a cluster, by means of `jax.distributed`."""

import os

import jax

from vosjax.errors import InputError

VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def place() -> tuple[int, int]:
    """Returns the number of this process, from 0, and the number of processes.

        part, parts = place()
        mine = plan.share(videos, part, parts)

    TPU pods, Slurm (`srun`) and Open MPI (`mpirun`) are recognized; there, each process on GPUs
    takes the GPU of its local rank. Anywhere else the three `VARIABLES` decide. The process
    disconnects from the others at once: they share files, not arrays, and jax.distributed would
    end all of them if one were killed, or if the first finished long before the last.

    Call it in all processes, before anything is computed.

    Raises:
        InputError: no cluster is recognized, a variable is not a number, or a process is missing.
    """
    values = {name: os.environ.get(name) for name in VARIABLES}
    count, number = (_number(name, values[name]) for name in VARIABLES[1:])
    try:
        jax.distributed.initialize(num_processes=count, process_id=number)
        position = jax.process_index(), jax.process_count()
        jax.distributed.shutdown()
    except (ValueError, RuntimeError) as error:
        set_here = ", ".join(f"{name}={value}" for name, value in values.items() if value)
        raise InputError(
            f"--shard auto found no cluster ({str(error).strip().splitlines()[0]}; "
            f"{set_here or 'none of the variables is set'}): start all processes with srun or "
            f"mpirun, on a TPU pod, or with {', '.join(VARIABLES)}; or give each its --shard i/n"
        ) from error
    return position


def _number(name: str, value: str | None) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise InputError(f"{name} is {value!r}; a number is expected")
    return int(value)
