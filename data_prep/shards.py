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
import hashlib
import json
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

import tensorflow_datasets as tfds
from tensorflow_datasets.core import naming
from tqdm import tqdm

from data_prep import report, schema, sources, standing
from data_prep.builder import FolderBuilder, Unit
from data_prep.shard import Job, ShardSettings, built, done, write_shard
from vosjax.errors import InputError
from vosjax.io import processes
from vosjax.io.files import fitted, write_bytes
from vosjax.io.lock import locked
from vosjax.io.names import printable
from vosjax.io.refusals import writing

Path = str | os.PathLike[str]
Part = dict[str, Any]  # found, counts, notes, videos, sources: what is known about a written shard


class Progress(Protocol):
    """A progress bar."""

    def update(self, n: float | None = 1) -> Any:
        """Advances the bar by n units."""


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


def folder(builder: FolderBuilder, output: Path) -> pathlib.Path:
    """Returns the folder of a builder's dataset below `output`."""
    parts = [builder.name] + ([builder.builder_config.name] if builder.builder_config else [])
    return pathlib.Path(output).joinpath(*parts, str(builder.version))


def _split(
    builder: FolderBuilder,
    settings: ShardSettings,
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
    settings: ShardSettings,
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
    sources.drop_changed({done(job): job["units"] for job in jobs}, builder.source)
    remaining = [job for job in jobs if not done(job).is_file()]
    with tqdm(
        total=len(units),
        unit="unit",
        desc=printable(f"{final.relative_to(output)} {split}"),
        file=sys.stderr,
        disable=None,
        initial=len(units) - sum(len(job["units"]) for job in remaining),
    ) as bar:
        run(remaining, workers, bar)
    parts = [json.loads(done(job).read_text()) for job in jobs]
    return _finish(builder, split, output, work, jobs, parts, notes)


def _plan(
    work: pathlib.Path, settings: ShardSettings, split: str, units: Sequence[Unit], per_shard: int
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
    write_bytes(work / "plan", digest.encode())
    return jobs


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
    write_bytes(final / f"report-{split}.json", json.dumps(summed, indent=1).encode())
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
