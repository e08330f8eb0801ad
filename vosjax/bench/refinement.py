"""Measures what each stage of refinement is worth: a dataset without any, with each, and with all.

    python -m vosjax.bench.refinement --data DAVIS --set eval.split=val \\
        --set refine.boundary=weights/bpr_w18 --set refine.zoom=mask [--output runs/stages]

Without `refine.boundary` and `refine.zoom` among the settings, the zoom alone is measured, with
boxes that follow the masks. `--output` keeps the runs of the ways, as `--mode eval`
leaves them: `--mode report` compares them, and the same command goes on where it was stopped.

All videos are run and scored once in each way, which compiles everything. Then the ways take turns,
`--rounds` times, over the first `--timed` videos, so that other load falls on all of them alike;
reading frames and writing masks are part of their times. Ratios are those of the same round.
"""

import argparse
import dataclasses
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax

from vosjax.config import Config, opened
from vosjax.errors import InputError
from vosjax.eval import areas, audit, dataset, refining, results, source
from vosjax.eval import folder as run_folder
from vosjax.eval.engine import Engine
from vosjax.eval.videos import EvalVideo
from vosjax.io import lock
from vosjax.io.door import Parser, count, guarded
from vosjax.io.names import some
from vosjax.io.terminal import say
from vosjax.loading import ensembles
from vosjax.loading.ensembles import Part
from vosjax.loading.pretrained import Loaded
from vosjax.refine.config import RefineConfig
from vosjax.refine.offline import Stages
from vosjax.refine.refiner import load_refiner
from vosjax.runs import machine, record
from vosjax.tracking.zoomer import MASK, load_zoomer

COLUMNS = ("J-Mean", "F-Mean")


class Combination(NamedTuple):
    """One way to run a dataset.

    engine  segments
    slots   number of slots of its network; None if it takes any number of objects
    stages  refine its masks
    """

    engine: Engine
    slots: int | None
    stages: Stages

    def run(
        self, folder: pathlib.Path, videos: Sequence[EvalVideo], memory: dataset.Memory, year: int
    ) -> None:
        """Runs the videos that are not complete in a folder, and refines their masks.

        Raises:
            InputError: a video cannot be run.
        """
        setup = dataset.RunConfig(folder, memory, batch=1, year=year)
        dataset.run(videos, [self.engine], setup, slots=self.slots, stop=[])
        failed = {video.name for video in videos} & set(run_folder.failures(folder))
        if failed:
            name = min(failed)
            raise InputError(f"{name} cannot be run: {run_folder.failures(folder)[name]}")
        if self.stages.zoomer is not None:
            for video in videos:
                refining.refine_in_place(folder, video, self.stages)


def ways(config: Config, model: Loaded) -> dict[str, Combination]:
    """Makes the ways that a config's stages allow: none, boundary, zoom, both.

        for name, way in ways(config, ensembles.composed_network(config)).items(): ...

    Args:
        config: its `refine` names the stages.
        model: the network that segments.

    Raises:
        InputError: there are no such weights.
    """
    refiner, zoomer = load_refiner(config.refine), load_zoomer(config.refine, model)
    stages = {
        "none": Stages(),
        "boundary": Stages(None, refiner),
        "zoom": Stages(zoomer, None),
        "both": Stages(zoomer, refiner),
    }
    asked = {"none": True, "boundary": refiner, "zoom": zoomer, "both": refiner and zoomer}
    vos = model.model.vos
    plain, refined = (
        Engine([Part(vos, model.params, 0)], max_short_side=config.max_short_side, refiner=online)
        for online in (None, refiner)
    )
    return {
        name: Combination(refined if own.online else plain, vos.slots, own)
        for name, own in stages.items()
        if asked[name]
    }


def scores(
    data: str, ways: Mapping[str, Combination], config: Config, model: Loaded, folder: pathlib.Path
) -> dict[str, dict[str, Any]]:
    """Runs and scores a dataset in all ways, each in a folder of its own.

        table = scores("DAVIS", ways(config, model), config, model, pathlib.Path("runs/stages"))
        table["zoom"]["areas"]["small"]["J-Mean"]       # 0..1

    Args:
        data: a dataset's folder or name.
        ways: of `ways`.
        config: settings of network, evaluation and refinement.
        model: the network that segments.
        folder: gets the folders of the ways; those that are there are continued.

    Returns:
        {way: content of its results.json}.

    Raises:
        InputError: a video cannot be run, or a folder holds a run of other settings.
    """
    year, memory = config.eval.year, dataset.memory_of(config, model)
    videos, rules = source.discover(data, config.eval), results.scoring_rules(data, config.eval)
    table = {}
    for name, way in ways.items():
        settings = dataset.settings_of(
            config, model, data=data, videos=len(videos), stages=way.stages
        )
        out, names = folder / name, {"names": [video.name for video in videos]}
        frames = sum(len(video.frames) for video in videos)
        record.resume(out, settings)
        with lock.locked(out / lock.NAME, what=out):
            record.write(out, settings, status="running", frames=0, facts=names)
            audit.audit(out, videos, lambda video: audit.inputs(video, year=year))
            way.run(out, videos, memory, year)
            facts = {"weights": model.card, "options": vars(config.eval)}
            table[name] = results.write(out, videos, rules, settings=settings, facts=facts)
            record.write(out, settings, status="complete", frames=frames, facts=names)
    return table


