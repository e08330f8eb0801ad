"""A video file of the net: opened with care, and its results given as they are made."""

import asyncio
import base64
import contextlib
import json
import pathlib
from collections.abc import AsyncIterator, Iterator

import av

from vosjax.errors import InputError
from vosjax.io.video import Frame, Video, open_video
from vosjax.server.forms import Prompt, Result, scores_of
from vosjax.server.refusal import Refused, one_line
from vosjax.server.sessions import Session, Sessions


async def video_results(
    sessions: Sessions,
    session: Session,
    path: pathlib.Path,
    stack: contextlib.AsyncExitStack,
) -> AsyncIterator[bytes]:
    """Opens a video, and returns an iterator of the results of its frames.

        lines = await video_results(sessions, session, path, stack)

    Closing the iterator ends the work; frames that were taken stay taken.

    Args:
        sessions: the server's sessions.
        session: the session that takes the frames.
        path: the file.
        stack: is closed at the end.

    Returns:
        An iterator of lines of JSON, each a `Result`; or at last {"error": line}.

    Raises:
        InputError: the file is no video, or its frames are too large or do not fit the session.
    """
    try:
        video = await sessions.aside(_opened, path, sessions.limits.max_pixels)
        if session.size not in (None, video.size):
            raise InputError(
                f"the video is {video.size[1]}x{video.size[0]}, the session's frames are "
                f"{session.size[1]}x{session.size[0]} (width x height)"
            )
    except BaseException:
        await stack.aclose()
        raise
    return _lines(sessions, session, video, stack)


def _opened(path: pathlib.Path, most: int) -> Video:
    try:
        # As in `io.video`: an open file and no protocols, so that a playlist opens nothing else.
        with open(path, "rb") as file, av.open(file, options={"protocol_whitelist": ""}) as opened:
            sizes = [(s.codec_context.width, s.codec_context.height) for s in opened.streams.video]
    except Exception as error:  # whatever decoders raise for damaged data
        raise InputError("what was sent is no video that can be read") from error
    for width, height in sizes:
        if width * height > most:
            raise InputError(
                f"the video claims frames of {width}x{height} pixels: at most {most:,} are taken "
                "here"
            )
    try:
        return open_video(path)
    except InputError as error:
        raise InputError(_nameless(error, path)) from error


async def _lines(
    sessions: Sessions, session: Session, video: Video, stack: contextlib.AsyncExitStack
) -> AsyncIterator[bytes]:
    frames: Iterator[Frame] = video.stream(0)
    async with stack:
        with session.streaming():
            try:
                while (frame := await sessions.aside(next, frames, None)) is not None:
                    taken = await sessions.step(session, frame.image, Prompt())
                    result = Result(
                        frame=taken.frame,
                        scores=scores_of(taken.scores),
                        labels=base64.b64encode(taken.png).decode(),
                    )
                    yield result.model_dump_json().encode() + b"\n"
            except (InputError, Refused) as error:
                line = _nameless(error, pathlib.Path(video.files[0]))
                yield json.dumps({"error": line}).encode() + b"\n"
            finally:
                closing = asyncio.ensure_future(sessions.aside(frames.close))  # type: ignore[attr-defined]
                await asyncio.shield(closing)


def _nameless(error: Exception, path: pathlib.Path) -> str:
    """Returns an error's line without the name of the server's file."""
    return one_line(error).replace(str(path), "that was sent")
