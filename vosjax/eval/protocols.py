"""The scoring rules of DAVIS, YouTube-VOS and vos-benchmark: which frames and objects count.

A `Protocol` scores single sequences (`sequence`) and summarizes them (`total`). A sequence is a
list of `FrameCurves`, its frames with ground truth in order. Label maps may be given as functions
without arguments, which are called only for frames that count, so files are read lazily. All scores
are in 0..1. Results are plain dicts, ready for JSON:

    {"objects": {"1": {"J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay",
                       "area": median over the scored frames that show it, see `areas`, or None,
                       "frames": [name, ...], "J": [...], "F": [...]}, ...},
     "J&F-Mean", "J-Mean", "F-Mean": means over the objects,
     "ignored_ids": predicted ids that are not scored, "unscored": {id: why}}
"""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vosjax.errors import InputError
from vosjax.eval import areas, metrics

VOID = 255  # pixels of the ground truth in DAVIS 2017 that are not labelled

Labels = npt.NDArray[np.uint8]
Scores = dict[str, Any]  # the scores of a sequence, or a global table; ready for JSON
Row = Mapping[str, Any]  # the scores of an object


class FrameCurves(NamedTuple):
    """A frame's name and its two label maps: uint8 [H, W], or functions that return such a map."""

    name: str
    truth: Labels | Callable[[], Labels]
    prediction: Labels | Callable[[], Labels]


class Protocol(NamedTuple):
    """The rules of a benchmark.

    name      name of the rules
    settings  their parameters, ready for JSON
    sequence  sequence(name, frames) -> the result of one sequence; an InputError if its label maps
              differ in size, or are not such as the rules expect
    total     total({name: result}) -> the global table
    """

    name: str
    settings: dict[str, Any]
    sequence: Callable[[str, Sequence[FrameCurves]], Scores]
    total: Callable[[Mapping[str, Scores]], Scores]


def davis(*, year: int = 2017, bound: float = 0.008) -> Protocol:
    """Returns the semi-supervised protocol of DAVIS 2017, or of 2016 (all ids are one object).

        scoring.score(truth, prediction, protocol=davis())["global"]["J&F-Mean"]

    The first and the last frame are not scored. The objects are 1..N, where N is the largest id in
    the first frame's ground truth; an id that is missing there is an object without pixels. In
    2017, 255 in the ground truth counts as background.

    Args:
        year: 2016 or 2017.
        bound: tolerance of boundaries, see `metrics.tolerance`.

    Raises:
        ValueError: `year` is neither.
    """
    if year not in (2016, 2017):
        raise ValueError(f"DAVIS {year}; expected year 2016 or 2017")
    sequence = functools.partial(_davis_sequence, merge=year == 2016, bound=bound)
    return Protocol(f"davis{year}", {"year": year, "bound": bound}, sequence, _davis_total)


def youtube_vos(
    meta: Mapping[str, Any],
    *,
    seen: Iterable[str] | None = None,
    drop_last: bool = False,
    bound: float = 0.008,
) -> Protocol:
    """Returns the protocol of YouTube-VOS: J and F over objects of seen and of unseen classes.

        protocol = youtube_vos(json.load(open("valid/meta.json")), seen=["dog", "cat"])

    `Overall` is the mean of these four. An object is scored in all annotated frames after the one
    that shows it first.

    Args:
        meta: the content of meta.json.
        seen: names of the classes in the training set; None counts every class as seen, and
            `Overall` is None.
        drop_last: whether the last annotated frame is left out (the convention of DAVIS and
            pytracking; that of the server is not published).
        bound: tolerance of boundaries, see `metrics.tolerance`.
    """
    seen = None if seen is None else sorted(seen)
    videos = {
        name: {int(key): entry["category"] for key, entry in video["objects"].items()}
        for name, video in meta["videos"].items()
    }
    sequence = functools.partial(
        _youtube_sequence, videos=videos, seen=seen, drop_last=drop_last, bound=bound
    )
    return Protocol(
        "youtube-vos",
        {"seen": seen, "drop_last": drop_last, "bound": bound},
        sequence,
        _youtube_total,
    )


