"""One self-contained HTML page about one run or several side by side: for people to look at.

Numbers come from results.json, pictures from the dataset's frames and the runs' masks. Nothing is
loaded from elsewhere; curves are inline SVG, frames inline JPEG.
"""

import base64
import html
import json
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from vosjax.errors import InputError
from vosjax.eval import layout
from vosjax.eval.folder import results
from vosjax.eval.stored import Stored, open_picture
from vosjax.io.overlay import overlay
from vosjax.io.palette import DAVIS, read_label_png
from vosjax.io.video import read_image

COLOURS = ("#1f6fb2", "#c8452f", "#2f8a4c", "#8a5bb5", "#b58a1f", "#3a3a3a")
WORST = 8  # frames that are shown
APART = 5  # frames at least between two of a sequence
WIDTH = 420  # pixels of a shown frame
QUALITY = 80
STYLE = """
:root{--ink:#1c2227;--soft:#667079;--line:#dde2e6;--ground:#fff;--band:#f5f7f8}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8eb;--soft:#98a2aa;--line:#343b41;
--ground:#171b1e;--band:#1f2428}}
*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem 4rem;
font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.25rem 0 .6rem}
h3{font-size:.95rem;margin:1rem 0 .25rem}p{margin:.25rem 0 .6rem;color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--line);
white-space:nowrap}th:first-child,td:first-child{text-align:left}
td.text{text-align:left;white-space:normal;max-width:28rem;overflow-wrap:anywhere}
thead th{color:var(--soft);font-weight:600;font-size:.85rem}tbody tr:hover{background:var(--band)}
td.best{font-weight:700}.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;
margin-right:.4em}.warn{border-left:3px solid #c8452f;padding:.4rem .8rem;background:var(--band);
color:var(--ink)}.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr))}
figure{margin:0;max-width:100%}
figcaption{font-size:.82rem;color:var(--soft)}img{display:block;max-width:100%;height:auto;
border-radius:3px}svg{max-width:100%;height:auto;display:block}svg text{fill:var(--soft);
font:11px system-ui,sans-serif}.curves{display:grid;gap:1rem 1.5rem;
grid-template-columns:repeat(auto-fill,minmax(20rem,1fr))}
"""


class Run(NamedTuple):
    """A run: what it is called, its folder and its results.json."""

    name: str
    folder: pathlib.Path
    found: dict


def load(folders: Sequence[pathlib.Path]) -> list[Run]:
    """The runs in folders, by names that differ.

    Raises:
      InputError: a folder without results, or runs scored by different rules.
    """
    found = [results(folder) for folder in folders]
    rules = [(each["protocol"], each["rules"]) for each in found]
    if any(rule != rules[0] for rule in rules):
        raise InputError(
            "the runs were scored by different rules ("
            + "; ".join(
                f"{folder}: {name} {settings}" for folder, (name, settings) in zip(folders, rules)
            )
            + "): compare runs of one kind"
        )
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [Run(*each) for each in zip(names, map(pathlib.Path, folders), found)]


def page(runs: Sequence[Run], sequences: Sequence[layout.EvalVideo]) -> str:
    """The whole page.

    Args:
      runs: of `load`.
      sequences: of the dataset, for the pictures; () leaves these out.
    """
    title = " · ".join(run.name for run in runs)
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _about(runs),
        _failures(runs),
        _totals(runs),
        _sequences(runs),
        _curves(runs),
        _worst(runs, sequences),
        _differences(runs),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(part for part in parts if part)
        + "</body></html>\n"
    )


def _about(runs):
    first = runs[0].found
    count = sum(len(each["objects"]) for each in first["sequences"].values())
    return (
        f"<p>{len(first['sequences'])} sequences, {count} objects, scored by "
        f"{html.escape(first['protocol'])}. J is region similarity, F boundary accuracy, "
        "both 0 to 100.</p>"
    )


def _failures(runs):
    lines = [
        f"{run.name}: {name} failed: {why}"
        for run in runs
        for name, why in run.found["failed"].items()
    ]
    return "".join(f'<p class="warn">{html.escape(line)}</p>' for line in lines)


