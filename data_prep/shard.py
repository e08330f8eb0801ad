"""Writes one shard of a dataset: the records of its units, and the JSON file that completes it."""

import contextlib
import errno
import importlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core import example_serializer

from data_prep import report, sources
from data_prep.builder import FolderBuilder
from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.refusals import writing

ShardSettings = dict[str, Any]  # name, config, source, exclude: the argument of `built`
Job = dict[str, Any]  # settings, split, units, path: everything needed to write a shard
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


def built(settings: ShardSettings) -> FolderBuilder:
    """Makes the builder for `settings` (name, config, source, exclude).

    Raises:
        InputError: there is no such dataset, variant or source folder.
    """
    here = pathlib.Path(__file__).parent
    names = sorted(
        file.stem for file in here.glob("*.py") if "\nclass Builder(" in file.read_text()
    )
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
    part = dict(
        found=len(job["units"]), counts=counts, notes=notes.pairs, videos=videos, sources=made_of
    )
    write_bytes(done(job), json.dumps(part).encode())
    return len(job["units"])


def done(job: Job) -> pathlib.Path:
    """Returns the JSON file that exists once a shard is complete."""
    return pathlib.Path(job["path"]).with_suffix(".json")
