"""Turns the refusals of a file system into one clear line."""

import contextlib
import errno
import os
import pathlib
import shutil
from collections.abc import Iterator

from vosjax.errors import DiskFull, InputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM)
# Reasons why a file cannot be written or read, and what to do about each.
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


@contextlib.contextmanager
def disk_full(path: str | os.PathLike[str], *, frame: int | None = None) -> Iterator[None]:
    """Turns a full disk inside the block into `DiskFull`.

        with disk_full("out/masks", frame=index - 1):
            write_everything_of(index)

    Args:
        path: the file or folder that is being written, for the message.
        frame: the last frame (0-based) whose files are all complete, if it is known; where an inner
            block does not know it, an outer one (the loop over the frames) can add it.

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
    """Turns a file system's refusal to write, inside the block, into an InputError.

        with writing("out/scores.csv"), open("out/scores.csv", "ab") as file:
            file.write(data)

    Args:
        path: the file or folder that is being written, for the message.

    Raises:
        DiskFull: the disk is full.
        InputError: it cannot be written, with the reason: permissions, a read-only file system, a
            file in the place of a folder, a name that is too long, a limit on sizes.
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
    """Turns a file system's refusal to read, inside the block, into an InputError.

        with reading("card.json"):
            text = pathlib.Path("card.json").read_text()

    A missing file (FileNotFoundError) and damaged content pass unchanged.

    Args:
        path: what messages call the file or folder that is being read.

    Raises:
        InputError: it must not or cannot be read, with the reason.
    """
    try:
        yield
    except OSError as error:
        refused = refusal(error, path, verb="read")
        if refused is None:
            raise
        raise refused from error


def refusal(error: OSError, path: str | os.PathLike[str], *, verb: str) -> InputError | None:
    """Returns the InputError for a refusal of the file system, or None for any other error.

        refusal(PermissionError(errno.EACCES, ""), "a.png", verb="read")
        # a.png may not be read: check its permissions

    Decoders raise OSErrors without a number for damaged content; these give None, as does a file to
    be read that is missing.

    Args:
        error: the error.
        path: what messages call the file.
        verb: what was attempted, 'read' or 'written'.
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
    """Returns the file that stands in a path where a folder is expected, if there is one."""
    path = pathlib.Path(str(path))
    return next((above for above in (path, *path.parents) if above.is_file()), None)


def check_space(path: str | os.PathLike[str], need: int) -> None:
    """Raises OSError(ENOSPC) unless `need` bytes are free in the file system of `path`.

        check_space("out/overlay.mp4", need=1 << 20)

    It is for writers such as OpenCV's, which lose data on a full disk without an error.
    """
    if shutil.disk_usage(pathlib.Path(path).parent).free < need:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
