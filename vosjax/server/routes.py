"""The programs' API, everything below /v1: sessions, frames, videos, prompts and snapshots."""

import base64
import contextlib
import pathlib
import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect

import vosjax
from vosjax.server import snapshots
from vosjax.server.forms import (
    Error,
    Facts,
    FrameForm,
    Prompt,
    Result,
    SessionState,
    Settings,
    scores_of,
)
from vosjax.server.guard import Limits
from vosjax.server.refusal import GONE, Refused, described
from vosjax.server.sessions import Session, Sessions, Taken
from vosjax.server.stream import add_stream
from vosjax.server.uploads import video_results

SessionId = Annotated[str, Path(pattern=f"^{snapshots.ID}$", description="a session")]
BINARY = {"schema": {"type": "string", "format": "binary"}}
RESULT = {"$ref": "#/components/schemas/Result"}
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Error, "description": "the client's mistake, in one line"},
    "5XX": {"model": Error, "description": "no room, or the server's mistake, in one line"},
}


def limits_of(sessions: Sessions) -> Limits:
    """Returns the limits of bodies below /v1, for the guard.

        app = guard(app, host=host, port=port, limits=limits_of(sessions))

    Args:
        sessions: the server's sessions.
    """
    limits, small = sessions.limits, 2**16
    frame = 4 * limits.max_frame_bytes + small  # with a mask, both in base64
    return Limits(
        body=small,
        larger=(
            ("/v1/sessions/*/frames", frame),
            ("/v1/sessions/*/prompt", frame),
            ("/v1/sessions/*/video", limits.max_video_bytes),
            ("/v1/sessions/*/snapshot", limits.max_snapshot_bytes),
        ),
    )


def routes(sessions: Sessions) -> APIRouter:
    """Makes the routes of the API, which any FastAPI app may include.

        app.include_router(routes(sessions))

    Args:
        sessions: the server's sessions.
    """
    api = APIRouter(prefix="/v1", responses=ERRORS)

    @api.get("", tags=["server"])
    async def facts() -> Facts:
        """Tells what the server is, and its limits."""
        limits = {name: getattr(sessions.limits, name) for name in _LIMITS}
        return Facts(
            version=vosjax.__version__,
            weights=sessions.model.card.get("sha256", ""),
            sessions=len(sessions),
            batch=sessions.batch,
            **limits,
        )

    @api.post("/sessions", status_code=201, tags=["sessions"])
    async def create(settings: Settings | None = None) -> SessionState:
        """Makes a session. Sessions of equal size and settings share calls of the device."""
        sessions.check_room()
        chosen = (settings or Settings()).model_dump()
        size = _size(chosen.pop("width"), chosen.pop("height"), sessions.limits.max_pixels)
        return _state(sessions.create(await sessions.tracker(**chosen), size))

    @api.get("/sessions/{id}", tags=["sessions"])
    async def look(id: SessionId) -> SessionState:
        """Tells how far a session is."""
        return _state(sessions.get(id))

    @api.delete("/sessions/{id}", status_code=204, tags=["sessions"])
    async def remove(id: SessionId) -> None:
        """Removes a session and frees what it holds at once."""
        sessions.remove(sessions.get(id))

    @api.post("/sessions/{id}/prompt", status_code=204, tags=["frames"])
    async def prompt(id: SessionId, prompt: Prompt) -> None:
        """Says what the next frame shows, whichever way it comes; replaces what waits."""
        sessions.get(id).prompt = prompt

    @api.post(
        "/sessions/{id}/frames",
        tags=["frames"],
        response_model=Result,
        responses={200: {"content": {"image/png": BINARY}}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "image/jpeg": BINARY,
                    "image/png": BINARY,
                    "application/json": {"schema": FrameForm.model_json_schema()},
                },
            }
        },
    )
    async def frame(id: SessionId, request: Request) -> Response:
        """Takes the next frame: a picture alone, or in JSON together with its prompt.

        The result is JSON, or with `Accept: image/png` the labels alone.
        """
        session = sessions.get(id)
        with session.queued():
            data, prompt = await _frame(sessions, request)
            image = await sessions.decoded(data)
            taken = await sessions.step(session, image, prompt, request.is_disconnected)
        if request.headers.get("accept", "").startswith("image/png"):
            return Response(
                taken.png, media_type="image/png", headers={"X-Frame": str(taken.frame)}
            )
        return JSONResponse(result_of(taken).model_dump())

    @api.post(
        "/sessions/{id}/video",
        tags=["frames"],
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {"schema": RESULT}}}},
        openapi_extra={"requestBody": {"content": {"video/mp4": BINARY}, "required": True}},
    )
    async def video(id: SessionId, request: Request) -> Response:
        """Takes all frames of a video file; the results come as they are made, a line each.

        A mistake in its midst is the last line, as {"error": ...}.
        """
        session = sessions.get(id)
        stack = contextlib.AsyncExitStack()
        async with stack:
            path = await _received(request, stack, "video")
            lines = await video_results(sessions, session, path, stack.pop_all())
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @api.get(
        "/sessions/{id}/snapshot",
        tags=["snapshots"],
        responses={200: {"content": {"application/octet-stream": BINARY}}},
        response_class=FileResponse,
    )
    async def save(id: SessionId) -> Response:
        """Gives a session's whole state, from which a session goes on bit by bit."""
        session = sessions.get(id)
        folder = tempfile.TemporaryDirectory(prefix="vosjax-")
        try:
            async with session.turn():
                if not session.prompt.is_empty():
                    raise Refused(409, "a prompt waits for its frame: send that first")
                path = pathlib.Path(folder.name) / "snapshot.npz"
                await snapshots.write(sessions, session, path)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(
            path,
            media_type="application/octet-stream",
            filename="session.npz",
            background=BackgroundTask(folder.cleanup),
        )

    @api.put(
        "/sessions/{id}/snapshot",
        tags=["snapshots"],
        openapi_extra={
            "requestBody": {"content": {"application/octet-stream": BINARY}, "required": True}
        },
    )
    async def restore(id: SessionId, request: Request) -> SessionState:
        """Puts a session into the state of a snapshot, of this session or another one."""
        session = sessions.get(id)
        async with contextlib.AsyncExitStack() as stack:
            path = await _received(request, stack, "snapshot")
            tracker, size = await snapshots.read(sessions, path)
            async with session.turn():
                session.tracker, session.size, session.prompt = tracker, size, Prompt()
        return _state(session)

    add_stream(api, sessions)
    return api


