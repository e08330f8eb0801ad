"""The studio's HTTP API (docs/studio.md has the list of its routes)."""

import asyncio
import contextlib
import json
import pathlib
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from vosjax.errors import InputError
from vosjax.studio import bodies, exporting, importing, marking, objects
from vosjax.studio.clip import Clip, Missing
from vosjax.studio.studio import Studio
from vosjax.studio.uploads import check_ending, received, safe_name

FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
FRESH = {"cache-control": "no-store"}
MASKS = 512 << 20  # largest number of bytes of a file of masks
LOOK = 0.5  # seconds from one look whether the client is still there to the next


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


def _clip(video: str, request: Request) -> Clip:
    return _studio(request).project.clip(video)


def _expected(if_match: Annotated[str | None, Header()] = None) -> int | None:
    if if_match is None or if_match == "*":
        return None
    digits = if_match.strip('" ')
    if not digits.isdecimal() or len(digits) > 18:
        raise InputError(f"If-Match is {if_match[:20]!r}; the revision of the state is expected")
    return int(digits)


StudioOf = Annotated[Studio, Depends(_studio)]
ClipOf = Annotated[Clip, Depends(_clip)]
Expected = Annotated[int | None, Depends(_expected)]
State = dict[str, Any]

router = APIRouter(prefix="/api")
video_router = APIRouter(prefix="/videos/{video}")


@router.get("/project")
def project_state(studio: StudioOf) -> State:
    """Returns the project with its videos."""
    return studio.state()


@router.post("/videos")
async def upload_video(request: Request, studio: StudioOf, name: str) -> State:
    """Takes a video file, or a zip of frames, that is the request's body."""
    check_ending(name)
    with studio.project.incoming() as staged:
        await received(request.stream(), staged / safe_name(name), most=studio.largest)
        clip = await run_in_threadpool(studio.project.take, staged, name, most=studio.largest)
    return await run_in_threadpool(clip.state)


@router.post("/videos/open")
def open_path(body: bodies.OpenBody, studio: StudioOf) -> State:
    """Adds a video that lies on the server's disk; on the loopback alone."""
    return studio.open_path(body.path).state()


@video_router.delete("")
def remove_video(video: str, studio: StudioOf) -> State:
    """Moves a video to the trash."""
    studio.remove(video)
    return studio.state()


@video_router.post("/restore")
def restore_video(video: str, studio: StudioOf) -> State:
    """Takes a video out of the trash."""
    return studio.project.restore(video).state()


@video_router.get("")
def video_state(studio: StudioOf, clip: ClipOf) -> State:
    """Returns the state of a video, for which everything is compiled from then on."""
    studio.jobs.prepare(clip)
    return clip.state()


@video_router.get("/frames/{index}.jpg")
def frame_image(clip: ClipOf, index: int, height: int | None = None) -> Response:
    """Returns a frame as JPEG."""
    return Response(clip.frames.jpeg(index, height), media_type="image/jpeg", headers=FOR_EVER)


@video_router.get("/maps/{name}.png")
def label_map(clip: ClipOf, name: str) -> Response:
    """Returns a label map, an 8-bit grey PNG of object ids."""
    path = clip.maps.path(name)
    if not path.is_file():
        raise Missing(f"there is no label map {name}")
    return FileResponse(path, media_type="image/png", headers=FOR_EVER)


@video_router.post("/objects")
def add_object(clip: ClipOf, expected: Expected, body: bodies.NewObjectBody) -> State:
    """Adds an object."""
    return objects.add_object(clip, name=body.name, colour=body.colour, expected=expected)


@video_router.patch("/objects/{object_id}")
def change_object(
    clip: ClipOf, expected: Expected, object_id: int, body: bodies.ObjectBody
) -> State:
    """Names, colours, hides or shows an object."""
    return objects.change_object(
        clip,
        object_id,
        name=body.name,
        colour=body.colour,
        hidden=body.hidden,
        expected=expected,
    )


@video_router.delete("/objects/{object_id}")
def remove_object(clip: ClipOf, expected: Expected, object_id: int) -> State:
    """Removes an object."""
    return objects.remove_object(clip, object_id, expected=expected)


@video_router.post("/objects/{object_id}/merge")
def merge_objects(
    clip: ClipOf, expected: Expected, object_id: int, body: bodies.MergeBody
) -> State:
    """Makes an object part of another one."""
    return objects.merge_objects(clip, object_id, body.into, expected=expected)


@video_router.post("/mark")
def mark(studio: StudioOf, clip: ClipOf, expected: Expected, body: bodies.MarkBody) -> State:
    """Gives an object the mask that a box and clicks mean."""
    return studio.marking.mark(
        clip,
        frame=body.frame,
        object_id=body.object,
        box=body.box,
        points=body.points,
        expected=expected,
    )


