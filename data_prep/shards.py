"""Prepares a dataset shard by shard: in parallel, resumable, readable by TFDS.

A shard holds the records of several consecutive units. While a split is being prepared, its shards
are in `OUTPUT/.work`. A shard is complete once the JSON file beside it exists, so that a killed run
loses only the shards that it was writing. When all are complete, they are moved to
`OUTPUT/NAME/[CONFIG/]VERSION` under TFDS's names, and the metadata is written. Splits can be
prepared one at a time.

Digests of the sources of each unit (`sources.py`) are stored beside a split and beside each shard.
Both are used again only for the same sources.
"""

import concurrent.futures
import contextlib
import errno
import hashlib
import importlib
import json
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core import example_serializer, naming
from tqdm import tqdm

from data_prep import report, schema, sources, standing
from data_prep.builder import FolderBuilder, Unit
from vosjax.errors import InputError
from vosjax.io import processes
from vosjax.io.files import fitted
from vosjax.io.lock import locked
from vosjax.io.names import printable
from vosjax.io.refusals import writing

Path = str | os.PathLike[str]
Settings = dict[str, Any]  # name, config, source, exclude: the argument of `built`
Job = dict[str, Any]  # settings, split, units, path: everything needed to write a shard
Part = dict[str, Any]  # found, counts, notes, videos, sources: what is known about a written shard


class Progress(Protocol):
    """A progress bar."""

    def update(self, n: float | None = 1) -> Any:
        """Advances the bar by n units."""


_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)

Run = Callable[[Sequence[Job], int, Progress], None]


def prepare(
    name: str,
    *,
    source: Path,
    output: Path,
    config: str | None = None,
    splits: Iterable[str] | None = None,
    workers: int = 0,
    exclude: Collection[str] = (),
    per_shard: int | None = None,
    run: Run | None = None,
    overwrite: bool = False,
) -> list[report.Summary]:
    """Prepares splits of a dataset and returns their reports (see `report.summary`).

        prepare("davis/2017_480p", source="DAVIS", output="datasets", splits=["val"])

    Args:
        name: a dataset, that is a module of this package, with or without its config:
            'youtube_vos' or 'youtube_vos/2019'.
        source: the downloaded folder.
        output: the folder of TFDS datasets.
        config: name of the variant; None takes the first one.
        splits: names of the splits; None takes those that the source holds.
        workers: number of processes; 0 writes in this process.
        exclude: names of units to leave out.
        per_shard: units per shard; None takes the dataset's own number.
        run: writes the shards, called as `run(jobs, workers, bar)`; None takes `local`.
        overwrite: whether splits that are complete, or were begun, are prepared anew.

    Raises:
        InputError: there is no such dataset, config or split; the source lacks something; or a
            split is complete already and was made from other sources.
    """
    name, _, variant = name.partition("/")
    settings = dict(
        name=name, config=config or variant or None, source=str(source), exclude=sorted(exclude)
    )
    builder = built(settings)
    return [
        _split(
            builder,
            settings,
            split,
            pathlib.Path(output),
            workers=workers,
            run=run or local,
            per_shard=per_shard or builder.PER_SHARD,
            overwrite=overwrite,
        )
        for split in splits or builder.present() or builder.SPLITS[:1]  # the first one says why not
    ]


def built(settings: Settings) -> FolderBuilder:
    """Makes the builder for `settings` (name, config, source, exclude).

    Raises:
        InputError: there is no such dataset, variant or source folder.
    """
    here = pathlib.Path(__file__).parent
    names = sorted(file.stem for file in here.glob("*.py") if "class Builder(" in file.read_text())
    if settings["name"] not in names:
        raise InputError(f"there is no dataset {settings['name']!r}: there are {', '.join(names)}")
    if not pathlib.Path(settings["source"]).is_dir():
        raise InputError(f"there is no source folder {settings['source']}")
    module = importlib.import_module(f"data_prep.{settings['name']}")
    configs = {config.name for config in module.Builder.BUILDER_CONFIGS}
    if settings["config"] is not None and settings["config"] not in configs:
        raise InputError(
            f"{settings['name']} has no config {settings['config']!r}: it has "
            f"{', '.join(sorted(configs)) or 'none'}"
        )
    # A folder that does not exist, so that TFDS does not find an earlier dataset.
    nowhere = pathlib.Path(settings["source"]) / ".no-dataset"
    builder: FolderBuilder = module.Builder(
        source=settings["source"],
        config=settings["config"],
        exclude=settings["exclude"],
        data_dir=nowhere,
    )
    return builder


def folder(builder: FolderBuilder, output: Path) -> pathlib.Path:
    """Returns the folder of a builder's dataset below `output`."""
    parts = [builder.name] + ([builder.builder_config.name] if builder.builder_config else [])
    return pathlib.Path(output).joinpath(*parts, str(builder.version))


