"""The devices of a machine that is not there, and a program compiled for them."""

import importlib
import importlib.metadata
import os
import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from vosjax.ahead import hlo, traffic
from vosjax.ahead.targets import Target
from vosjax.errors import InputError, shown

# What the TPU's compiler asks its surroundings about a machine that it is not on; and it may be
# loaded while another process has loaded it.
_NO_MACHINE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class DoesNotFit(InputError):
    """A program needs more memory than a device has."""


class Measured(NamedTuple):
    """What a compiled program needs on each device, in bytes, and what it does.

    arguments    of its arguments
    outputs      of its results, those in place of arguments included
    aliased      of the results that take the place of arguments
    temporaries  of what it keeps meanwhile
    code         of the program itself
    traffic      its operations and bytes
    seconds      how long compiling took
    """

    arguments: int
    outputs: int
    aliased: int
    temporaries: int
    code: int
    traffic: traffic.Traffic
    seconds: float

    @property
    def memory(self) -> int:
        """Bytes that are taken while it runs."""
        return self.arguments + self.outputs - self.aliased + self.temporaries + self.code


def devices(target: Target) -> list[Any]:
    """Returns the devices of a machine, for shardings of what is compiled for it.

        devices(targets.parsed("v5e:2x2"))      # four devices that compile but do not compute

    TPUs are described by their own compiler, the package `libtpu` (or the file that
    TPU_LIBRARY_PATH names), with no TPU in the machine. Of GPUs there is no such description: as
    many CPU devices stand in for them, so that a program is divided in the same way.

    Args:
        target: the machine.

    Raises:
        InputError: there is no compiler of TPU programs here, it knows no such slice, or the
            process has begun with fewer CPU devices.
    """
    if target.chip.platform == "tpu":
        return list(_slice(target))
    try:
        jax.config.update("jax_num_cpu_devices", target.devices)
    except RuntimeError:  # JAX has found its devices already
        pass
    stand_ins = jax.devices("cpu")
    if len(stand_ins) < target.devices:
        raise InputError(
            f"the target {target.name} needs {target.devices} simulated devices, and this process "
            f"has begun with {len(stand_ins)}: start it anew"
        )
    return stand_ins[: target.devices]


def measured(program: Any, *arguments: Any) -> Measured:
    """Compiles a function for the devices of its arguments, and measures the program.

        device = devices(targets.parsed("v5e"))[0]
        measured(jax.jit(f), on(device, jax.ShapeDtypeStruct((8, 8), "float32"))).temporaries

    Args:
        program: a jitted function.
        *arguments: pytrees of `jax.ShapeDtypeStruct` with shardings, see `on`.

    Raises:
        DoesNotFit: the compiler says that the program needs more memory than a device has.
    """
    return measured_lowering(program.lower(*arguments))


def measured_lowering(lowered: jax.stages.Lowered) -> Measured:
    """Compiles a function that was lowered for a device, and measures the program.

        measured_lowering(jax.jit(f).lower(*on(device, shapes))).traffic.bytes

    Args:
        lowered: the function, lowered with arguments that lie on the devices.

    Raises:
        DoesNotFit: as for `measured`.
    """
    begin = time.monotonic()
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            raise DoesNotFit(_used(str(error))) from error
        raise
    sizes: Any = compiled.memory_analysis()
    text: Any = compiled.as_text()
    return Measured(
        sizes.argument_size_in_bytes,
        sizes.output_size_in_bytes,
        sizes.alias_size_in_bytes,
        sizes.temp_size_in_bytes,
        sizes.generated_code_size_in_bytes,
        traffic.counted(hlo.parsed(text)),
        time.monotonic() - begin,
    )


def on(place: Any, tree: Any) -> Any:
    """Returns the shapes of a pytree as arguments that lie on a device, or by a sharding.

        on(devices(target)[0], {"frame": jax.ShapeDtypeStruct((480, 854, 3), "uint8")})

    Args:
        place: a device, or a sharding.
        tree: pytree of arrays, or of anything else with a shape and a dtype.
    """
    sharding = place if isinstance(place, jax.sharding.Sharding) else SingleDeviceSharding(place)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
    )


def described(target: Target) -> str:
    """Says in words what compiles for a machine, and how far it can be trusted.

    described(targets.parsed("h100:8"))
    """
    if target.chip.platform == "tpu":
        try:
            version = importlib.metadata.version("libtpu")
        except importlib.metadata.PackageNotFoundError:
            version = "of TPU_LIBRARY_PATH"
        return f"compiled by the TPU's own compiler (libtpu {version}), without a TPU"
    return (
        f"no {target.kind.upper()} compiler: {target.devices} simulated CPU devices; operations by "
        "our own count, bytes and temporaries those of the CPU's program"
    )


def _slice(target: Target) -> Sequence[Any]:
    for name, value in _NO_MACHINE.items():
        os.environ.setdefault(name, value)
    if "TPU_LIBRARY_PATH" not in os.environ:
        try:
            library = importlib.import_module("libtpu")
        except ModuleNotFoundError:
            raise InputError(
                f"the target {target.name} needs the compiler of TPU programs, which runs without "
                "a TPU: pip install 'vosjax[tpu]', or name its file by TPU_LIBRARY_PATH"
            ) from None
        os.environ["TPU_LIBRARY_PATH"] = library.get_library_path()
    host = [min(2, side) for side in target.shape[:2]]  # chips of one machine along each axis
    words: dict[str, Any] = {"chips_per_host_bounds": [*host, 1]}
    if target.kind == "v4":
        words["chip_config_name"] = "megacore"  # both cores of a chip are one device
    try:
        described = topologies.get_topology_desc(platform="tpu", topology_name=target.name, **words)
    except Exception as error:  # the compiler's own kinds differ between its versions
        raise InputError(
            f"the compiler of TPU programs does not take the target {target.name}: {shown(error)}"
        ) from error
    return described.devices


def _used(message: str) -> str:
    """Returns the compiler's word on memory in short."""
    found = re.search(r"\(([\d.]+[KMGT])\) exceeds available HBM \(([\d.]+[KMGT])\)", message)
    if found is None:
        return shown(message.splitlines()[0])
    return f"it needs {found[1]}iB, and a device has {found[2]}iB"
