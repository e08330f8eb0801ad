"""A propagation of the studio: steps for the worker, frames for the history, news for the pages."""

import threading
import time
from collections.abc import Generator
from typing import Any

from vosjax.errors import InputError
from vosjax.studio import tables
from vosjax.studio.annotations import MadeFrame
from vosjax.studio.clip import Clip, Conflict, Values, score_row
from vosjax.studio.following import FrameStep, Trackers, follow, plan_from
from vosjax.studio.worker import Worker

OFTEN = 0.1  # seconds from one word about the progress to the next
SOON = 0.02  # seconds that the worker waits for a compilation before it looks for calls
LONGEST = 300  # characters of an unexpected error
WINDOW = 20  # frames of which the speed is taken


class Job:
    """A propagation that is under way.

        job = Job(clip, trackers, frame=0, direction="forward")
        worker.start(job.steps())
        job.stop()

    Frames that are made are kept, whether it is stopped, fails or is killed.
    """

    def __init__(
        self,
        clip: Clip,
        trackers: Trackers,
        *,
        frame: int,
        direction: str,
        to: int | None = None,
        ready: threading.Event | None = None,
    ) -> None:
        """Plans a propagation; `clip.lock` is held.

        Args:
            clip: the video.
            trackers: makes its trackers.
            frame: index of the frame whose masks are followed.
            direction: 'forward', 'backward' or 'both'.
            to: index of the last frame; None for as far as it goes.
            ready: is set once everything is compiled, for which the first frame waits.

        Raises:
            InputError: nothing is marked in the frame, or there is no frame to be made.
        """
        passes = plan_from(clip, frame, direction, count=clip.frames.count, to=to)
        total = sum(len(way.frames) for way in passes)
        if not total:
            raise InputError(
                f"there is no frame to be made {direction} of frame {frame}: the next one is "
                "pinned, or the video ends"
            )
        self._clip, self._passes, self._trackers = clip, passes, trackers
        self._number, self._ready = clip.history.next_job(), ready
        self._name = f"{direction} from frame {frame}"
        self._times: list[float] = [time.monotonic()]
        self._told = 0.0
        last = passes[0].frames[-1] if to is None else to
        self.state: dict[str, Any] = {
            "kind": "propagate",
            "direction": direction,
            "from": frame,
            "to": last,
            "at": frame,
            "done": 0,
            "total": total,
            "fps": 0.0,
            "state": "running",
            "error": None,
        }

    @property
    def running(self) -> bool:
        """Whether frames are still made."""
        return self.state["state"] == "running"

    def stop(self) -> None:
        """Stops it: no further frame is kept, from this moment on."""
        with self._clip.lock:
            if self.running:
                self._end("stopped")

    def steps(self) -> Generator[None]:
        """Makes frame after frame; for the worker."""
        try:
            while self._ready is not None and not self._ready.wait(SOON):
                yield
                if not self.running:
                    return
            steps = follow(self._clip, self._clip.frames.access, self._passes, self._trackers)
            for step in steps:
                if not self._take(step):
                    steps.close()
                    return
                yield
        except InputError as error:
            self._fail(str(error))
        except Exception as error:
            text = " ".join(str(error).split())[:LONGEST]
            self._fail(f"unexpected error: {type(error).__name__}: {text}")
        else:
            with self._clip.lock:
                if self.running:
                    self._end("done")
        finally:
            with self._clip.lock:
                if self.running:  # the server ends
                    self._end("stopped")

    def _take(self, step: FrameStep) -> bool:
        """Keeps a frame; returns whether the job goes on."""
        clip = self._clip
        with clip.lock:
            if not self.running:
                return False
            made = step.combined(clip)
            if made is None:
                return True
            first, revision = not self.state["done"], clip.history.revision
            change = tables.changed(clip.history.tables, self._values(made))
            clip.history.do_part(self._name, self._number, change)
            self._times.append(time.monotonic())
            del self._times[: -WINDOW - 1]
            self.state["at"], self.state["done"] = made.frame, self.state["done"] + 1
            span = self._times[-1] - self._times[0]
            self.state["fps"] = round((len(self._times) - 1) / span, 2) if span else 0.0
            rows = clip.history.tables["scores"].get(str(made.frame), {})
            name = clip.history.tables["labelled"].get(str(made.frame))
            clip.events.send({"type": "map", "frame": made.frame, "hash": name, "scores": rows})
            if first or clip.history.revision != revision:
                clip.tell()
            self._tell()
        return True

    def _values(self, made: MadeFrame) -> Values:
        rows = dict(self._clip.history.tables["scores"].get(str(made.frame), {}))
        for id, (probability, area, _) in made.scores.items():
            rows[str(id)] = score_row(probability, area)
        return {
            "labelled": {made.frame: self._clip.maps.put(made.labels, durable=False)},
            "scores": {made.frame: rows},
        }

    def _tell(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._told >= OFTEN:
            self._told = time.monotonic()
            self._clip.events.send({"type": "job", **self.state})

    def _fail(self, line: str) -> None:
        with self._clip.lock:
            if self.running:
                self.state["error"] = line
                self._end("failed")

    def _end(self, state: str) -> None:
        self.state["state"] = state
        self._tell(now=True)
        self._clip.tell()
        # Waiting for the disk takes its time, and nobody has to wait for that.
        threading.Thread(target=self._clip.sync, name="sync", daemon=True).start()


class Jobs:
    """The propagations of a project: at most one a video, all in one worker.

    jobs = Jobs(model, worker)
    jobs.start(clip, frame=0, direction="forward")
    jobs.stop(clip)
    """

    def __init__(self, model: Any, worker: Worker, *, max_short_side: int | None = None) -> None:
        """Takes the model, from `load`, and the worker."""
        self._model, self._worker, self._short = model, worker, max_short_side
        self._jobs: dict[str, Job] = {}
        self._trackers: dict[str, tuple[Trackers, threading.Event]] = {}
        self._compiling: list[threading.Thread] = []

    def start(
        self,
        clip: Clip,
        *,
        frame: int,
        direction: str,
        to: int | None = None,
        expected: int | None = None,
    ) -> dict[str, Any]:
        """Starts a propagation; returns the state.

        Raises:
            Conflict: one runs already.
            Stale: the state has another revision.
            InputError: as for `Job`.
        """
        with clip.lock:
            clip.check_revision(expected)
            if self.running(clip):
                raise Conflict("a propagation of this video runs already: stop it first")
            trackers, ready = self.prepare(clip)
            job = Job(clip, trackers, frame=frame, direction=direction, to=to, ready=ready)
            self._jobs[clip.id], clip.job = job, job.state
            self._worker.start(job.steps())
            clip.events.send({"type": "job", **job.state})
            return clip.state()

    def prepare(self, clip: Clip) -> tuple[Trackers, threading.Event]:
        """Begins to compile what a video needs, in a thread, unless that was done before.

        Returns:
            What makes its trackers, and an event that is set once they are compiled.
        """
        with clip.lock:
            if clip.id not in self._trackers:
                trackers, ready = (
                    Trackers(self._model, count=clip.frames.count, max_short_side=self._short),
                    threading.Event(),
                )

                def compile() -> None:
                    try:
                        trackers.prepare(clip.frames.size)
                    except Exception as error:
                        clip.history.notes.append(f"compiling ahead failed: {error}")
                    finally:
                        ready.set()

                thread = threading.Thread(target=compile, name="compile", daemon=True)
                thread.start()
                self._compiling.append(thread)
                self._trackers[clip.id] = trackers, ready
            return self._trackers[clip.id]

    def stop(self, clip: Clip) -> dict[str, Any]:
        """Stops the propagation of a video, if one runs; returns the state."""
        job = self._jobs.get(clip.id)
        if job is not None:
            job.stop()
        with clip.lock:
            return clip.state()

    def running(self, clip: Clip) -> bool:
        """Whether a propagation of a video runs."""
        job = self._jobs.get(clip.id)
        return job is not None and job.running

    def forget(self, clip: Clip) -> None:
        """Stops what runs and forgets the video."""
        self.stop(clip)
        self._jobs.pop(clip.id, None)
        self._trackers.pop(clip.id, None)

    def close(self) -> None:
        """Stops all propagations, and waits for what is being compiled, which nothing can stop."""
        for job in list(self._jobs.values()):
            job.stop()
        for thread in self._compiling:
            thread.join()