def _split(
    builder: FolderBuilder,
    settings: Settings,
    split: str,
    output: pathlib.Path,
    *,
    workers: int,
    per_shard: int,
    run: Run,
    overwrite: bool,
) -> report.Summary:
    final = folder(builder, output)
    name = "-".join((*final.relative_to(output).parts, split))
    path = output / fitted(f".{name}", ".lock")
    notes = report.Notes()
    # Before anything is written, so that an unsuitable source leaves no folder behind.
    units = builder.chosen(split, notes)
    with locked(path, what=f"split {split} of {final}"), writing(output):
        return _prepared(
            builder,
            settings,
            split,
            output,
            final,
            units,
            notes,
            workers=workers,
            per_shard=per_shard,
            run=run,
            overwrite=overwrite,
        )


def _prepared(
    builder: FolderBuilder,
    settings: Settings,
    split: str,
    output: pathlib.Path,
    final: pathlib.Path,
    units: list[Any],
    notes: report.Notes,
    *,
    workers: int,
    per_shard: int,
    run: Run,
    overwrite: bool,
) -> report.Summary:
    """Prepares a split whose lock is held."""
    work = output / ".work" / final.relative_to(output) / split
    if overwrite:
        standing.remove(builder, final, split, work / "metadata")
        shutil.rmtree(work, ignore_errors=True)
    if split in standing.splits(final):
        before = standing.report(final, split)
        made_of = standing.made_of(final, split)
        sources.check(made_of, units, builder.source, what=f"split {split} of {final}")
        before["title"] += " (prepared earlier; --overwrite prepares it again)"
        return before
    jobs = _plan(work, settings, split, units, per_shard)
    sources.drop_changed({_done(job): job["units"] for job in jobs}, builder.source)
    remaining = [job for job in jobs if not _done(job).is_file()]
    with tqdm(
        total=len(units),
        unit="unit",
        desc=printable(f"{final.relative_to(output)} {split}"),
        file=sys.stderr,
        disable=None,
        initial=len(units) - sum(len(job["units"]) for job in remaining),
    ) as bar:
        run(remaining, workers, bar)
    parts = [json.loads(_done(job).read_text()) for job in jobs]
    return _finish(builder, split, output, work, jobs, parts, notes)


def _plan(
    work: pathlib.Path, settings: Settings, split: str, units: Sequence[Unit], per_shard: int
) -> list[Job]:
    """Makes the jobs of a split, and removes parts of other units or settings."""
    jobs = [
        dict(
            settings=settings,
            split=split,
            units=units[at : at + per_shard],
            path=str(work / f"part-{at // per_shard:05d}.array_record"),
        )
        for at in range(0, len(units), per_shard)
    ]
    plan = json.dumps([settings, split, per_shard, [name for name, _ in units]])
    digest = hashlib.sha256(plan.encode()).hexdigest()
    if work.is_dir() and not ((work / "plan").is_file() and (work / "plan").read_text() == digest):
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    _write(work / "plan", digest)
    return jobs


def _done(job: Job) -> pathlib.Path:
    return pathlib.Path(job["path"]).with_suffix(".json")


def _write(path: pathlib.Path, text: str) -> None:
    temp = path.with_name(f".{path.name}.{os.getpid()}")
    temp.write_text(text)
    os.replace(temp, path)


def local(jobs: Sequence[Job], workers: int, bar: Progress) -> None:
    """Writes the shards of `jobs` in `workers` processes, or in this one."""
    if not workers:
        for job in jobs:
            write_shard(job, bar.update)
        return
    with processes.pool(workers, setting="workers") as pool:
        futures = [pool.submit(write_shard, job) for job in jobs]
        for future in concurrent.futures.as_completed(futures):
            bar.update(future.result())


def write_shard(job: Job, tell: Callable[[int], Any] = lambda count: None) -> int:
    """Writes one shard, and last the JSON file that completes it; returns its number of units.

    Args:
        job: the shard.
        tell: called with the number of units that were written since the last call.

    Raises:
        DiskFull: the disk is full.
        InputError: the shard cannot be written, or a unit cannot be read.
    """
    with writing(job["path"]), _refused(job["path"]):
        return _write_shard(job, tell)


@contextlib.contextmanager
def _refused(path: str) -> Iterator[None]:
    """Raises errors of the file system as OSError; array_record reports them in a message only."""
    try:
        yield
    except RuntimeError as error:
        codes = [code for code in _REFUSALS if os.strerror(code) in str(error)]
        if not codes:
            raise
        raise OSError(codes[0], os.strerror(codes[0]), path) from error


