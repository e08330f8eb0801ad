"""Files that are whole or absent: writing under a temporary name, and full disks put into words."""

import contextlib
import errno
import json
import os
import pathlib
import re
import secrets
import shutil

from vosjax.errors import DiskFull, InputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}\.tmp(\.[^.]+)?")


@contextlib.contextmanager
def disk_full(path, *, frame: int | None = None):
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


def check_space(path, need: int):
    """Raises OSError(ENOSPC) unless `need` bytes are free where `path` is to stand.

    For writers (OpenCV's) that lose data on a full disk without a word.
    """
    if shutil.disk_usage(pathlib.Path(path).parent).free < need:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextlib.contextmanager
def atomic(path):
    """Yields a temporary path beside `path`, which replaces it when the block ends without error.

    The temporary name starts with a dot and keeps the ending, as some writers choose the format by
    it. Missing folders are made. On an error the temporary file is removed, and an older `path`
    stays as it was.

    Raises:
        DiskFull: the disk is full.
        InputError: the folder cannot be made or written.
    """
    path = pathlib.Path(path)
    # Not the process's number: processes of several machines may share the folder.
    temp = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    with disk_full(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temp
            os.replace(temp, path)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}): name a folder that can"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temp.unlink(missing_ok=True)


def is_temporary(path) -> bool:
    """Whether a file bears one of the names under which `atomic` has files written."""
    return _TEMPORARY.fullmatch(pathlib.Path(path).name) is not None


def sweep(folder, *, stem: str | None = None):
    """Removes the temporary files that killed writers left in a folder, if there is one.

    Only for folders (or with `stem`, files of that name without its ending) that nobody writes.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in list(pathlib.Path(folder).iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            if found and stem in (None, found["stem"]):
                path.unlink(missing_ok=True)


def write_bytes(path, data: bytes | memoryview):
    """Writes `data` to `path` atomically; errors as `atomic`."""
    with atomic(path) as temp, open(temp, "wb") as file:
        file.write(data)


def write_json(path, obj) -> None:
    """Writes `obj` as readable JSON to `path` atomically; errors as `atomic`."""
    write_bytes(path, (json.dumps(obj, indent=2, ensure_ascii=False) + "\n").encode())
