"""Snapshots of sessions: for clients, and for the folder of a server that ends and starts again.

A snapshot is an .npz file of raw arrays and JSON (`tracking.snapshot`). Nothing in it is ever run
or unpickled; what it claims is checked against its own bytes, the network and the server's limits
before anything is allocated. Compressed ones, whose few bytes may claim a whole memory, are
refused.
"""

import pathlib
import re
import warnings
import zipfile
from collections.abc import Iterable

from pydantic import ValidationError

from vosjax.errors import InputError, Note
from vosjax.io.files import write_bytes
from vosjax.loading.pretrained import Loaded
from vosjax.server.config import ServeConfig
from vosjax.server.forms import Prompt
from vosjax.server.prompts import most_slots
from vosjax.server.refusal import Refused, one_line
from vosjax.server.sessions import Session, Sessions
from vosjax.tracking import snapshot
from vosjax.tracking.tracker import Tracker

ID = r"[A-Za-z0-9_-]{1,64}"  # names of sessions
PROMPT = ".prompt.json"  # ending of the file of a prompt that waits


async def write(sessions: Sessions, session: Session, path: pathlib.Path) -> None:
    """Writes a session's state to a file.

        async with session.turn():
            await write(sessions, session, path)

    Args:
        sessions: the server's sessions.
        session: the session, which nobody else may use meanwhile.
        path: the file.
    """
    saved = await sessions.on_device(lambda: session.tracker.state)
    await sessions.aside(snapshot.save, path, saved)


async def read(sessions: Sessions, path: pathlib.Path) -> tuple[Tracker, tuple[int, int] | None]:
    """Reads a tracker, and the (H, W) of its frames, of a file that may come from anybody.

        tracker, size = await read(sessions, path)

    Args:
        sessions: the server's sessions.
        path: the file.

    Raises:
        InputError: the file is no snapshot, is damaged, belongs to another network, or is beyond
            the server's limits.
    """
    saved = await sessions.aside(_checked, path, sessions.model, sessions.limits)
    tracker = await sessions.on_device(lambda: Tracker.restore(saved, sessions.model))
    return tracker, saved.books.size


def _checked(path: pathlib.Path, model: Loaded, limits: ServeConfig) -> snapshot.Snapshot:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise InputError("the snapshot is compressed: send it as the server gave it")
        saved = snapshot.load(path)
    except InputError as error:
        line = str(error).replace(str(path), "what was sent")
        raise InputError(line.replace(f"; remove it, and {snapshot.ANEW}", "")) from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError("what was sent is no snapshot: send it as the server gave it") from error
    books = saved.books
    for name, value, most in (
        (
            "pixels in a frame",
            books.size[0] * books.size[1] if books.size else 0,
            limits.max_pixels,
        ),
        ("objects", len(books.objects.followed), limits.max_objects),
        ("slots", books.objects.count, 2 * most_slots(model.model.vos.slots, limits)),
        ("as its limit of memory frames", books.max_mem_frames, limits.max_mem_frames),
        ("memory frames", books.memory.capacity, 2 * limits.max_mem_frames),
    ):
        if value > most:
            raise InputError(f"the snapshot has {value:,} {name}: at most {most:,} are taken here")
    return saved


async def keep(sessions: Sessions, folder: pathlib.Path, before: Iterable[str] = ()) -> int:
    """Writes all sessions to a folder, and returns their number.

        count = await keep(sessions, pathlib.Path("kept"), before=await take_up(sessions, folder))

    Args:
        sessions: the server's sessions.
        folder: the folder.
        before: the sessions that were taken up from it; the files of those that were removed since
            are removed.
    """
    present = set()
    for session in sessions:
        waiting = folder / f"{session.id}{PROMPT}"
        async with session.turn():
            await write(sessions, session, folder / f"{session.id}.npz")
            if session.prompt.is_empty():
                waiting.unlink(missing_ok=True)
            else:
                write_bytes(waiting, session.prompt.model_dump_json().encode())
        present.add(session.id)
    for id in set(before) - present:
        for ending in (".npz", PROMPT):
            (folder / f"{id}{ending}").unlink(missing_ok=True)
    return len(present)


async def take_up(sessions: Sessions, folder: pathlib.Path) -> list[str]:
    """Makes the sessions that `keep` wrote to a folder, and returns their ids.

        ids = await take_up(sessions, pathlib.Path("kept"))

    A file that cannot be used is noted and left as it is, as are those for which there is no room.

    Args:
        sessions: the server's sessions.
        folder: the folder.
    """
    taken = []
    for path in sorted(folder.glob("*.npz")):
        if not re.fullmatch(ID, path.stem):
            continue
        waiting = folder / f"{path.stem}{PROMPT}"
        try:
            prompt = Prompt()
            if waiting.is_file():
                prompt = Prompt.model_validate_json(waiting.read_bytes())
            tracker, size = await read(sessions, path)
            session = sessions.create(tracker, size, id=path.stem)
        except (InputError, Refused, ValidationError) as error:
            warnings.warn(f"{path} is not taken up: {one_line(error)}", Note, stacklevel=2)
            continue
        session.prompt = prompt
        taken.append(session.id)
    return taken