def vos_benchmark(*, skip_first_last: bool = True, bound: float = 0.008) -> Protocol:
    """Returns the rules of the public tool vos-benchmark (which prints percent; here 0..1).

        scoring.score(truth, prediction, protocol=vos_benchmark())

    All ids count, 255 among them. The mean of an object starts at the frame in which its id first
    appears in truth or prediction; only objects in the ground truth of a scored frame count.

    Args:
        skip_first_last: whether the first and the last frame are left out.
        bound: tolerance of boundaries, see `metrics.tolerance`.
    """
    sequence = functools.partial(_benchmark_sequence, skip=skip_first_last, bound=bound)
    return Protocol(
        "vos-benchmark",
        {"skip_first_last": skip_first_last, "bound": bound},
        sequence,
        _plain_total,
    )


class _Curves:
    """Collects J and F of each object, frame by frame."""

    def __init__(self, name: str, bound: float) -> None:
        self.name, self.bound = name, bound
        self.objects: dict[int, dict[str, list[Any]]] = {}
        self.areas: dict[int, list[float]] = {}

    def add(self, frame: str, truth: Labels, prediction: Labels, objects: Iterable[int]) -> None:
        ids = list(objects)
        try:
            j, f = metrics.frame_scores(truth, prediction, objects=ids, bound=self.bound)
        except ValueError as error:
            raise InputError(f"sequence {self.name}, frame {frame}: {error}") from error
        for key, region, contour in zip(ids, j.tolist(), f.tolist()):
            curve = self.objects.setdefault(key, {"frames": [], "J": [], "F": []})
            curve["frames"].append(frame)
            curve["J"].append(region)
            curve["F"].append(contour)
            self.areas.setdefault(key, []).append(areas.scaled_area(truth == key))

    def result(
        self,
        *,
        ignored: Iterable[int] = (),
        unscored: Mapping[str, str] | None = None,
        extra: Mapping[int, Row] | None = None,
    ) -> Scores:
        objects = {}
        for key in sorted(self.objects):
            curve = self.objects[key]
            j, f = metrics.statistics(curve["J"]), metrics.statistics(curve["F"])
            objects[str(key)] = {
                "J&F-Mean": (j.mean + f.mean) / 2,
                "J-Mean": j.mean,
                "J-Recall": j.recall,
                "J-Decay": j.decay,
                "F-Mean": f.mean,
                "F-Recall": f.recall,
                "F-Decay": f.decay,
                "area": areas.median_area(self.areas[key]),
                **(extra or {}).get(key, {}),
                **curve,
            }
        return {
            "objects": objects,
            **_means(objects.values(), ("J&F-Mean", "J-Mean", "F-Mean")),
            "ignored_ids": sorted(int(key) for key in ignored),
            "unscored": unscored or {},
        }


def _means(rows: Collection[Row], names: Iterable[str]) -> dict[str, float | None]:
    return {name: sum(row[name] for row in rows) / len(rows) if rows else None for name in names}


def _read(labels: Labels | Callable[[], Labels]) -> Labels:
    return np.asarray(labels() if callable(labels) else labels)


def _davis_sequence(
    name: str, frames: Sequence[FrameCurves], *, merge: bool, bound: float
) -> Scores:
    if len(frames) < 3:
        raise InputError(
            f"sequence {name} has {len(frames)} frames with truth; DAVIS leaves out "
            "the first and the last, so at least 3 are needed: leave it out, or score by "
            "vos_benchmark's rules"
        )

    def objects_of(labels: Labels) -> Labels:
        if merge:
            return (labels != 0).view(np.uint8)
        return np.where(labels == VOID, np.uint8(0), labels) if (labels == VOID).any() else labels

    count = 1 if merge else int(objects_of(_read(frames[0].truth)).max())
    if count == 0:
        raise InputError(
            f"sequence {name}, frame {frames[0].name}: the first truth has no object, and DAVIS "
            "scores those of the first frame: leave the sequence out, or mend this mask"
        )
    curves = _Curves(name, bound)
    late: dict[str, str] = {}
    for frame in frames[1:-1]:
        truth = objects_of(_read(frame.truth))
        if truth.max() > count:
            for key in np.unique(truth[truth > count]).tolist():
                late.setdefault(str(key), f"not in the first truth, met in frame {frame.name}")
        prediction = _read(frame.prediction)
        if not merge and prediction.size and prediction.max() > count:
            raise InputError(
                f"sequence {name}, frame {frame.name}: the prediction has id {prediction.max()}, "
                f"the first truth has ids up to {count}; remove the other ids"
            )
        if merge:
            prediction = objects_of(prediction)
        curves.add(frame.name, truth, prediction, range(1, count + 1))
    return curves.result(unscored=late)