def times(
    ways: Mapping[str, Combination],
    videos: Sequence[EvalVideo],
    memory: dataset.Memory,
    *,
    rounds: int,
    year: int = 2017,
) -> dict[str, list[float]]:
    """Times all ways in turns.

        seconds = times(ways(config, model), videos, dataset.memory_of(config, model), rounds=3)

    Args:
        ways: of `ways`; the first round, which compiles, is not counted.
        videos: are run in every round.
        memory: which frames are remembered.
        rounds: number of rounds.
        year: year of DAVIS, see `videos.read_given`.

    Returns:
        {way: seconds a frame in each round}.
    """
    frames = sum(len(video.frames) for video in videos)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(prefix="vosjax-") as scratch:
                start = time.perf_counter()
                way.run(pathlib.Path(scratch), videos, memory, year)
                seconds[name].append((time.perf_counter() - start) / frames)
    return {name: values[1:] for name, values in seconds.items()}


def lines(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Puts J and F of all ways in a table, over all objects and by their areas.

        say(*lines(scores("DAVIS", ways(config, model), config, model, folder)))

    Args:
        table: of `scores`.
    """
    bins = {name: result.get("areas", {}) for name, result in table.items()}
    words = areas.worded(bins["none"])
    rows = {"all objects": {name: result["global"] or {} for name, result in table.items()}}
    rows |= {
        text: {name: bins[name].get(size, {}) for name in table} for size, text in words.items()
    }
    width = 2 + max(map(len, rows))
    head = " " * width + "".join(f"{f'{name} J':>12}{'F':>7}" for name in table)
    return [head] + [
        f"{text:<{width}}"
        + "".join(
            _percent(row[name].get(column), places)
            for name in table
            for column, places in zip(COLUMNS, (12, 7))
        )
        for text, row in rows.items()
    ]


def _percent(value: float | None, places: int) -> str:
    return f"{'-' if value is None else f'{100 * value:.1f}':>{places}}"


def speeds(seconds: Mapping[str, Sequence[float]]) -> list[str]:
    """Puts the time of a frame in each way, and its ratio to that of the first way, in lines.

        say(*speeds({"none": [0.20, 0.22], "boundary": [0.31, 0.32]}))

    Args:
        seconds: {way: seconds a frame in each round}.
    """
    first = next(iter(seconds.values()))
    lines = []
    for name, values in seconds.items():
        ratios = [value / plain for value, plain in zip(values, first)]
        lines.append(
            f"{name:<10}{1000 * statistics.median(values):9.1f} ms a frame "
            f"({1000 * min(values):.1f} .. {1000 * max(values):.1f}), "
            f"{statistics.median(ratios):.2f} times the first "
            f"({min(ratios):.2f} .. {max(ratios):.2f})"
        )
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Prints J, F and the time of a frame in each way; returns the exit code."""
    return guarded("refinement", sys.argv[1:] if argv is None else argv, _command)


def _command(words: list[str]) -> None:
    parser = Parser(
        prog="python -m vosjax.bench.refinement", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", required=True, help="a dataset's folder or name")
    parser.add_argument("--config", default="base", help="a file or a name")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="FIELD=VALUE",
        help="a field of the config, as in refine.zoom=mask; may be repeated",
    )
    parser.add_argument("--output", type=pathlib.Path, help="folder that keeps the runs")
    parser.add_argument("--rounds", type=count, default=3, help="in which the ways take turns")
    parser.add_argument("--timed", type=count, default=1, help="videos that are run in each round")
    options = parser.parse_args(words)
    config = opened(options.config, options.set)
    if not (config.refine.boundary or config.refine.zoom):
        config = dataclasses.replace(config, refine=RefineConfig(zoom=MASK))
    model = ensembles.composed_network(config)
    compared = ways(config, model)
    with tempfile.TemporaryDirectory(prefix="vosjax-") as scratch:
        folder = options.output or pathlib.Path(scratch)
        table = scores(options.data, compared, config, model, folder)
    videos = source.discover(options.data, config.eval)[: options.timed]
    say(*lines(table))
    versions = machine.versions()
    say(
        f"{versions['device']} ({versions['platform']}, {len(jax.local_devices())} devices), jax "
        f"{versions['jax']}; {options.rounds} rounds over {some([v.name for v in videos])}"
    )
    year, memory = config.eval.year, dataset.memory_of(config, model)
    say(*speeds(times(compared, videos, memory, rounds=options.rounds, year=year)))


def _setting(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"is {text[:40]!r}; FIELD=VALUE is expected")
    return text


if __name__ == "__main__":
    sys.exit(main())
