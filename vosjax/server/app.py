"""The app of `vosjax serve`: the programs' API, its page, and what goes on between requests."""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse

import vosjax
from vosjax.errors import InputError
from vosjax.io.terminal import say
from vosjax.server import refusal, snapshots
from vosjax.server.routes import routes
from vosjax.server.sessions import Sessions

PAGE = pathlib.Path(__file__).parent / "page"
ABOUT = (
    "Video object segmentation for programs: make a session, send its frames with prompts, and get "
    "labels and scores. A stream of frames goes through the WebSocket /v1/sessions/ID/stream: "
    "pictures as binary messages, prompts as JSON before them."
)
LOOK = 1.0  # seconds from one look for idle sessions to the next


def create_app(sessions: Sessions, *, keep: pathlib.Path | None = None) -> FastAPI:
    """Makes the app; it has no guard (`server.guard`) yet.

        app = create_app(Sessions(vosjax.load(), ServeConfig()))

    Args:
        sessions: the sessions, which are closed when the app ends.
        keep: a folder in which sessions are kept from one server to the next, or None.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(sessions, keep):
            yield

    app = FastAPI(
        title="vosjax",
        version=vosjax.__version__,
        description=ABOUT,
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # those of FastAPI load scripts from elsewhere
        redoc_url=None,
    )
    refusal.install(app)
    app.include_router(routes(sessions))
    app.include_router(page())
    return app


def page() -> APIRouter:
    """Returns the routes of the API's page, for an app whose `openapi_url` is /v1/openapi.json.

    app.include_router(page())
    """
    api = APIRouter(prefix="/v1", include_in_schema=False)

    @api.get("/docs")
    def index() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @api.get("/docs/page.js")
    def script() -> FileResponse:
        return FileResponse(PAGE / "page.js", media_type="text/javascript")

    @api.get("/docs/style.css")
    def style() -> FileResponse:
        return FileResponse(PAGE / "style.css")

    return api


@contextlib.asynccontextmanager
async def running(sessions: Sessions, keep: pathlib.Path | None = None) -> AsyncIterator[None]:
    """Removes idle sessions while the block runs, and closes all at its end.

        async with running(sessions, pathlib.Path("kept")):
            ...

    Args:
        sessions: the server's sessions.
        keep: a folder: sessions that it holds are taken up first, and all are kept there at last.

    Raises:
        InputError: the folder cannot be used.
    """
    taken: list[str] = []
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{keep} cannot be made ({error.strerror}): name a folder") from error
        taken = await snapshots.take_up(sessions, keep)
        if taken:
            say(f"{keep}: {len(taken)} session{'s' * (len(taken) > 1)} taken up")
    watching = asyncio.create_task(_watch(sessions))
    try:
        yield
    finally:
        watching.cancel()
        try:
            if keep is not None:
                count = await snapshots.keep(sessions, keep, taken)
                say(f"{keep}: {count} session{'s' * (count != 1)} kept")
        finally:
            await sessions.close()


async def _watch(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(LOOK)
        sessions.remove_idle()
