"""One process a folder: a second one that would write there is told so, and writes nothing."""

import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import Iterator

from vosjax.errors import InputError


@contextlib.contextmanager
def hold(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keeps a folder for this process while the block runs; it is made when it is missing.

        with hold("runs/stcn"):
            ...

    The lock is on the folder itself, so no file is left behind, and it ends with the process,
    however that ends. File systems without locks give none.

    Raises:
      InputError: another process holds the folder, or it cannot be made or opened.
    """
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): name another --output"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise InputError(
                    f"another process is writing to {folder}: wait for it or stop it, or name "
                    "another --output"
                ) from error
        yield
    finally:
        os.close(handle)
