"""Reads and writes what a complete dataset consists of: splits, metadata and digests of sources."""

import contextlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds

from data_prep import schema, sources
from data_prep.builder import FolderBuilder
from vosjax.errors import InputError
from vosjax.io.content import load_json
from vosjax.io.files import write_bytes
from vosjax.io.names import printable

_INFO = "dataset_info.json"  # written by TFDS; a dataset with it is complete


def splits(final: pathlib.Path) -> dict[str, Any]:
    """Returns {split: SplitInfo} of a complete dataset; {} if there is none.

    Raises:
        InputError: its metadata is damaged.
    """
    info = _info(final)
    return {} if info is None else dict(info.splits)


def videos(final: pathlib.Path) -> dict[str, list[list[Any]]]:
    """Returns {split: [[video, frames]]} of a complete dataset.

    Raises:
        InputError: its metadata is damaged.
    """
    info = _info(final)
    try:
        return {} if info is None else dict(info.metadata["videos"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(final, error) from error


def _info(final: pathlib.Path) -> tfds.core.DatasetInfo | None:
    """Returns what TFDS reads of a dataset, or None if there is none."""
    if not (final / _INFO).is_file():
        return None
    try:
        return tfds.builder_from_directory(final).info
    except InputError:
        raise
    except Exception as error:  # TFDS may raise anything for damaged JSON
        raise _damaged(final, error) from error


def _damaged(final: pathlib.Path, error: Exception) -> InputError:
    return InputError(
        f"the metadata of the dataset {printable(final)} is damaged "
        f"({type(error).__name__}): remove that folder and prepare all of its splits again"
    )


def report(final: pathlib.Path, split: str) -> dict[str, Any]:
    """Returns the report of a complete split.

    Raises:
        InputError: the report is missing or damaged.
    """
    path = final / f"report-{split}.json"
    summary = load_json(path, name=str(path))
    if not isinstance(summary, dict) or "title" not in summary:
        raise InputError(f"{path} is no report of a preparation: prepare again with --overwrite")
    return summary


def made_of(final: pathlib.Path, split: str) -> sources.Digests | None:
    """Returns {unit: digest} of a split's sources, or None if an earlier version made it.

    Raises:
        InputError: the file is damaged.
    """
    path = _sources(final, split)
    if not path.exists():
        return None
    known = load_json(path, name=str(path))
    if not isinstance(known, dict) or not all(isinstance(text, str) for text in known.values()):
        raise InputError(f"{path} is no list of digests: prepare again with --overwrite")
    return known


def write_made_of(final: pathlib.Path, split: str, digests: Mapping[str, str]) -> None:
    """Writes the file that `made_of` reads."""
    write_bytes(_sources(final, split), json.dumps(digests, indent=0).encode())


def write_info(
    builder: FolderBuilder,
    final: pathlib.Path,
    infos: Sequence[Any],
    videos: Mapping[str, Any],
    scratch: pathlib.Path,
) -> None:
    """Writes what TFDS needs to read a dataset; the file that completes it comes last.

    Args:
        builder: the builder of the dataset.
        final: the dataset's folder.
        infos: SplitInfo of each split.
        videos: {split: [[video, frames]]}.
        scratch: a folder on the same disk, which the caller removes afterwards.
    """
    builder.info.metadata.clear()
    builder.info.metadata.update(chunk=schema.CHUNK, videos=dict(videos))
    builder.info.set_splits(tfds.core.splits.SplitDict(list(infos)))
    scratch.mkdir(parents=True, exist_ok=True)
    builder.info.write_to_directory(scratch)
    for file in sorted(scratch.iterdir(), key=lambda path: path.name == _INFO):
        os.replace(file, final / file.name)


def remove(builder: FolderBuilder, final: pathlib.Path, split: str, scratch: pathlib.Path) -> None:
    """Removes a split, first from the dataset's metadata and then its files.

    Args:
        builder: the builder of the dataset.
        final: the dataset's folder.
        split: name of the split, which may be missing.
        scratch: as for `write_info`.

    Raises:
        InputError: the metadata is damaged, and describes other splits, too.
    """
    try:
        others = {name: info for name, info in splits(final).items() if name != split}
    except InputError:
        if {path.name for path in final.glob("report-*.json")} - {f"report-{split}.json"}:
            raise
        others = {}
    if others:
        kept = {name: listed for name, listed in videos(final).items() if name != split}
        write_info(builder, final, list(others.values()), kept, scratch)
    else:
        (final / _INFO).unlink(missing_ok=True)
    shards = final.glob(f"*-{split}.array_record-*-of-*")
    for file in [*shards, final / f"report-{split}.json", _sources(final, split)]:
        file.unlink(missing_ok=True)
    if not others:
        (final / "features.json").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            final.rmdir()


def _sources(final: pathlib.Path, split: str) -> pathlib.Path:
    return final / f"sources-{split}.json"
