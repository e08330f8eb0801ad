"""Real processes of `launch.py` for tests: started, killed at a chosen file, compared."""

import os
import pathlib
import socket
import subprocess
import sys
from typing import NamedTuple

import jax

from support import toy
from support.clips import clip
from support.command import FAMILIES, write_frames
from vosjax.checkpoints.weights import save_weights
from vosjax.io.palette import write_label_png

TOP = pathlib.Path(__file__).parents[2]
# Lines of a config: with `dies` for `os.replace`, a process is killed when it is about to give the
# file DIES_AT its place, and half of the file is on disk.
DIES = """replace = os.replace


def dies(source, target):
    if str(target).endswith(os.environ["DIES_AT"]):
        os.truncate(source, os.path.getsize(source) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
"""
# It adds the toy family.
CONFIG = '''"""A config of the toy, for processes of their own."""
import os
import signal
import sys

from vosjax import models
from vosjax.config import network

models.__path__.append({families!r})
sys.path.append({tests!r})
{dies}

def get_config():
    if "DIES_AT" in os.environ:
        os.replace = dies
    config = network("toynet", slots=2, mem_every=2)
    config.weights = {weights!r}
    config.save_every = 4
    return config
'''


class Workplace(NamedTuple):
    """root, config, data (a DAVIS folder of three videos, the longest first), environment."""

    root: pathlib.Path
    config: pathlib.Path
    data: pathlib.Path
    environment: dict

    def start(self, *arguments, **variables) -> subprocess.Popen:
        """A command, begun; its output is in one pipe."""
        return subprocess.Popen(
            [sys.executable, TOP / "launch.py", "--config", self.config, *arguments],
            env=self.environment | variables,
            cwd=TOP,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments, **variables) -> int:
        """A command's exit code, -9 where it was killed."""
        return ended(self.start(*arguments, **variables))[0]


def workplace(root) -> Workplace:
    """Writes what the commands need; programs are compiled once for all processes (conftest.py)."""
    weights, config, data = root / "weights", root / "config.py", root / "davis"
    save_weights(
        weights,
        toy.fresh(jax.random.PRNGKey(0)),
        card={
            "family": "toynet",
            "config": {"model": {"slots": 2}},
            "source": "a test",
            "licence": "none",
        },
    )
    config.write_text(
        CONFIG.format(
            dies=DIES, families=str(FAMILIES), tests=str(TOP / "tests"), weights=str(weights)
        )
    )
    for name, count in (("cow", 8), ("dog", 7), ("eel", 6)):
        frames, labels = clip(frames=count, height=32, width=48, objects=2)
        write_frames(data / "JPEGImages" / name, frames)
        for index, truth in enumerate(labels):
            write_label_png(data / "Annotations" / name / f"{index:05d}.png", truth)
    return Workplace(
        root,
        config,
        data,
        os.environ | {"JAX_PLATFORMS": "cpu"},
    )


def free_port() -> int:
    """The number of a port of this machine that nobody uses now."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def ended(process, *, within=300) -> tuple[int, str]:
    """Exit code and output of a process that ends by itself, within some seconds."""
    try:
        output, _ = process.communicate(timeout=within)
    finally:
        process.kill()
    return process.returncode, output


def made(folder, *kinds) -> dict[str, bytes]:
    """{file: content} of all that lies in some folders and files of a run, temporary ones too."""
    files = [
        path
        for kind in kinds
        for top in [folder / kind]
        for path in ([top] if top.is_file() else top.rglob("*"))
    ]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def stamps(folder) -> dict[pathlib.Path, int]:
    """When the files of every finished video were written."""
    return {
        path: path.stat().st_mtime_ns
        for record in (folder / "videos").glob("[!.]*.json")
        for path in [record, *(folder / "masks" / record.stem).iterdir()]
    }
