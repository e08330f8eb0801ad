"""Which of a cluster's processes this one is, as `jax.distributed` finds out."""

import os

import jax

from vosjax.errors import InputError

VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def place() -> tuple[int, int]:
    """(number of this process, count of processes).

    TPU pods, Slurm (`srun`) and Open MPI (`mpirun`) are recognized, and on GPUs each process there
    takes the one of its local rank; anywhere else the three `VARIABLES` tell. The process leaves
    the others again as soon as it knows: they share files, not arrays, and jax.distributed would
    end all of them when one is killed, or when the first is through long before the last.

    Has to be called before anything is computed, in all processes.

    Raises:
      InputError: no cluster is recognized, a variable is no number, or not all processes come.
    """
    given = {name: os.environ.get(name) for name in VARIABLES}
    _, count, number = (value and _number(name, value) for name, value in given.items())
    try:
        jax.distributed.initialize(num_processes=count, process_id=number)
        found = jax.process_index(), jax.process_count()
        jax.distributed.shutdown()
    except (ValueError, RuntimeError) as error:
        told = ", ".join(f"{name}={value}" for name, value in given.items() if value)
        raise InputError(
            f"--shard auto found no cluster ({str(error).strip().splitlines()[0]}; "
            f"{told or 'none of the variables is set'}): start all processes with srun or mpirun, "
            f"on a TPU pod, or with {', '.join(VARIABLES)}; or give each its --shard i/n"
        ) from error
    return found


def _number(name, value):
    if name != VARIABLES[0] and not value.isdecimal():
        raise InputError(f"{name} is {value!r}; a number is expected")
    return value if name == VARIABLES[0] else int(value)
