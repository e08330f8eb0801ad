"""The studio as an ASGI app: the page, the API, and what its errors mean."""

import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from vosjax.errors import InputError
from vosjax.server.app import create_app, running
from vosjax.server.refusal import install
from vosjax.server.sessions import Sessions
from vosjax.studio.clip import Conflict, Missing, Stale
from vosjax.studio.maps import Closed
from vosjax.studio.routes import router
from vosjax.studio.studio import NotAllowed, Studio
from vosjax.studio.uploads import TooLarge

PAGE = pathlib.Path(__file__).parent / "page"
STATUS: dict[type[InputError], int] = {
    NotAllowed: 403,
    Missing: 404,
    Closed: 404,
    Conflict: 409,
    Stale: 412,
    TooLarge: 413,
}


def make_app(
    studio: Studio,
    *,
    sessions: Sessions | None = None,
    ending: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Makes the app of a studio, which is closed with the app.

        app = make_app(Studio.of(project, load(), load_marker(), largest=4 << 30, local=True))

    Args:
        studio: the studio.
        sessions: those of other programs, below /v1 (`server.routes`); None serves the page alone.
        ending: tells whether the server is about to end, so that it need not wait for the pages
            that listen.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(studio.close)
            if sessions is not None:
                await stack.enter_async_context(running(sessions))
            yield

    app = FastAPI(
        title="vosjax studio",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.studio, app.state.ending = studio, ending
    app.include_router(router)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})

    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False), name="page")
    if sessions is not None:  # after all other routes, as it takes every address
        app.mount("/", create_app(sessions), name="programs")
    install(app, kinds=STATUS, more=_newest)
    return app


def _newest(request: Request, error: InputError) -> dict[str, Any]:
    """Returns the newest state for a page whose own is older."""
    if not isinstance(error, Stale):
        return {}
    return {"state": studio_of(request).project.clip(request.path_params["video"]).state()}


def studio_of(request: Request) -> Studio:
    """Returns the studio of a request's app."""
    studio: Studio = request.app.state.studio
    return studio
