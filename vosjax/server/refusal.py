"""What a server of the project says when something cannot be done: {"error": "one line"}."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from vosjax.errors import InputError

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


def install(app: FastAPI) -> None:
    """Has an app answer every error by one line of JSON.

        install(app)

    Args:
        app: the app; what its routes raise as `Refused` or `InputError` is for the client, and
            anything else is told as 'an error of the server' without its text.
    """

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"error": error.line}, error.status, error.headers)

    @app.exception_handler(InputError)
    def mistaken(request: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"error": one_line(error)}, 400)

    @app.exception_handler(RequestValidationError)
    def misformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": described(error)}, 422)

    @app.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

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
    return "; ".join(parts) + f" (and {len(problems) - 3} more)" * (len(problems) > 3)
