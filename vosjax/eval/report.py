"""Renders one self-contained HTML page about one run, or about several side by side.

Numbers come from results.json, pictures from the dataset's frames and the runs' masks. Curves are
inline SVG and frames inline JPEG, so the page loads nothing else. Its layout is the template
`report.html`.
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
import numpy as np

from vosjax.errors import InputError, shown
from vosjax.eval.areas import by_area, worded
from vosjax.eval.folder import results
from vosjax.eval.videos import EvalVideo, read_frame, read_labels
from vosjax.eval.worst_boundaries import Figure, Run, figure, worst_boundaries
from vosjax.io.palette import read_label_png
from vosjax.schema import FieldError, typed

COLOURS = ("#1f6fb2", "#c8452f", "#2f8a4c", "#8a5bb5", "#b58a1f", "#3a3a3a")
WORST = 8  # frames that are shown
APART = 5  # least distance in frames between two of a sequence
CHART = (360, 130)  # width and height of the curves of a sequence
COLUMNS = ("J&F-Mean", "J-Mean", "F-Mean")
FORM = {  # types of the fields of a results.json
    "protocol": str,
    "rules": dict[str, Any],
    "failed": dict[str, str],
    "versions": dict[str, Any],
    "global": dict[str, Any] | None,
    "sequences": dict[str, dict[str, Any]],
}


class Cell(NamedTuple):
    """A cell of a table; `best` marks the best of several numbers."""

    text: str
    best: bool = False


def load(folders: Sequence[str | os.PathLike[str]]) -> list[Run]:
    """Reads the results of runs and gives each run a distinct name.

        runs = load(["runs/a", "runs/b"])

    Raises:
        InputError: results are missing or damaged, or the runs were scored by different rules.
    """
    paths = [pathlib.Path(folder) for folder in folders]
    contents = [_checked(results(path), path) for path in paths]
    rules = [(content["protocol"], content["rules"]) for content in contents]
    if any(rule != rules[0] for rule in rules):
        raise InputError(
            "the runs were scored by different rules ("
            + "; ".join(f"{path}: {name} {rule}" for path, (name, rule) in zip(paths, rules))
            + "): compare runs of one kind"
        )
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    return [Run(*run) for run in zip(names, paths, contents)]


def checked_settings(content: Any, folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the settings in a results.json, after checking that they name `data` and `eval`.

    Args:
        content: the content of the file.
        folder: the folder of the run, which error messages name.

    Raises:
        InputError: the file is not the results.json of a run.
    """
    settings = content.get("settings") if isinstance(content, dict) else None
    if not isinstance(settings, dict) or not isinstance(settings.get("data"), str):
        raise _no_results(folder, "it does not tell the dataset")
    if not isinstance(settings.get("eval"), dict):
        raise _no_results(folder, "it does not tell which videos were chosen")
    return settings


def _checked(content: Any, folder: pathlib.Path) -> dict[str, Any]:
    """Returns the content of a results.json after checking everything that a page shows of it."""
    checked_settings(content, folder)
    try:
        for name, hint in FORM.items():
            typed(content[name], hint)
        for table in (content["global"] or {}, content.get("global_of_finished") or {}):
            typed(table, dict[str, float | None])
        typed((content.get("speed") or {}).get("frames_per_second"), float | None)
        for sequence in content["sequences"].values():
            for column in COLUMNS:
                typed(sequence.get(column), float | None)
            for curve in typed(sequence["objects"], dict[str, dict[str, Any]]).values():
                frames = typed(curve["frames"], tuple[str, ...])
                if len(typed(curve["J"], tuple[float, ...])) != len(frames) or not frames:
                    raise FieldError((), "curves that are not of the frames")
                if typed(curve.get("area"), float | None) is not None:
                    for column in COLUMNS:
                        typed(curve[column], float)
        content["versions"]["device"]
        return content
    except (FieldError, KeyError, TypeError, AttributeError) as error:
        raise _no_results(folder, error) from error


