"""What a server of the project says when something cannot be done: {"error": "one line"}.

The statuses mean the same for the page and for programs:

    400  what came is no proper request of HTTP (`server.guard`)
    401  the token is missing or wrong
    403  it is not allowed from there
    404  what the request names is not there
    409  it cannot be done at this moment
    412  the state is newer than the one that the request was made for
    413  too much was sent
    422  the request is understood, and what it holds cannot be processed
    500  an error of the server, of which its log tells
    503  there is no room for it now
    507  the disk is full
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from vosjax.errors import DiskFull, InputError
from vosjax.io.names import printable

GONE = 499  # the client went away before it was answered; nobody sees this status


class Refused(Exception):
    """Ends a request with a status and one line for a person.

    raise Refused(404, "there is no session 'x'")
    """

    def __init__(self, status: int, line: str, **headers: str) -> None:
        """Makes the refusal.

        Args:
            status: the status of HTTP.
            line: what was given, what is expected, and what to do.
            **headers: headers of the answer, '_' in the place of '-'.
        """
        super().__init__(line)
        self.status, self.line = status, line
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


Kinds = Mapping[type[InputError], int]


def install(
    app: FastAPI,
    *,
    kinds: Kinds | None = None,
    more: Callable[[Request, InputError], dict[str, Any]] = lambda request, error: {},
) -> None:
    """Has an app answer every error by one line of JSON.

        install(app, kinds={Missing: 404})

    Args:
        app: the app; what its routes raise as `Refused` or `InputError` is for the client, and
            anything else is told as 'an error of the server' without its text.
        kinds: statuses of kinds of `InputError`; all others are 422, and a full disk is 507.
        more: more(request, error) returns what else the answer to an `InputError` holds.
    """
    statuses: dict[type[InputError], int] = {**(kinds or {}), DiskFull: 507, InputError: 422}

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"error": error.line}, error.status, error.headers)

    @app.exception_handler(InputError)
    def mistaken(request: Request, error: InputError) -> JSONResponse:
        status = next(status for kind, status in statuses.items() if isinstance(error, kind))
        return JSONResponse({"error": one_line(error), **more(request, error)}, status)

    @app.exception_handler(RequestValidationError)
    def misformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": described(error)}, 422)

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        line = f"{error.detail}: {request.method} {printable(request.url.path)[:100]}"
        return JSONResponse({"error": line}, error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    def vanished(request: Request, error: ClientDisconnect) -> JSONResponse:
        return JSONResponse({"error": "the upload broke off"}, GONE)

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "an error of the server, which its log tells of"}, 500)


def one_line(error: BaseException) -> str:
    """Returns an error's message as one line: `one_line(InputError("no\\nmask"))`."""
    return " ".join(str(error).split())[:500] or type(error).__name__


def described(error: RequestValidationError | ValidationError) -> str:
    """Returns what is wrong with a request's fields, as one line.

        described(error)    # 'boxes.7: Field required'

    Args:
        error: of FastAPI or pydantic.
    """
    problems: list[Any] = list(error.errors())
    parts = []
    for problem in problems[:3]:
        names = [str(name)[:40] for name in problem["loc"] if name not in ("body", "query")]
        text = " ".join(str(problem["msg"]).split())[:160]
        parts.append(f"{'.'.join(names)}: {text}" if names else text)
    return printable("; ".join(parts)) + f" (and {len(problems) - 3} more)" * (len(problems) > 3)
