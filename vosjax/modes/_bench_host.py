"""The rows of `--mode bench` with `bench.wait`: whole runs beside a device that only waits."""

import contextlib
import dataclasses
import functools
import io
import pathlib
import tempfile
from collections.abc import Callable

from vosjax.bench import host
from vosjax.config import Config
from vosjax.loading import pretrained
from vosjax.modes import Options, segment


def measure(config: Config) -> tuple[dict, list[str]]:
    """Measures the host's share: returns the figures as plain data, and as lines.

        figures, lines = measure(opened("base", ["bench.wait=5"]))

    Args:
        config: its `bench` has the milliseconds of a frame, the number of rounds, and the size.
    """
    seconds, size = config.bench.wait / 1000, config.bench.sizes[0]
    frames, paces = config.bench.clip, []
    plain = dataclasses.replace(
        config, weights=config.weights or "default", overlay=False, max_mem_frames=4, profile=None
    )
    model = pretrained.single_network(plain)
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        clip = host.write_clip(root / "clip", frames=frames, size=size)
        (root / "parts").mkdir()
        spent = host.parts(clip, model, root / "parts")
        for number in range(config.bench.repeats):
            output = root / str(number)
            rounds: dict[str, Callable[[], object]] = {
                "segment, JPEGs": functools.partial(_segment, plain, clip, clip.jpegs, output),
                "segment, mp4": functools.partial(_segment, plain, clip, clip.film, output),
                "eval, JPEGs": functools.partial(host.run_dataset, clip, model, output / "eval"),
            }
            paces += [host.pace(name, seconds, clip, run) for name, run in rounds.items()]
    figures = {
        "wait_milliseconds": config.bench.wait,
        "size": list(size),
        "frames": frames,
        "parts_milliseconds": spent,
        "runs": [one._asdict() for one in paces],
    }
    return figures, host.lines(spent, paces, seconds=seconds, frames=frames)


def _segment(config: Config, clip: host.Clip, video: pathlib.Path, output: pathlib.Path) -> None:
    options = Options(video=str(video), masks=(str(clip.first),), output=str(output / video.name))
    with contextlib.redirect_stdout(io.StringIO()):
        segment.run(config, options)
