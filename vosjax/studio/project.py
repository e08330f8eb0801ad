"""A project of the studio: a folder that holds all videos with everything that is known of them.

project.json                what the project is called, and its videos in their order
videos/ID/video.json        what a video is called and where its frames are
videos/ID/media/            the file or the frames that were uploaded
videos/ID/signs.npz         how each frame is recognised
videos/ID/history.jsonl     what was done (`history.py`); state.json beside it
videos/ID/maps/             label maps (`maps.py`)
incoming/                   what is being sent
trash/                      videos that were removed, until the next start
"""

import contextlib
import os
import pathlib
import secrets
import shutil
import threading
from typing import Any

from vosjax.errors import InputError
from vosjax.io import lock
from vosjax.io.content import load_json
from vosjax.io.files import sweep, write_json
from vosjax.io.names import printable
from vosjax.io.refusals import writing
from vosjax.studio.clip import Clip, Missing
from vosjax.studio.frames import ByteCache, Frames
from vosjax.studio.uploads import check_ending, safe_name, staging, unpacked

FORMAT = 1
FILE, VIDEO, SIGNS = "project.json", "video.json", "signs.npz"
VIDEOS, MEDIA, INCOMING, TRASH = "videos", "media", "incoming", "trash"
THUMBNAIL = 90  # height in pixels


