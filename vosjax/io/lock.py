"""Locks that keep processes apart in a folder; a lock disappears with the process that holds it."""

import contextlib
import datetime
import errno
import json
import os
import pathlib
import secrets
import socket
from collections.abc import Callable, Iterator
from typing import Any

from vosjax.errors import InputError
from vosjax.io.refusals import writing

try:
    import fcntl
except ImportError:  # no Unix
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"  # name of the file in a folder that is locked as a whole
# Errors of file systems that have no locks.
_UNKNOWN = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTSUP)


class Held(InputError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], *, what: Any, shared: bool = False) -> Iterator[None]:
    """Holds a lock while the block runs.

        with locked("out/.lock", what="out"):
            write_everything()

    The lock is an operating system's lock on a file (`flock`), which ends with the process however
    the process ends. The file names its holder and is removed at the end. Where the file system has
    no such locks, the existence of the file is the lock, and a file left by a process of this
    machine that is no longer alive is taken over.

    Args:
        path: the lock's file; a missing folder is created, and removed again if it is still empty
            at the end.
        what: what messages call the thing that is locked.
        shared: whether others may hold the lock at the same time, if they share it, too. Where the
            file system has no locks, a shared lock keeps nobody out.

    Raises:
        Held: another process holds the lock; the message names that process.
        InputError: the file cannot be written.
    """
    path = pathlib.Path(path)
    with writing(path):
        is_new = not path.parent.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        release = _lock(path, what, shared)
    try:
        yield
    finally:
        release()
        if is_new:  # it is removed if nothing was written there
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def holder(path: str | os.PathLike[str]) -> str:
    """Describes who holds a lock, as far as its file says so.

    holder("out/.lock")     # 'process 4711 on host since 2026-01-31 12:00:00'
    """
    facts = _facts(pathlib.Path(path))
    if not facts:
        return "another process"
    return f"process {facts['process']} on {facts['host']} since {facts['since']}"


def _lock(path: pathlib.Path, what: Any, shared: bool) -> Callable[[], None]:
    """Takes the lock, and returns a function that releases it."""
    if fcntl is not None:
        try:
            return _flock(path, what, shared)
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
    return (lambda: None) if shared else _exclusive_file(path, what)


def _flock(path: pathlib.Path, what: Any, shared: bool) -> Callable[[], None]:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        made_it = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            if _is_file(descriptor, path):  # its last holder may just have removed it
                os.ftruncate(descriptor, 0)
                os.write(descriptor, _own_facts())
                return lambda: _release(descriptor, path)
        except (BlockingIOError, PermissionError) as error:
            os.close(descriptor)
            raise _held(path, what) from error
        except BaseException:
            os.close(descriptor)
            if made_it:  # without operating system's locks, it would count as a lock
                path.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _release(descriptor: int, path: pathlib.Path) -> None:
    """Releases a lock; the last holder removes the file."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_file(descriptor, path):
            path.unlink(missing_ok=True)
    os.close(descriptor)


def _is_file(descriptor: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _exclusive_file(path: pathlib.Path, what: Any) -> Callable[[], None]:
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError as error:
            facts = _facts(path)
            if path.exists() and not (facts and _is_dead(facts)):
                raise _held(path, what, remedy=True) from error
            _take_away(path, facts)
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(_own_facts())
        return lambda: path.unlink(missing_ok=True)


def _take_away(path: pathlib.Path, dead: dict[str, Any] | None) -> None:
    """Removes the lock of a dead process, unless another process has replaced it meanwhile."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, aside)
        if _facts(aside) == dead:
            aside.unlink()
        else:
            os.replace(aside, path)


def _held(path: pathlib.Path, what: Any, *, remedy: bool = False) -> Held:
    return Held(
        f"{what} is in use by {holder(path)}: wait until it is through, or name another --output"
        + (f"; if there is no such process any more, remove {path}" if remedy else "")
    )


def _own_facts() -> bytes:
    facts = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.datetime.now().isoformat(" ", "seconds"),
        "began": _began(os.getpid()),
    }
    return json.dumps(facts).encode()


def _facts(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns what a lock's file says about its holder, or None if it says nothing."""
    try:
        facts: dict[str, Any] = json.loads(path.read_bytes())
        return {name: facts[name] for name in ("process", "host", "since", "began")}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_dead(facts: dict[str, Any]) -> bool:
    """Returns whether a process is certainly gone, which can be known for this machine only."""
    if facts["host"] != socket.gethostname() or os.name != "posix":
        return False
    try:
        os.kill(facts["process"], 0)
    except ProcessLookupError:
        return True
    except (OSError, TypeError, OverflowError):
        return False
    return _began(facts["process"]) != facts["began"]  # else another process has its number now


def _began(process: int) -> str:
    """Returns when a process began, by the system's clock, or '' where that cannot be known."""
    try:
        status = pathlib.Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[19]
