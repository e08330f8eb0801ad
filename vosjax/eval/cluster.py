"""Which of a cluster's processes this one is, as `jax.distributed` finds out."""

import os

import jax

from vosjax.errors import InputError

VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def place() -> tuple[int, int]:
    """(number of this process, count of processes).

        part, parts = place()
        mine = plan.share(videos, part, parts)

    TPU pods, Slurm (`srun`) and Open MPI (`mpirun`) are recognized, and on GPUs each process there
    takes the one of its local rank; anywhere else the three `VARIABLES` decide. The process leaves
    the others again as soon as it knows: they share files, not arrays, and jax.distributed would
    end all of them when one is killed, or when the first is done long before the last.

    It has to be called before anything is computed, in all processes.

    Raises:
        InputError: no cluster is recognized, a variable is no number, or not all processes come.
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