def is_project(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder is that of a project.

    is_project("output/studio")
    """
    return (pathlib.Path(folder) / FILE).is_file()


class Project:
    """The videos of a folder.

        with Project("output/studio", cache=512 << 20) as project:
            clip = project.add("dog.mp4")

    It holds the folder's lock, so that no second server writes there. It may be used from several
    threads.
    """

    def __init__(self, folder: str | os.PathLike[str], *, cache: int) -> None:
        """Opens a project, or begins one in a new or empty folder.

        Args:
            folder: the folder.
            cache: largest number of bytes of frames that are kept in memory.

        Raises:
            InputError: the folder holds something else, cannot be written, or is in use.
        """
        self.folder = pathlib.Path(folder).absolute()
        self.cache = ByteCache(cache)
        self._lock = threading.RLock()
        self._opening: dict[str, threading.Lock] = {}
        self._clips: dict[str, Clip] = {}
        self._held = contextlib.ExitStack()
        strangers = not is_project(self.folder) and self.folder.is_dir() and os.listdir(self.folder)
        if strangers and set(strangers) - {lock.NAME}:
            raise InputError(
                f"{printable(folder)} holds other files and is no project: name a new or empty "
                "folder as --project"
            )
        self._held.enter_context(lock.locked(self.folder / lock.NAME, what=self.folder))
        try:
            self._open()
        except BaseException:
            self._held.close()
            raise

    def _open(self) -> None:
        for name in (INCOMING, TRASH):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        sweep(self.folder)
        if not is_project(self.folder):
            self._facts: dict[str, Any] = {"format": FORMAT, "name": self.folder.name, "videos": []}
            self._save()
            return
        name = f"project {printable(self.folder / FILE)}"
        facts = load_json(self.folder / FILE, name=name)
        if not isinstance(facts, dict) or not isinstance(facts.get("videos"), list):
            raise InputError(f"{name} is damaged: restore it, or name another folder")
        if facts.get("format") != FORMAT:
            raise InputError(f"{name} was made by another version (format {facts.get('format')!r})")
        self._facts = facts
        there = {path.parent.name for path in (self.folder / VIDEOS).glob(f"*/{VIDEO}")}
        listed = [id for id in facts["videos"] if id in there]
        self._facts["videos"] = [*listed, *sorted(there - set(listed))]

    @property
    def ids(self) -> list[str]:
        """The ids of the videos, in their order."""
        with self._lock:
            return list(self._facts["videos"])

    def state(self) -> dict[str, Any]:
        """Returns the project as the page gets it."""
        videos = []
        for id in self.ids:
            facts = self._video_facts(id)
            videos.append(
                {
                    "id": id,
                    **{key: facts[key] for key in ("name", "frames", "width", "height", "fps")},
                    "thumbnail": f"/api/videos/{id}/frames/0.jpg?height={THUMBNAIL}",
                }
            )
        return {"name": self._facts["name"], "folder": str(self.folder), "videos": videos}

    def clip(self, id: str) -> Clip:
        """Returns a video, opened where it is not yet.

        Raises:
            Missing: there is no such video.
            InputError: its frames are no longer where they were.
        """
        with self._lock:
            if id not in self._facts["videos"]:
                raise Missing(f"there is no video {printable(id)[:80]!r} in this project")
            opening = self._opening.setdefault(id, threading.Lock())
        with opening:
            clip = self._clips.get(id)
            if clip is None:
                clip = self._opened(id)
                with self._lock:
                    self._clips[id] = clip
            return clip

    def opened(self, id: str) -> Clip | None:
        """Returns a video if it is open."""
        with self._lock:
            return self._clips.get(id)

    def add(self, path: str | os.PathLike[str]) -> Clip:
        """Adds a video file or a folder of images that stays where it is.

        A video that the project has already is returned as it is.

        Raises:
            InputError: it is no video, or one that can be read once only.
        """
        try:
            path = pathlib.Path(path).expanduser().absolute()
            there = path.exists()
        except (OSError, RuntimeError, ValueError):  # a name that no file can have
            there = False
        if not there:
            raise InputError(f"there is no video at {printable(path)[:200]}: check the path")
        assert isinstance(path, pathlib.Path)
        for id in self.ids:
            if self._video_facts(id)["path"] == str(path):
                return self.clip(id)
        with self.incoming() as staged:
            return self._added(staged, path, name=path.name)

    def incoming(self) -> contextlib.AbstractContextManager[pathlib.Path]:
        """Yields a folder for something that is sent; it is removed unless `take` moves it."""
        return staging(self.folder / INCOMING / secrets.token_hex(8))

    def take(self, staged: pathlib.Path, name: str, *, most: int) -> Clip:
        """Adds the file of a folder of `incoming`.

            with project.incoming() as staged:
                ...  # the file is written to staged / safe_name(name)
                clip = project.take(staged, name, most=1 << 30)

        Args:
            staged: the folder.
            name: what the file is called by its sender.
            most: largest number of bytes that a zip may become.

        Raises:
            InputError: it is no video.
        """
        check_ending(name)
        file = staged / safe_name(name)
        media = staged / MEDIA
        if file.suffix == ".zip":
            source = unpacked(file, media, most=most)
            file.unlink()
        else:
            media.mkdir()
            source = media / file.name
            os.replace(file, source)
        shown = printable(pathlib.PurePath(name.replace("\\", "/")).name)[:120]
        return self._added(staged, source, name=shown)

    def remove(self, id: str) -> None:
        """Moves a video to the trash.

        Raises:
            Missing: there is no such video.
        """
        clip = self._clips.get(id)
        with self._lock:
            if id not in self._facts["videos"]:
                raise Missing(f"there is no video {printable(id)[:80]!r} in this project")
            self._facts["videos"].remove(id)
            self._clips.pop(id, None)
            if clip is not None:
                clip.close()
            with writing(self.folder / TRASH):
                (self.folder / TRASH).mkdir(exist_ok=True)
                os.replace(self.folder / VIDEOS / id, self.folder / TRASH / id)
            self._save()

    def restore(self, id: str) -> Clip:
        """Takes a video out of the trash again.

        Raises:
            Missing: it is not there.
        """
        with self._lock:
            if not (id.isascii() and id.replace("-", "").replace("_", "").isalnum()):
                raise Missing("there is no such video in the trash")
            if not (self.folder / TRASH / id / VIDEO).is_file():
                raise Missing(f"there is no video {printable(id)[:80]!r} in the trash")
            with writing(self.folder / VIDEOS):
                os.replace(self.folder / TRASH / id, self.folder / VIDEOS / id)
            self._facts["videos"].append(id)
            self._save()
        return self.clip(id)

    def close(self) -> None:
        """Writes what is not on the disk yet, and gives the folder free."""
        with self._lock:
            for clip in self._clips.values():
                clip.close()
            self._clips.clear()
        self._held.close()

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def _added(self, staged: pathlib.Path, source: pathlib.Path, *, name: str) -> Clip:
        """Reads a video once, and moves its folder to its place."""
        stem = safe_name(source.name if source.name != "frames" else name).partition(".")[0]
        stem = "".join(letter if letter.isascii() else "_" for letter in stem)[:40].strip("_")
        id = f"{stem or 'video'}-{secrets.token_hex(3)}".lower()
        frames = Frames.of(source, id, self.cache, signs=staged / SIGNS)
        if not frames.count:
            raise InputError(f"{printable(name)} has no frame that can be read")
        inside = staged in source.parents
        facts = {
            "name": name,
            "path": None if inside else str(source),
            "media": str(source.relative_to(staged)) if inside else None,
            "frames": frames.count,
            "width": frames.size[1],
            "height": frames.size[0],
            "fps": round(frames.access.video.fps, 4),
        }
        write_json(staged / VIDEO, facts)
        with self._lock, writing(self.folder / VIDEOS):
            (self.folder / VIDEOS).mkdir(exist_ok=True)
            os.replace(staged, self.folder / VIDEOS / id)
            self._facts["videos"].append(id)
            self._save()
        return self.clip(id)

    def _opened(self, id: str) -> Clip:
        folder, facts = self.folder / VIDEOS / id, self._video_facts(id)
        source = pathlib.Path(facts["path"]) if facts["path"] else folder / facts["media"]
        if not source.exists():
            raise InputError(
                f"the frames of {printable(facts['name'])} are no longer at {printable(source)}: "
                "put them back there, or remove the video"
            )
        frames = Frames.of(source, id, self.cache, signs=folder / SIGNS)
        if frames.size != (facts["height"], facts["width"]) or frames.count != facts["frames"]:
            raise InputError(
                f"{printable(source)} is another video than the one that was opened: it has "
                f"{frames.count} frames of {frames.size[1]}x{frames.size[0]}, not "
                f"{facts['frames']} of {facts['width']}x{facts['height']}"
            )
        return Clip(id, facts["name"], frames, folder, fps=facts["fps"])

    def _video_facts(self, id: str) -> dict[str, Any]:
        path = self.folder / VIDEOS / id / VIDEO
        name = f"video {printable(path)}"
        facts = load_json(path, name=name)
        keys = {"name", "path", "media", "frames", "width", "height", "fps"}
        if not isinstance(facts, dict) or not keys <= facts.keys():
            raise InputError(f"{name} is damaged: restore it")
        return facts

    def _save(self) -> None:
        write_json(self.folder / FILE, self._facts)