def _no_results(folder: Any, why: Any) -> InputError:
    return InputError(
        f"{pathlib.Path(folder) / 'results.json'} is no result of --mode eval or --mode fuse "
        f"({why if isinstance(why, str | FieldError) else shown(why)}): run it again, or name "
        "another folder"
    )


def page(runs: Sequence[Run], videos: Sequence[EvalVideo]) -> str:
    """Renders the whole page as HTML.

        pathlib.Path("report.html").write_text(page(load(["runs/a", "runs/b"]), videos))

    Args:
        runs: the runs, see `load`.
        videos: the videos of the dataset, from which pictures are taken; () leaves them out.

    Raises:
        InputError: a frame or mask that is shown cannot be read.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    first = runs[0].results
    return environment.get_template("report.html").render(
        title=" · ".join(run.name for run in runs),
        runs=[{"name": run.name, "colour": _colour(i)} for i, run in enumerate(runs)],
        count=len(first["sequences"]),
        objects=sum(len(sequence["objects"]) for sequence in first["sequences"].values()),
        protocol=first["protocol"],
        failures=[
            f"{run.name}: {name} failed: {why}"
            for run in runs
            for name, why in run.results["failed"].items()
        ],
        totals=_totals(runs),
        areas=_areas(runs),
        sequences=_sequences(runs),
        charts=_charts(runs),
        worst=_worst(runs, videos),
        boundaries=worst_boundaries(runs, videos),
        settings=_settings(runs),
    )


def _numbers(
    values: Sequence[float | None], *, best: Callable[[Iterable[float]], float] = max
) -> list[Cell]:
    """Formats numbers in 0..1 as percent, and marks the best one of several."""
    known = [value for value in values if value is not None]
    top = best(known) if len(known) > 1 else None
    return [
        Cell("–" if value is None else f"{100 * value:.1f}", value is not None and value == top)
        for value in values
    ]


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _totals(runs: Sequence[Run]) -> list[list[Cell]]:
    tables = [run.results["global"] or run.results.get("global_of_finished") or {} for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [
        [
            Cell(name),
            *_numbers(
                [table.get(name) for table in tables], best=min if name.endswith("Decay") else max
            ),
        ]
        for name in names
    ]
    speeds = [(run.results.get("speed") or {}).get("frames_per_second") for run in runs]
    if any(speeds):
        cells = [Cell("–" if speed is None else f"{speed:.2f}") for speed in speeds]
        rows.append([Cell("frames/s"), *cells])
    devices = [Cell(str(run.results["versions"]["device"])) for run in runs]
    return [*rows, [Cell("device"), *devices]]


def _areas(runs: Sequence[Run]) -> list[list[Cell]]:
    """Returns a row for each bin of objects' areas; none where the objects are of one bin."""
    bins = [by_area(run.results["sequences"]) for run in runs]
    words = {name: text for known in bins[::-1] for name, text in worded(known).items()}
    return [
        [
            Cell(text),
            *(
                cell
                for column in COLUMNS
                for cell in _numbers([known.get(name, {}).get(column) for known in bins])
            ),
        ]
        for name, text in words.items()
    ]


def _names(runs: Sequence[Run]) -> list[str]:
    """Returns the names of all sequences that any run scored."""
    return list(dict.fromkeys(name for run in runs for name in run.results["sequences"]))


def _sequences(runs: Sequence[Run]) -> list[list[Cell]]:
    """Returns a row for each sequence, the hardest first."""
    rows = []
    for name in _names(runs):
        scores = [run.results["sequences"].get(name, {}) for run in runs]
        means = [score.get(COLUMNS[0]) for score in scores]
        cells = [Cell(name)]
        for column in COLUMNS:
            cells += _numbers([score.get(column) for score in scores])
        rows.append((min(2 if mean is None else mean for mean in means), cells))
    return [cells for _, cells in sorted(rows, key=lambda row: row[0])]