@video_router.post("/scribble")
def scribble(
    studio: StudioOf, clip: ClipOf, expected: Expected, body: bodies.ScribbleBody
) -> State:
    """Gives an object the mask that strokes mean."""
    return studio.marking.scribble(
        clip,
        frame=body.frame,
        object_id=body.object,
        strokes=[(stroke.points, stroke.inside) for stroke in body.strokes],
        expected=expected,
    )


@video_router.post("/paint")
def paint(clip: ClipOf, expected: Expected, body: bodies.PaintBody) -> State:
    """Gives pixels to an object, or takes them from it."""
    return marking.paint(
        clip,
        frame=body.frame,
        object_id=body.object,
        kind=body.kind,
        points=body.points,
        radius=body.radius,
        erase=body.erase,
        expected=expected,
    )


@video_router.post("/clear")
def clear(clip: ClipOf, expected: Expected, body: bodies.ClearBody) -> State:
    """Removes the masks of a frame."""
    return marking.clear(clip, frame=body.frame, object_id=body.object, expected=expected)


@video_router.post("/pin")
def pin(clip: ClipOf, expected: Expected, body: bodies.PinBody) -> State:
    """Accepts the masks of a frame."""
    return marking.pin(clip, frame=body.frame, expected=expected)


@video_router.post("/propagate")
def start_propagation(
    studio: StudioOf, clip: ClipOf, expected: Expected, body: bodies.PropagateBody
) -> State:
    """Starts a propagation."""
    return studio.jobs.start(
        clip, frame=body.frame, direction=body.direction, to=body.to, expected=expected
    )


@video_router.post("/stop")
def stop(studio: StudioOf, clip: ClipOf) -> State:
    """Stops the propagation."""
    return studio.jobs.stop(clip)


@video_router.post("/undo")
def undo(studio: StudioOf, clip: ClipOf, expected: Expected) -> State:
    """Takes the last action back; a propagation that runs is stopped first."""
    return studio.undo(clip, redo=False, expected=expected)


@video_router.post("/redo")
def redo(studio: StudioOf, clip: ClipOf, expected: Expected) -> State:
    """Does again what was undone last; a propagation that runs is stopped first."""
    return studio.undo(clip, redo=True, expected=expected)


@video_router.get("/export")
async def export_masks(
    video: str, request: Request, studio: StudioOf, format: str, objects: str | None = None
) -> FileResponse:
    """Returns the masks as a file; `objects` names some of them by their ids, as in 1,2."""
    clip = await run_in_threadpool(_clip, video, request)
    ids = None if objects is None else _ids(objects)
    abandoned = threading.Event()
    stack = contextlib.ExitStack()
    staged = stack.enter_context(studio.project.incoming())
    watch = asyncio.create_task(_watch(request, abandoned))
    try:
        path = await run_in_threadpool(
            exporting.export, clip, format, staged, ids=ids, abandoned=abandoned
        )
    except BaseException:
        abandoned.set()
        stack.close()
        raise
    finally:
        watch.cancel()
    return _Passing(path, stack)


@video_router.post("/import")
async def import_masks(
    video: str,
    request: Request,
    studio: StudioOf,
    expected: Expected,
    format: Literal["auto"] = "auto",
    frame: int = 0,
) -> State:
    """Takes masks of a file that is the request's body, of any kind that is read."""
    clip = await run_in_threadpool(_clip, video, request)
    most = min(studio.largest, MASKS)
    with studio.project.incoming() as staged:
        await received(request.stream(), staged / "masks", most=most)
        data = await run_in_threadpool((staged / "masks").read_bytes)
    return await run_in_threadpool(
        importing.import_masks, clip, data, frame=frame, expected=expected
    )


class _Passing(FileResponse):
    """A file that is removed once it is sent, or the client has gone."""

    def __init__(self, path: pathlib.Path, staged: contextlib.ExitStack) -> None:
        kind = exporting.media_type(path)
        super().__init__(path, media_type=kind, filename=path.name, headers=FRESH)
        self._staged = staged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._staged:
            await super().__call__(scope, receive, send)


def _ids(text: str) -> list[int]:
    numbers = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 4 for part in numbers):
        raise InputError(f"objects is {text[:40]!r}; ids with commas are expected, as in 1,2")
    return [int(part) for part in numbers]


async def _watch(request: Request, abandoned: threading.Event) -> None:
    """Sets an event once the client has gone."""
    while not await request.is_disconnected():
        await asyncio.sleep(LOOK)
    abandoned.set()


@video_router.get("/events")
async def events(video: str, request: Request) -> StreamingResponse:
    """Tells what happens to a video, as server-sent events."""
    clip = await run_in_threadpool(_clip, video, request)

    async def lines() -> AsyncIterator[str]:
        def now() -> dict[str, Any]:
            return {"type": "state", "revision": clip.history.revision}

        async for event in clip.events.listen(now, request.app.state.ending):
            yield ": still here\n\n" if event is None else _line(event)

    return StreamingResponse(lines(), media_type="text/event-stream", headers=FRESH)


def _line(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"


router.include_router(video_router)
