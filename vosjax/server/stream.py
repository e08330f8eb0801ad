"""The WebSocket of a session: frames in, scores and labels out, in the order of the frames.

A binary message is a frame, a JPEG or PNG. A text message is a `Prompt` as JSON, for the frame that
follows. Every frame is answered by two messages: a text {"frame": 12, "scores": [...]} and a binary
PNG of labels; or, if it could not be taken, by one text {"frame": null, "error": "..."}.

A client that sends faster than frames are computed is held up: beyond a few frames nothing more is
read from it, until its network's buffers are full and its own sending waits. One that vanishes is
noticed at once, or, if so many of its frames wait that nothing is read, by its next answer.
"""

import asyncio
import contextlib
import json
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from vosjax.errors import InputError
from vosjax.server.forms import Prompt, scores_of
from vosjax.server.refusal import Refused, described, one_line
from vosjax.server.sessions import Session, Sessions
from vosjax.tracking.slots import HostArray

WAITING = 8  # frames that are read and not decoded yet
POLICY, AGAIN = 1008, 1013  # WebSocket's codes of closing
PATIENCE = 2.0  # seconds that the last message to a client may take

Sent = tuple[bytes, Prompt]
Decoded = tuple[HostArray | InputError, Prompt]


def add_stream(api: APIRouter, sessions: Sessions) -> None:
    """Adds the WebSocket to a router.

        add_stream(api, sessions)

    Args:
        api: the router.
        sessions: the server's sessions.
    """

    @api.websocket("/sessions/{id}/stream")
    async def stream(socket: WebSocket, id: str) -> None:
        await socket.accept()
        try:
            session = sessions.get(id)
        except Refused as refused:
            await _end(socket, POLICY, refused.line)
            return
        await _served(socket, sessions, session)


async def _served(socket: WebSocket, sessions: Sessions, session: Session) -> None:
    """Serves a client until it goes, sends what no client should, or the session is removed."""
    sent: asyncio.Queue[Sent] = asyncio.Queue(WAITING)
    decoded: asyncio.Queue[Decoded] = asyncio.Queue(1)
    tasks = {
        asyncio.create_task(_read(socket, sent)),
        asyncio.create_task(_decode(sessions, sent, decoded)),
        asyncio.create_task(_answer(socket, sessions, session, decoded)),
    }
    try:
        with session.streaming():  # not what follows: the end of a stream is not cut short
            done, _ = await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
        for task in done:
            task.result()
    except (WebSocketDisconnect, RuntimeError):  # the client has gone
        pass
    except Refused as refused:
        await _end(socket, POLICY, refused.line)
    except asyncio.CancelledError:
        await _end(socket, AGAIN, "the session was removed")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _read(socket: WebSocket, sent: "asyncio.Queue[Sent]") -> None:
    """Reads frames and prompts; a place in the queue is waited for before more is read."""
    prompt = Prompt()
    while True:
        message: Any = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        if message.get("bytes") is not None:
            await sent.put((message["bytes"], prompt))
            prompt = Prompt()
            continue
        try:
            prompt = Prompt.model_validate_json(message.get("text") or "")
        except ValidationError as error:
            raise Refused(422, f"a prompt is expected: {described(error)}") from error


async def _decode(
    sessions: Sessions, sent: "asyncio.Queue[Sent]", decoded: "asyncio.Queue[Decoded]"
) -> None:
    """Decodes the next frame while one is computed."""
    most = sessions.limits.max_frame_bytes
    while True:
        data, prompt = await sent.get()
        image: HostArray | InputError
        try:
            if len(data) > most:
                raise InputError(f"a picture is too large: at most {most:,} bytes are taken here")
            image = await sessions.decoded(data)
        except InputError as error:
            image = error
        await decoded.put((image, prompt))


async def _answer(
    socket: WebSocket, sessions: Sessions, session: Session, decoded: "asyncio.Queue[Decoded]"
) -> None:
    """Takes frames and sends their results."""
    while True:
        image, prompt = await decoded.get()
        try:
            if isinstance(image, InputError):
                raise image
            taken = await sessions.step(session, image, prompt)
        except InputError as error:
            await socket.send_text(json.dumps({"frame": None, "error": one_line(error)}))
            continue
        scores = [score.model_dump() for score in scores_of(taken.scores)]
        await socket.send_text(json.dumps({"frame": taken.frame, "scores": scores}))
        await socket.send_bytes(taken.png)


async def _end(socket: WebSocket, code: int, line: str) -> None:
    """Tells a client why its socket is closed, as a message and as the reason."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(PATIENCE):  # it may be one that reads nothing
            await socket.send_text(json.dumps({"frame": None, "error": line}))
            await socket.close(code, line.encode()[:120].decode("utf-8", "ignore"))
