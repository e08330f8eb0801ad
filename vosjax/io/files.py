"""Files that are whole or absent, and what a file system refuses put into one clear line."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator

from vosjax.errors import DiskFull, InputError

LONGEST_NAME = 255  # bytes of a file name, of all common file systems

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM)
# Why a file cannot be written or read, and what to do about it.
_REASONS = {
    errno.EROFS: ("the file system is read-only", "name a folder that can be written"),
    errno.EFBIG: (
        "it is larger than the file system or `ulimit -f` allows",
        "raise the limit, or name a folder on another file system",
    ),
    errno.ENAMETOOLONG: ("the name is too long for the file system", "give it a shorter name"),
    errno.ELOOP: ("its links lead in a circle", "remove or restore the links"),
    errno.EISDIR: ("a folder of that name is there", "name a file, or remove the folder"),
    errno.EIO: ("the device reports an error", "check the disk"),
    errno.EMFILE: ("too many files are open", "raise `ulimit -n`"),
    errno.ENFILE: ("too many files are open", "close other programs"),
    errno.ESTALE: ("the network file system lost it", "mount it again"),
}
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}\.tmp(?P<ending>\.[^.]+)?", re.DOTALL)
_ADDED = len(".") + len(".01234567.tmp")  # what a temporary name is longer by
_LONGEST_ENDING = 16  # characters of what counts as an ending that tells the format


@contextlib.contextmanager
def disk_full(path: str | os.PathLike[str], *, frame: int | None = None) -> Iterator[None]:
    """Translates a full disk inside the block into `DiskFull`.

    Args:
        path: the file or folder that is being written, for the message.
        frame: the last frame (0-based) whose files are all complete, where that is known; an inner
            block does not know it, so that an outer one (the loop over the frames) may add it.

    Raises:
        DiskFull: for ENOSPC and EDQUOT; other errors pass unchanged.
    """
    try:
        yield
    except DiskFull as error:
        if frame is None:
            raise
        raise DiskFull(f"{error}; {_complete(frame)}") from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        message = f"disk full while writing {path}: free some space and run the same command again"
        if frame is not None:
            message = f"{message}; {_complete(frame)}"
        raise DiskFull(message) from error


def _complete(frame: int) -> str:
    if frame < 0:
        return "no frame is complete yet"
    return f"what was written so far is complete up to frame {frame}"


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Translates what the file system refuses inside the block.

        with writing("out/scores.csv"), open("out/scores.csv", "ab") as file:
            file.write(data)

    Args:
        path: the file or folder that is being written, for the message.

    Raises:
        DiskFull: the disk is full.
        InputError: it cannot be written, and why: permissions, a read-only file system, a file in
            the place of a folder, a name that is too long, a limit of size.
    """
    with disk_full(path):
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise
            refused = refusal(error, path, verb="written")
            if refused is None:
                raise
            raise refused from error


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Translates what the file system refuses inside the block.

    What is missing (FileNotFoundError) and damaged content pass unchanged.

        with reading("card.json"):
            text = pathlib.Path("card.json").read_text()

    Args:
        path: what messages call the file or folder that is being read.

    Raises:
        InputError: it may not or cannot be read, and why.
    """
    try:
        yield
    except OSError as error:
        refused = refusal(error, path, verb="read")
        if refused is None:
            raise
        raise refused from error


def refusal(error: OSError, path: str | os.PathLike[str], *, verb: str) -> InputError | None:
    """The line for what a file system refused; None for an error that is not one of its refusals.

        refusal(PermissionError(errno.EACCES, ""), "a.png", verb="read")
        # a.png may not be read: check its permissions

    Decoders raise OSErrors too, without a number, about damaged content: those give None, as does
    a file to be read that is missing.

    Args:
        error: that was raised.
        path: what messages call the file.
        verb: what was attempted: 'read' or 'written'.
    """
    if error.errno in _FULL:
        return DiskFull(
            f"disk full while writing {path}: free some space and run the same command again"
        )
    if error.errno in _DENIED:
        return InputError(f"{path} may not be {verb}: check its permissions")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        reason = "a file stands where a folder is expected"
        obstacle = _file_above(path)
        if obstacle is not None:
            reason = f"{obstacle} is a file, not a folder"
        return InputError(f"{path} cannot be {verb} ({reason}): name a folder, or one below it")
    if error.errno == errno.ENOENT and verb == "written":
        return InputError(f"{path} cannot be written (its folder was removed): make it again")
    if error.errno not in _REASONS:
        return None
    reason, remedy = _REASONS[error.errno]
    return InputError(f"{path} cannot be {verb} ({reason}): {remedy}")


def _file_above(path: str | os.PathLike[str]) -> pathlib.Path | None:
    """The file that stands in a path where a folder is expected, if there is one."""
    path = pathlib.Path(str(path))
    return next((above for above in (path, *path.parents) if above.is_file()), None)


def check_space(path: str | os.PathLike[str], need: int) -> None:
    """Raises OSError(ENOSPC) unless `need` bytes are free where `path` is to stand.

    For writers (OpenCV's) that lose data on a full disk without a word.
    """
    if shutil.disk_usage(pathlib.Path(path).parent).free < need:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, which replaces it when the block ends without error.

    The temporary name starts with a dot and keeps the ending, as some writers choose the format by
    it; it is shortened where the file system would not take it. Missing folders are made. On an
    error the temporary file is removed, and an older `path` stays as it was.

    A durable file also survives a power cut: its content reaches the disk before it gets its name,
    and the name before this returns. Both together take some 15 ms (files of 4 kB on a busy virtual
    machine's disk: 0.3 to 5 ms without, 15 to 20 ms with it, 8 ms a file where `sync` is called for
    200 at once). So whoever writes a file for each frame passes False, and calls `sync` before
    writing the file that says that they are there.

    Args:
        path: the file.
        durable: whether to wait for the disk.

    Raises:
        DiskFull: the disk is full.
        InputError: the folder cannot be made or written.
    """
    path = pathlib.Path(path)
    # Not the process's number: processes of several machines may share the folder.
    stem, ending = _parts(path.name)
    temp = path.with_name(f".{_short(stem, ending)}.{secrets.token_hex(4)}.tmp{ending}")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temp
            if durable:
                sync([temp], folders=False)
            os.replace(temp, path)
            if durable:
                _sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temp.unlink(missing_ok=True)


def sync(paths: Iterable[str | os.PathLike[str]], *, folders: bool = True) -> None:
    """Waits until files, and their names in their folders, are on the disk; lost ones are left out.

        sync([out / "masks" / "00000.png", out / "masks" / "00001.png"])

    Args:
        paths: of files.
        folders: whether to wait for their names too.

    Raises:
        OSError: the disk could not take them.
    """
    files = [pathlib.Path(path) for path in paths]
    for path in files:
        try:
            with open(path, "r+b") as file:
                os.fsync(file.fileno())
        except FileNotFoundError:
            continue
    if folders:
        for folder in sorted({path.parent for path in files}):
            _sync_folder(folder)


def sync_all() -> None:
    """Waits until everything that was written on this machine is on its disks, where that exists.

    For thousands of files at once, before the one that says that they are complete: `sync` would
    take some milliseconds for each.
    """
    if hasattr(os, "sync"):
        os.sync()


def _sync_folder(folder: pathlib.Path) -> None:
    # Some systems cannot open folders, and some file systems cannot sync them.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def fitted(name: str, ending: str) -> str:
    """`name + ending`, shortened where it is longer than a file system takes.

        fitted("dog", ".json")      # dog.json

    The middle of a name that is too long gives way to a digest of the whole, so that two names
    never become one.
    """
    return _shortened(name, LONGEST_NAME - len(os.fsencode(ending))) + ending


def _parts(name: str) -> tuple[str, str]:
    """A file name's stem and the ending that tells its format; very long endings are none."""
    ending = pathlib.PurePath(name).suffix
    if not ending or len(os.fsencode(ending)) > _LONGEST_ENDING:
        return name, ""
    return name[: -len(ending)], ending


def _short(stem: str, ending: str) -> str:
    """The stem as it stands in temporary names."""
    return _shortened(stem, LONGEST_NAME - _ADDED - len(os.fsencode(ending)))


def _shortened(text: str, most: int) -> str:
    """At most so many bytes of a text: its beginning and a digest of all of it."""
    data = os.fsencode(text)
    if len(data) <= most:
        return text
    mark = f"~{hashlib.sha256(data).hexdigest()[:8]}"
    return data[: most - len(mark)].decode("utf-8", "ignore") + mark


def is_temporary(path: str | os.PathLike[str]) -> bool:
    """Whether a file bears one of the names under which `atomic` has files written."""
    return _TEMPORARY.fullmatch(pathlib.Path(path).name) is not None


def sweep(folder: str | os.PathLike[str], *, stem: str | None = None) -> None:
    """Removes the temporary files that killed writers left in a folder, if there is one.

    Only for folders (or with `stem`, files of that name without its ending) that nobody writes:
    whoever sweeps holds the lock (`vosjax.io.lock`) under which they are written.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in list(pathlib.Path(folder).iterdir()):
            match = _TEMPORARY.fullmatch(path.name)
            if match and (stem is None or match["stem"] == _short(stem, match["ending"] or "")):
                path.unlink(missing_ok=True)


def write_bytes(
    path: str | os.PathLike[str], data: bytes | memoryview, *, durable: bool = True
) -> None:
    """Writes `data` to `path` atomically; arguments and errors as of `atomic`."""
    with atomic(path, durable=durable) as temp, open(temp, "wb") as file:
        file.write(data)


def write_json(path: str | os.PathLike[str], obj: object) -> None:
    """Writes `obj` as readable JSON to `path` atomically; errors as `atomic`.

    File names that are no UTF-8 (lone surrogates in Python) are written as JSON's own escapes, so
    that reading gives back the very name.
    """
    text = json.dumps(obj, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