def _charts(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Returns a chart of J over time for every sequence with scored frames."""
    charts = []
    for name in _names(runs):
        curves = [
            (i, curve["frames"], curve["J"])
            for i, run in enumerate(runs)
            for curve in run.results["sequences"].get(name, {"objects": {}})["objects"].values()
        ]
        if curves:
            charts.append(_chart(name, curves))
    return charts


def _chart(
    name: str, curves: Sequence[tuple[int, Sequence[str], Sequence[float]]]
) -> dict[str, Any]:
    """Converts curves (run, frame names, values in 0..1) to the parts of an SVG."""
    width, height = CHART
    frames = sorted({frame for _, names, _ in curves for frame in names})
    x = {frame: 30 + (width - 40) * i / max(len(frames) - 1, 1) for i, frame in enumerate(frames)}

    def y(value: float) -> float:
        return height - 20 - (height - 30) * value

    return {
        "name": name,
        "width": width,
        "height": height,
        "grid": [
            {"y": f"{y(v):.1f}", "baseline": f"{y(v) + 4:.1f}", "text": f"{100 * v:.0f}"}
            for v in (0, 0.5, 1)
        ],
        "ends": [
            {"x": f"{x[frame]:.1f}", "anchor": anchor, "text": frame}
            for frame, anchor in ((frames[0], "start"), (frames[-1], "end"))
        ],
        "curves": [
            {
                "colour": _colour(run),
                "points": " ".join(
                    f"{x[frame]:.1f},{y(value):.1f}" for frame, value in zip(names, values)
                ),
            }
            for run, names, values in curves
        ],
    }


def _worst(runs: Sequence[Run], videos: Sequence[EvalVideo]) -> list[dict[str, Any]]:
    """Returns the frames with the lowest mean J over objects and runs, at most two per sequence."""
    by_name = {video.name: video for video in videos}
    picked: dict[str, list[int]] = {name: [] for name in by_name}
    worst: list[dict[str, Any]] = []
    for value, name, frame in sorted(_frame_means(runs)):
        if name not in by_name or len(worst) == WORST or frame not in by_name[name].frames:
            continue
        index, before = by_name[name].frames.index(frame), picked[name]
        if len(before) < 2 and all(abs(index - other) >= APART for other in before):
            before.append(index)
            worst.append(
                {
                    "video": name,
                    "name": frame,
                    "value": f"{100 * value:.1f}",
                    "figures": _figures(runs, by_name[name], index),
                }
            )
    return worst


def _frame_means(runs: Sequence[Run]) -> list[tuple[float, str, str]]:
    """Returns (mean J over objects and runs, sequence, frame) for every scored frame."""
    values: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for name, sequence in run.results["sequences"].items():
            for curve in sequence["objects"].values():
                for frame, value in zip(curve["frames"], curve["J"]):
                    values.setdefault((name, frame), []).append(value)
    return [(float(np.mean(j)), name, frame) for (name, frame), j in values.items()]


def _figures(runs: Sequence[Run], video: EvalVideo, index: int) -> list[Figure]:
    """Returns pictures of a frame's ground truth and of every run's mask."""
    image = read_frame(video, index)
    figures = [figure(image, read_labels(video, index), "truth")]
    for run in runs:
        file = run.folder / "masks" / video.name / f"{video.frames[index]}.png"
        if file.is_file():
            figures.append(figure(image, read_label_png(file), run.name))
    return figures


def _settings(runs: Sequence[Run]) -> list[list[Cell]]:
    """Returns the settings that differ between the runs, or all settings of a single run."""
    flat = [
        dict(_flat({key: run.results[key] for key in ("settings", "versions")})) for run in runs
    ]
    names = sorted({name for settings in flat for name in settings})
    if len(runs) > 1:
        names = [name for name in names if len({settings.get(name) for settings in flat}) > 1]
    return [[Cell(name), *(Cell(settings.get(name, "–")) for settings in flat)] for name in names]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields (dotted name, JSON) for every value in nested dicts."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, json.dumps(value)
