"""The history of a video: an append-only file of changes, from which the state is made anew.

`history.jsonl` has a line for everything that was done, in the order in which it was done:

    {"do": "brush on frame 12", "change": CHANGE}       an action
    {"part": "forward from frame 12", "job": 7, "change": CHANGE}
    {"undo": 1}                                         the last action was taken back
    {"redo": 1}                                         and done again

Parts of one job that follow each other are one action, so that the frames of a propagation are kept
as they are made and undone together. An action is on the disk before `do` returns; parts and label
maps survive the end of the process at once, and a power cut once the job has ended.

`state.json` holds the tables as they were after a part of the file, so that opening a project does
not read all of it. It may be missing or damaged: the file of changes decides.
"""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from vosjax.errors import InputError
from vosjax.io.files import write_bytes
from vosjax.io.refusals import disk_full, writing
from vosjax.studio import tables
from vosjax.studio.tables import Change, Tables

FORMAT = 1
FILE, STATE, DAMAGED = "history.jsonl", "state.json", "history.damaged"
KEPT = 1 << 18  # bytes of changes after which the state is written again


class Action(NamedTuple):
    """Something that was done.

    name   what it is called
    begin  where its lines begin in the file
    end    where they end
    job    number of the job whose parts these are; None for a single change
    """

    name: str
    begin: int
    end: int
    job: int | None = None