_DAVIS_COLUMNS = ("J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")


def _all_objects(sequences: Mapping[str, Scores]) -> list[Row]:
    return [row for sequence in sequences.values() for row in sequence["objects"].values()]


def _davis_total(sequences: Mapping[str, Scores]) -> Scores:
    return _total(_all_objects(sequences), _DAVIS_COLUMNS)


def _plain_total(sequences: Mapping[str, Scores]) -> Scores:
    return _total(_all_objects(sequences), ("J-Mean", "F-Mean"))


def _total(rows: Collection[Row], columns: Iterable[str]) -> Scores:
    # All objects weigh the same, not all sequences.
    table = _means(rows, columns)
    j, f = table["J-Mean"], table["F-Mean"]
    return {"J&F-Mean": None if j is None or f is None else (j + f) / 2, **table}


def _youtube_sequence(
    name: str,
    frames: Sequence[FrameCurves],
    *,
    videos: Mapping[str, Mapping[int, str]],
    seen: Collection[str] | None,
    drop_last: bool,
    bound: float,
) -> Scores:
    if name not in videos:
        raise InputError(
            f"video {name} is not among the {len(videos)} of meta.json; pass the "
            "meta.json that belongs to the truth"
        )
    categories = videos[name]
    curves = _Curves(name, bound)
    first_frames: dict[int, str] = {}  # {object: the first frame that shows it}
    unknown: dict[int, str] = {}  # {id that meta.json does not name: the first frame with it}
    predicted: set[int] = set()  # ids
    for index, frame in enumerate(frames):
        truth = _read(frame.truth)
        active = sorted(first_frames)
        if active and not (drop_last and index == len(frames) - 1):
            prediction = _read(frame.prediction)
            predicted |= set(np.unique(prediction).tolist())
            curves.add(frame.name, truth, prediction, active)
        for key in np.unique(truth).tolist():
            (first_frames if key in categories else unknown).setdefault(key, frame.name)
    extra = {
        key: {
            "category": categories[key],
            "first_frame": first_frames[key],
            "seen": seen is None or categories[key] in seen,
        }
        for key in first_frames
    }
    unscored = {
        str(key): f"no scored frame after its first, {first_frames[key]}"
        if key in first_frames
        else "no annotated frame shows it"
        for key in sorted(set(categories) - set(curves.objects))
    }
    unscored |= {
        str(key): f"not in meta.json, met in frame {frame_name}"
        for key, frame_name in unknown.items()
        if key not in (0, VOID)
    }
    return curves.result(ignored=predicted - set(categories) - {0}, unscored=unscored, extra=extra)


def _youtube_total(sequences: Mapping[str, Scores]) -> Scores:
    rows = _all_objects(sequences)
    table: dict[str, float | None] = {}
    for group, seen in (("seen", True), ("unseen", False)):
        means = _means([row for row in rows if row["seen"] == seen], ("J-Mean", "F-Mean"))
        table[f"J_{group}"], table[f"F_{group}"] = means["J-Mean"], means["F-Mean"]
    means_of_four = [value for value in table.values() if value is not None]
    overall = sum(means_of_four) / 4 if len(means_of_four) == 4 else None
    return {"Overall": overall, **table, **_total(rows, ("J-Mean", "F-Mean"))}


def _benchmark_sequence(
    name: str, frames: Sequence[FrameCurves], *, skip: bool, bound: float
) -> Scores:
    curves = _Curves(name, bound)
    in_truth: set[int] = set()
    in_either: set[int] = set()
    for frame in frames[1:-1] if skip else frames:
        truth, prediction = _read(frame.truth), _read(frame.prediction)
        in_truth |= set(np.unique(truth).tolist()) - {0}
        in_either |= in_truth | (set(np.unique(prediction).tolist()) - {0})
        curves.add(frame.name, truth, prediction, sorted(in_either))
    curves.objects = {key: curve for key, curve in curves.objects.items() if key in in_truth}
    return curves.result(ignored=in_either - in_truth)