def _table(head, rows, *, kind=""):
    """Rows of cells: HTML, or (HTML, class); `kind` is the class of all but the first of a row."""
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind if i else "") for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def _cell(cell, kind):
    text, kind = cell if isinstance(cell, tuple) else (cell, kind)
    return f'<td class="{kind}">{text}</td>' if kind else f"<td>{text}</td>"


def _numbers(values, *, best=max):
    """Cells of numbers 0..1 as percent, the best marked where there are several."""
    known = [value for value in values if value is not None]
    top = best(known) if len(known) > 1 else None
    return [
        (
            "–" if value is None else f"{100 * value:.1f}",
            "best" if value is not None and value == top else "",
        )
        for value in values
    ]


def _labels(runs):
    return [
        f'<span class="dot" style="background:{_colour(i)}"></span>{html.escape(run.name)}'
        for i, run in enumerate(runs)
    ]


def _colour(number):
    return COLOURS[number % len(COLOURS)]


def _totals(runs):
    tables = [run.found["global"] or run.found.get("global_of_finished") or {} for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [
        [
            html.escape(name),
            *_numbers(
                [table.get(name) for table in tables], best=min if name.endswith("Decay") else max
            ),
        ]
        for name in names
    ]
    speeds = [(run.found.get("speed") or {}).get("frames_per_second") for run in runs]
    if any(speeds):
        rows.append(["frames/s", *("–" if speed is None else f"{speed:.2f}" for speed in speeds)])
    rows.append(["device", *(html.escape(str(run.found["versions"]["device"])) for run in runs)])
    return "<h2>Overall</h2>" + _table(["", *_labels(runs)], rows)


def _sequences(runs):
    names = list(dict.fromkeys(name for run in runs for name in run.found["sequences"]))
    if not names:
        return "<h2>Sequences</h2><p>No truth, so no scores.</p>"
    found = [[run.found["sequences"].get(name, {}) for run in runs] for name in names]
    order = sorted(
        range(len(names)),
        key=lambda i: min(
            (one.get("J&F-Mean") if one.get("J&F-Mean") is not None else 2) for one in found[i]
        ),
    )
    rows = []
    for i in order:
        cells = [html.escape(names[i])]
        for column in ("J&F-Mean", "J-Mean", "F-Mean"):
            cells += _numbers([one.get(column) for one in found[i]])
        rows.append(cells)
    head = [""] + [
        f"{label} {column}" for column in ("J&amp;F", "J", "F") for label in _labels(runs)
    ]
    return "<h2>Sequences</h2><p>Hardest first.</p>" + _table(head, rows)


def _curves(runs):
    names = list(dict.fromkeys(name for run in runs for name in run.found["sequences"]))
    charts = []
    for name in names:
        lines = []
        for i, run in enumerate(runs):
            for curve in run.found["sequences"].get(name, {"objects": {}})["objects"].values():
                lines.append((i, curve["frames"], curve["J"]))
        if lines:
            charts.append(f"<div><h3>{html.escape(name)}</h3>{_chart(name, lines)}</div>")
    return (
        (
            f'<h2>J over time</h2><p>One line an object.</p><div class="curves">'
            f"{''.join(charts)}</div>"
        )
        if charts
        else ""
    )


def _chart(name, lines, *, width=360, height=130):
    """Lines (run, frame names, values 0..1) as SVG."""
    frames = sorted({frame for _, names, _ in lines for frame in names})
    place = {
        frame: 30 + (width - 40) * i / max(len(frames) - 1, 1) for i, frame in enumerate(frames)
    }

    def y(value):
        return height - 20 - (height - 30) * value

    grid = "".join(
        f'<line x1="30" x2="{width - 10}" y1="{y(v):.1f}" y2="{y(v):.1f}" '
        f'stroke="currentColor" stroke-opacity=".15"/><text x="24" '
        f'y="{y(v) + 4:.1f}" text-anchor="end">{100 * v:.0f}</text>'
        for v in (0, 0.5, 1)
    )
    ends = "".join(
        f'<text x="{place[frame]:.1f}" y="{height - 5}" text-anchor="{anchor}">'
        f"{html.escape(frame)}</text>"
        for frame, anchor in ((frames[0], "start"), (frames[-1], "end"))
    )
    paths = "".join(
        f'<polyline fill="none" stroke="{_colour(run)}" stroke-width="1.6" points="'
        + " ".join(f"{place[frame]:.1f},{y(value):.1f}" for frame, value in zip(names, values))
        + '"/>'
        for run, names, values in lines
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="J of '
        f'{html.escape(name)} over time">{grid}{ends}{paths}</svg>'
    )


def _worst(runs, sequences):
    """Frames with the lowest mean J over objects and runs, two of a sequence at most."""
    there = {
        sequence.name: {file.stem: index for index, file in enumerate(sequence.frames)}
        for sequence in sequences
    }
    chosen, taken = [], {}
    for value, name, frame in sorted(_frame_means(runs)):
        if name not in there or len(chosen) == WORST:
            continue
        index, before = there[name][frame], taken.setdefault(name, [])
        if len(before) < 2 and all(abs(index - other) >= APART for other in before):
            before.append(index)
            chosen.append((value, name, frame))
    if not chosen:
        return ""
    known = {sequence.name: sequence for sequence in sequences}
    shown = "".join(_frame_row(runs, known[name], frame, value) for value, name, frame in chosen)
    return (
        "<h2>Worst frames</h2><p>The truth, then every run; mean J over objects and runs in "
        f"the title.</p>{shown}"
    )


def _frame_means(runs):
    totals = {}
    for run in runs:
        for name, sequence in run.found["sequences"].items():
            for curve in sequence["objects"].values():
                for frame, value in zip(curve["frames"], curve["J"]):
                    totals.setdefault((name, frame), []).append(value)
    return [(float(np.mean(values)), *key) for key, values in totals.items()]


def _frame_row(runs, sequence, frame, value):
    index = next(i for i, file in enumerate(sequence.frames) if file.stem == frame)
    image = read_image(open_picture(sequence.frames[index]))
    labels = [("truth", sequence.truths[index])] + [
        (run.name, run.folder / "masks" / sequence.name / f"{frame}.png") for run in runs
    ]
    figures = "".join(
        _figure(image, read_label_png(open_picture(file)), caption)
        for caption, file in labels
        if isinstance(file, Stored) or file.is_file()
    )
    return (
        f"<h3>{html.escape(sequence.name)} {html.escape(frame)}: J {100 * value:.1f}</h3>"
        f'<div class="grid">{figures}</div>'
    )


def _figure(image, labels, caption):
    labels = np.where(labels == 255, 0, labels)
    shown = overlay(image, labels, palette=DAVIS)
    ratio = min(1, WIDTH / shown.shape[1])
    small = cv2.resize(shown, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not ok:
        raise InputError(f"OpenCV {cv2.__version__} could not encode a JPEG")
    text = base64.b64encode(data.tobytes()).decode()
    return (
        f'<figure><img width="{small.shape[1]}" height="{small.shape[0]}" '
        f'alt="{html.escape(caption)}" src="data:image/jpeg;base64,{text}"><figcaption>'
        f"{html.escape(caption)}</figcaption></figure>"
    )


def _differences(runs):
    """Settings that differ between the runs; of one run all of them."""
    flat = [
        dict(_flat({"settings": run.found["settings"], "versions": run.found["versions"]}))
        for run in runs
    ]
    names = sorted({name for one in flat for name in one})
    kept = [name for name in names if len(runs) == 1 or len({one.get(name) for one in flat}) > 1]
    title = "Settings" if len(runs) == 1 else "Settings that differ"
    if not kept:
        return f"<h2>{title}</h2><p>None.</p>"
    rows = [
        [html.escape(name), *(html.escape(one.get(name, "–")) for one in flat)] for name in kept
    ]
    return f"<h2>{title}</h2>" + _table(["", *_labels(runs)], rows, kind="text")


def _flat(value, path=""):
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, json.dumps(value)
