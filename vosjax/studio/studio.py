"""All parts of a running studio together: the project, the networks, the thread that computes."""

import dataclasses
import os
from typing import Any

from vosjax.errors import InputError
from vosjax.interactive.marker import MarkModel
from vosjax.loading.pretrained import Loaded
from vosjax.studio.clip import Clip
from vosjax.studio.job import Jobs
from vosjax.studio.marking import Marking
from vosjax.studio.project import Project
from vosjax.studio.worker import Worker


class NotAllowed(InputError):
    """Something that this server does not do for others."""


@dataclasses.dataclass
class Studio:
    """A running studio.

    studio = Studio.of(project, load(), load_marker(), largest=4 << 30, local=True)

    project  its videos
    worker   the thread that computes
    marking  makes masks of marks
    jobs     the propagations
    largest  largest number of bytes of an upload
    local    whether only this machine reaches the server, so that it may open files by their paths
    """

    project: Project
    worker: Worker
    marking: Marking
    jobs: Jobs
    largest: int
    local: bool

    @classmethod
    def of(
        cls,
        project: Project,
        model: Loaded,
        marker: MarkModel,
        *,
        largest: int,
        local: bool,
        max_short_side: int | None = None,
    ) -> "Studio":
        """Starts a studio with a network that tracks and one that marks."""
        worker = Worker()
        jobs = Jobs(model, worker, max_short_side=max_short_side)
        marking = Marking(marker, worker)
        worker.start(marking.prepare())
        return cls(project, worker, marking, jobs, largest, local)

    def state(self) -> dict[str, Any]:
        """Returns the project as the page gets it."""
        return self.project.state()

    def open_path(self, path: str | os.PathLike[str]) -> Clip:
        """Adds a video of this machine's disk.

        Raises:
            NotAllowed: other machines reach the server.
            InputError: it is no video.
        """
        if not self.local:
            raise NotAllowed("files are opened by their path on this machine alone: upload it")
        return self.project.add(path)

    def remove(self, id: str) -> None:
        """Moves a video to the trash, after its propagation has stopped.

        Raises:
            Missing: there is no such video.
        """
        clip = self.project.opened(id)
        if clip is not None:
            self.jobs.forget(clip)
            self.marking.forget(clip)
        self.project.remove(id)

    def undo(self, clip: Clip, *, redo: bool, expected: int | None = None) -> dict[str, Any]:
        """Undoes or does again, after a propagation that runs has stopped; returns the state."""
        with clip.lock:
            clip.check_revision(expected)
            self.jobs.stop(clip)
            return clip.undo(redo=redo)

    def close(self) -> None:
        """Stops what runs and writes what is not on the disk yet."""
        self.jobs.close()
        self.worker.close()
        self.project.close()