class History:
    """The state of a video with all that was done to it.

        history = History(folder)
        history.do("brush on frame 12", {"pins": {"12": [None, [1]]}})
        history.undo()

    It is not safe for threads: its owner holds a lock.

    Attributes:
        tables: the present state, see `tables`.
        revision: a number that grows by one with every action, undo and redo.
        notes: lines about what had to be mended while it was opened.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens the history of a folder, or begins one.

        A line that was only half written is removed. If the file is damaged in its middle, what
        comes after is put aside as `history.damaged`.

        Raises:
            InputError: the folder cannot be read or written.
        """
        self.folder = pathlib.Path(folder)
        self.tables: Tables = tables.empty()
        self.revision = 0
        self.notes: list[str] = []
        self._actions: list[Action] = []
        self._applied = 0  # number of actions that are not undone
        self._kept = 0  # bytes of the file that state.json holds
        path = self.folder / FILE
        with writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self._replay(self._restored())

    @property
    def undoable(self) -> str | None:
        """The name of the action that `undo` takes back, or None."""
        return self._actions[self._applied - 1].name if self._applied else None

    @property
    def redoable(self) -> str | None:
        """The name of the action that `redo` does again, or None."""
        undone = self._applied < len(self._actions)
        return self._actions[self._applied].name if undone else None

    def do(self, name: str, change: Change) -> bool:
        """Does something: writes the change, waits for the disk, and applies it.

        Args:
            name: what it is called, as in 'brush on frame 12'.
            change: the change; an empty one is not an action.

        Returns:
            Whether there was anything to do.

        Raises:
            DiskFull: the disk is full; nothing is changed then.
        """
        if not change:
            return False
        self._take({"do": name, "change": change}, durable=True)
        return True

    def do_part(self, name: str, job: int, change: Change) -> None:
        """Does a part of what a job does, without waiting for the disk.

        Args:
            name: what the job is called.
            job: a number that no other job of this history has (`next_job`).
            change: the change.

        Raises:
            DiskFull: the disk is full; nothing is changed then.
        """
        if change:
            self._take({"part": name, "job": job, "change": change}, durable=False)

    def undo(self) -> str | None:
        """Takes the last action back; returns its name, or None if there is none."""
        name = self.undoable
        if name is not None:
            self._take({"undo": 1}, durable=True)
        return name

    def redo(self) -> str | None:
        """Does again what was undone last; returns its name, or None if there is nothing."""
        name = self.redoable
        if name is not None:
            self._take({"redo": 1}, durable=True)
        return name

    def next_job(self) -> int:
        """Returns a number for a new job."""
        return self._size + 1  # every job that did something made the file longer

    def sync(self) -> None:
        """Waits until everything is on the disk, and writes the state if much has changed."""
        os.fsync(self._file.fileno())
        if self._size - self._kept > KEPT:
            self.save()

    def save(self) -> None:
        """Writes `state.json`, from which the next opening is quick."""
        if self._kept == self._size:
            return
        state = {
            "format": FORMAT,
            "bytes": self._size,
            "revision": self.revision,
            "applied": self._applied,
            "actions": self._actions,
            "tables": self.tables,
        }
        write_bytes(self.folder / STATE, json.dumps(state).encode())
        self._kept = self._size

    def close(self) -> None:
        """Writes the state and closes the file."""
        self.save()
        self._file.close()

    def _take(self, record: dict[str, Any], *, durable: bool) -> None:
        """Appends a line and applies it."""
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        path, begin = self.folder / FILE, self._size
        with disk_full(path), writing(path):
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[self._file.write(rest) or 0 :]
                if durable:
                    os.fsync(self._file.fileno())
            except OSError:
                os.ftruncate(self._file.fileno(), begin)
                raise
        self._size = begin + len(line)
        self._apply(record, begin, self._size)
        if self._size - self._kept > KEPT and durable:
            self.save()

    def _apply(self, record: dict[str, Any], begin: int, end: int) -> None:
        if "undo" in record:
            if not self._applied:
                raise InputError("an undo without an action before it")
            action = self._actions[self._applied - 1]
            for change in reversed(list(self._changes(action))):
                tables.apply(self.tables, tables.inverse(change))
            self._applied -= 1
            self.revision += 1
            return
        if "redo" in record:
            if self._applied == len(self._actions):
                raise InputError("a redo without an undo before it")
            for change in self._changes(self._actions[self._applied]):
                tables.apply(self.tables, change)
            self._applied += 1
            self.revision += 1
            return
        change, job = tables.checked_change(record["change"]), record.get("job")
        del self._actions[self._applied :]
        last = self._actions[-1] if self._actions else None
        goes_on = job is not None and last is not None and (last.job, last.end) == (job, begin)
        if goes_on:
            assert last is not None
            self._actions[-1] = last._replace(end=end)
        else:
            self._actions.append(Action(str(record.get("do", record.get("part"))), begin, end, job))
            self._applied += 1
            self.revision += 1
        tables.apply(self.tables, change)

    def _changes(self, action: Action) -> Iterator[Change]:
        for _, _, record in self._lines(action.begin, action.end):
            yield tables.checked_change(record["change"])

    def _lines(self, begin: int, end: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Yields (begin, end, record) of the lines of a part of the file.

        Raises:
            ValueError: a line is no JSON, or was not written to its end.
        """
        with open(self.folder / FILE, "rb") as file:
            file.seek(begin)
            while begin < end:
                line = file.readline()
                if not line.endswith(b"\n"):
                    raise ValueError("a line that was not written to its end")
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("a line that is no record")
                yield begin, begin + len(line), record
                begin += len(line)

    def _restored(self) -> int:
        """Takes up `state.json`; returns how many bytes of the file it holds, 0 without it."""
        try:
            state = json.loads((self.folder / STATE).read_bytes())
            if state["format"] != FORMAT or not 0 <= state["bytes"] <= self._size:
                return 0
            actions = [Action(*entry) for entry in state["actions"]]
            restored = {name: dict(state["tables"][name]) for name in tables.NAMES}
            applied, revision = int(state["applied"]), int(state["revision"])
        except (OSError, ValueError, LookupError, TypeError):
            return 0
        if not 0 <= applied <= len(actions):
            return 0
        self.tables, self._actions, self._applied = restored, actions, applied
        self.revision, self._kept = revision, state["bytes"]
        return self._kept

    def _replay(self, begin: int) -> None:
        """Applies the lines from `begin` on; cuts the file where one cannot be applied."""
        good = begin
        try:
            for start, end, record in self._lines(begin, self._size):
                self._apply(record, start, end)
                good = end
        except (ValueError, LookupError, TypeError) as error:
            self._cut(good, error)

    def _cut(self, good: int, error: Exception) -> None:
        with open(self.folder / FILE, "rb") as file:
            file.seek(good)
            rest = file.read()
        if b"\n" in rest:  # else the process was killed while it wrote its last line
            write_bytes(self.folder / DAMAGED, rest)
            self.notes.append(
                f"the history is damaged after {good} bytes ({error}); what comes after is put "
                f"aside in {self.folder / DAMAGED}"
            )
        os.ftruncate(self._file.fileno(), good)
        self._size = good