def _write_shard(job: Job, tell: Callable[[int], Any]) -> int:
    builder = built(job["settings"])
    serializer = example_serializer.ExampleSerializer(builder.info.features.get_serialized_info())
    path = pathlib.Path(job["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{os.getpid()}")
    notes = report.Notes()
    videos: list[list[Any]] = []
    # Before they are read: a file that is replaced meanwhile is told by the next run.
    made_of = {name: sources.digest(unit, builder.source) for name, unit in job["units"]}
    counts = dict(units=0, records=0, frames=0, masks=0, objects=0, bytes=0)
    writer = ArrayRecordWriter(str(temp), "group_size:1")
    try:
        for name, unit in job["units"]:
            for index, record in enumerate(builder.records(name, unit, notes)):
                data = serializer.serialize_example(builder.info.features.encode_example(record))
                writer.write(data)
                counts["records"] += 1
                counts["bytes"] += len(data)
                if index == 0:
                    counts["units"] += 1
                    counts["objects"] += len(record["ids"])
                if "start" in record:
                    counts["frames"] += len(record["images"])
                    counts["masks"] += sum(map(bool, record["masks"]))
                    if index == 0:
                        videos.append([record["video"], record["frames"]])
            tell(1)
        writer.close()
        os.replace(temp, path)
    finally:
        if writer.is_open():
            writer.close()
        temp.unlink(missing_ok=True)
    _write(
        _done(job),
        json.dumps(
            dict(
                found=len(job["units"]),
                counts=counts,
                notes=notes.pairs,
                videos=videos,
                sources=made_of,
            )
        ),
    )
    return len(job["units"])


def _finish(
    builder: FolderBuilder,
    split: str,
    output: pathlib.Path,
    work: pathlib.Path,
    jobs: Sequence[Job],
    parts: Sequence[Part],
    notes: report.Notes,
) -> report.Summary:
    """Moves the shards of a split to the dataset's folder and writes the metadata of TFDS."""
    final = folder(builder, output)
    filled = [(job, part) for job, part in zip(jobs, parts) if part["counts"]["records"]]
    if not filled:
        left_out = _summary(builder, split, parts, notes)["left_out"]
        reasons = ", ".join(f"{entry['count']} times {kind}" for kind, entry in left_out.items())
        raise InputError(f"nothing is left of split {split} in {builder.source}: {reasons}")
    template = naming.ShardedFileTemplate(
        data_dir=final, dataset_name=builder.name, split=split, filetype_suffix="array_record"
    )
    final.mkdir(parents=True, exist_ok=True)
    for i, (job, _) in enumerate(filled):
        shard = template.sharded_filepath(shard_index=i, num_shards=len(filled))
        if os.path.exists(job["path"]):  # else an earlier run, which was killed here, has moved it
            os.replace(job["path"], shard)
    summed = _summary(builder, split, parts, notes)
    _write(final / f"report-{split}.json", json.dumps(summed, indent=1))
    made_of = {name: text for part in parts for name, text in part["sources"].items()}
    standing.write_made_of(final, split, made_of)
    infos, videos = standing.splits(final), standing.videos(final)
    infos[split] = tfds.core.SplitInfo(
        name=split,
        shard_lengths=[part["counts"]["records"] for _, part in filled],
        num_bytes=sum(part["counts"]["bytes"] for _, part in filled),
        filename_template=template,
    )
    if builder.FEATURES is schema.VIDEO:
        videos[split] = [video for _, part in filled for video in part["videos"]]
    standing.write_info(builder, final, list(infos.values()), videos, work / "metadata")
    shutil.rmtree(work)
    with contextlib.suppress(OSError):  # other splits may be in preparation
        for above in list(work.parents)[: len(final.parts) - len(output.parts) + 1]:
            above.rmdir()
    return summed


def _summary(
    builder: FolderBuilder, split: str, parts: Sequence[Part], notes: report.Notes
) -> report.Summary:
    counts = {key: sum(part["counts"][key] for part in parts) for key in parts[0]["counts"]}
    noun = "videos" if builder.FEATURES is schema.VIDEO else "stills"
    figures = {
        f"{noun} found": sum(part["found"] for part in parts) + len(notes.pairs),
        f"{noun} kept": counts["units"],
        "objects": counts["objects"],
    }
    if noun == "videos":
        figures |= {"frames": counts["frames"], "masks": counts["masks"]}
    variant = f"/{builder.builder_config.name}" if builder.builder_config else ""
    pairs = notes.pairs + [(kind, where) for part in parts for kind, where in part["notes"]]
    return report.summary(
        f"{builder.name}{variant} {split}",
        counts=figures,
        notes=pairs,
        published=builder.published(split),
    )
