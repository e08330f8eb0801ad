"""The studio as an ASGI app: the page, the API, and every error as one line."""

import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from vosjax.errors import DiskFull, InputError
from vosjax.io.names import printable
from vosjax.server.app import create_app, running
from vosjax.server.sessions import Sessions
from vosjax.studio.clip import Clip, Conflict, Missing, Stale
from vosjax.studio.routes import router
from vosjax.studio.studio import NotAllowed, Studio
from vosjax.studio.uploads import TooLarge

PAGE = pathlib.Path(__file__).parent / "page"
STATUS: dict[type[InputError], int] = {
    NotAllowed: 403,
    Missing: 404,
    Conflict: 409,
    Stale: 412,
    TooLarge: 413,
    DiskFull: 507,
    InputError: 400,
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
    _put_errors_in_one_line(app)
    return app


def _put_errors_in_one_line(app: FastAPI) -> None:
    @app.exception_handler(InputError)
    async def refused(request: Request, error: InputError) -> JSONResponse:
        kinds = [kind for kind in STATUS if isinstance(error, kind)]
        body: dict[str, Any] = {"error": str(error)}
        if isinstance(error, Stale):
            clip: Clip = studio_of(request).project.clip(request.path_params["video"])
            body["state"] = clip.state()
        return JSONResponse(body, STATUS[kinds[0]])

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        line = f"{where or 'the request'}: {first['msg']}"
        return JSONResponse({"error": printable(line)[:300]}, 400)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        line = f"{error.detail}: {request.method} {printable(request.url.path)[:100]}"
        return JSONResponse({"error": line}, error.status_code, headers=error.headers)

    @app.exception_handler(ClientDisconnect)
    async def vanished(request: Request, error: ClientDisconnect) -> JSONResponse:
        return JSONResponse({"error": "the upload broke off"}, 400)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(
            {"error": f"unexpected error: {type(error).__name__}: {printable(error)[:200]}"}, 500
        )


def studio_of(request: Request) -> Studio:
    """Returns the studio of a request's app."""
    studio: Studio = request.app.state.studio
    return studio