_LIMITS = (
    "max_sessions",
    "max_objects",
    "max_pixels",
    "max_mem_frames",
    "max_frame_bytes",
    "max_video_bytes",
    "max_snapshot_bytes",
    "idle",
)


def result_of(taken: Taken) -> Result:
    """Returns a frame's result as a form: `result_of(await sessions.step(...))`."""
    labels = base64.b64encode(taken.png).decode()
    return Result(frame=taken.frame, scores=scores_of(taken.scores), labels=labels)


def _state(session: Session) -> SessionState:
    tracker, size = session.tracker, session.size
    return SessionState(
        id=session.id,
        frames=tracker.time,
        width=size and size[1],
        height=size and size[0],
        objects=tracker.objects,
        waiting=not session.prompt.is_empty(),
        mem_every=tracker.mem_every,
        max_mem_frames=tracker.max_mem_frames,
        state_bytes=tracker.state_bytes,
    )


def _size(width: int | None, height: int | None, most: int) -> tuple[int, int] | None:
    if width is None and height is None:
        return None
    if width is None or height is None:
        raise Refused(422, "width and height belong together: give both, or neither")
    if width * height > most:
        raise Refused(422, f"{width}x{height} pixels are too many: at most {most:,} are taken here")
    return height, width


async def _frame(sessions: Sessions, request: Request) -> tuple[bytes, Prompt]:
    """Returns the picture and the prompt of a request's body."""
    try:
        body = await request.body()
    except ClientDisconnect as error:
        raise Refused(GONE, "the client has gone") from error
    prompt, most = Prompt(), sessions.limits.max_frame_bytes
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            form = await sessions.aside(FrameForm.model_validate_json, body)
        except ValidationError as error:
            raise Refused(422, described(error)) from error
        body, prompt = form.image, form
    if max(len(body), len(prompt.mask or b"")) > most:
        raise Refused(413, f"a picture is too large: at most {most:,} bytes are taken here")
    return body, prompt


async def _received(request: Request, stack: contextlib.AsyncExitStack, name: str) -> pathlib.Path:
    """Writes a request's body to a file in a folder of its own, which ends with the stack."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vosjax-"))
    path = pathlib.Path(folder) / name
    try:
        with open(path, "wb") as file:
            async for piece in _pieces(request):
                file.write(piece)
    except ClientDisconnect as error:
        raise Refused(GONE, "the client has gone") from error
    except OSError as error:
        raise Refused(507, f"the upload cannot be stored ({error.strerror})") from error
    return path


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece
