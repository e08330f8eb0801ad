"""What stands before every server of the project: who may speak to it, and how much they may send.

A server on one's own machine is within reach of every page that the browser has open. Three checks
keep those pages out: the `Host` has to be this machine (a foreign name that is made to point here,
DNS rebinding, is refused), the `Origin` has to be the server's own, and a request that a foreign
page causes without an origin is told by `Sec-Fetch-Site`. A server that other machines reach has to
have a token.
"""

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from vosjax.errors import InputError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

SHORTEST_TOKEN = 16  # characters
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


class Limits(NamedTuple):
    """How much a request may send, and how long it may take over it.

    body      largest body in bytes
    larger    pairs (path, bytes) for the paths whose bodies may be larger (or smaller); `*` in a
              path stands for one part of it, as in '/api/videos/*/import'
    patience  longest time in seconds from one piece of a body to the next
    """

    body: int = 2**24
    larger: tuple[tuple[str, int], ...] = ()
    patience: float = 60.0

    def bytes_of(self, path: str) -> int:
        """Returns the largest body of a path.

        limits.bytes_of("/api/videos")      # 16777216
        """
        for pattern, most in self.larger:
            parts = (re.escape(part).replace(r"\*", "[^/]+") for part in pattern.split("/"))
            if re.fullmatch("/".join(parts), path):
                return most
        return self.body


class _Refusal(Exception):
    """Raised where a request is refused: its status and one line for a person."""

    def __init__(self, status: int, line: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(line)
        self.status, self.line, self.headers = status, line, headers


def is_loopback(host: str) -> bool:
    """Returns whether an address is reached from this machine alone.

        is_loopback("127.0.0.1")        # True
        is_loopback("0.0.0.0")          # False

    Args:
        host: an address, or 'localhost'; any other name is taken as one that others reach.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def token_for(host: str, token: str | None) -> str | None:
    """Returns the token of a server: the one given, or a new one where others reach the server.

        token = token_for("0.0.0.0", None)      # 43 random characters, to be printed

    Args:
        host: the address that the server listens on.
        token: the user's token; None on the loopback: none is needed.

    Raises:
        InputError: the token is too short, or holds characters that no header may hold.
    """
    if token is None:
        return None if is_loopback(host) else secrets.token_urlsafe(32)
    if len(token) < SHORTEST_TOKEN or not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token):
        raise InputError(
            f"the token has {len(token)} characters: at least {SHORTEST_TOKEN} of A-Z a-z 0-9 "
            "and ._~+/=- are expected; leave it out to have one made"
        )
    return token


def guard(
    app: App, *, host: str, port: int, token: str | None = None, limits: Limits | None = None
) -> App:
    """Puts the guard before an ASGI app.

        app = guard(app, host="127.0.0.1", port=8765, token=None, limits=Limits(body=2**20))

    A request that is refused is answered by {"error": "one line"}: 400 for a path with '..', 401
    without the token, 403 for a foreign page, 408 for a body that does not arrive, 413 for one that
    is too large (also if its length was not told, and then the app sees the client vanish), 421 for
    a foreign `Host`.

    The token is taken from `Authorization: Bearer TOKEN`, from a cookie, or from `?token=TOKEN`. A
    page that is opened with `?token=` is opened again without it, and has the cookie from then on.

    Args:
        app: the app.
        host: the address that the server listens on.
        port: its port, after which the cookie is called.
        token: what has to be known to speak to the server; None on the loopback: nothing.
        limits: how much may be sent; None takes the defaults.

    Raises:
        InputError: others reach the server, and there is no token.
    """
    if token is None and not is_loopback(host):
        raise InputError(
            f"a server on {host} is reached by other machines: give it a token, or let it listen "
            "on 127.0.0.1"
        )
    return _Guard(app, host, f"vosjax_{port}", token, limits or Limits())


class _Guard:
    def __init__(self, app: App, host: str, cookie: str, token: str | None, limits: Limits) -> None:
        self._app, self._local, self._cookie = app, is_loopback(host), cookie
        self._token, self._limits = token, limits

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            scope = self._admitted(scope)
            if scope["type"] == "http":
                _check_length(scope, self._limits.bytes_of(scope["path"]))
        except _Refusal as refusal:
            await _refuse(scope, send, refusal)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, send, self._limits.bytes_of(scope["path"]), self._limits.patience)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if body.refusal is None:
                raise
        if body.refusal is not None and not body.answered:
            await _refuse(scope, send, body.refusal)

    def _admitted(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Returns the scope without the token, or raises `_Refusal`."""
        path = scope["path"]
        if ".." in re.split(r"[/\\]", path) or "\0" in path:
            raise _Refusal(400, "a path may not have '..' or a zero byte in it")
        hosts = _values(scope, b"host")
        if len(hosts) != 1:
            raise _Refusal(400, f"a request has one Host header; {len(hosts)} were given")
        if self._local and not is_loopback(_split(f"//{hosts[0]}").hostname or ""):
            raise _Refusal(
                421, f"this server answers as localhost, not as {hosts[0][:80]!r} (Host header)"
            )
        _check_origin(scope, hosts[0])
        return scope if self._token is None else self._known(scope)

    def _known(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        told = [value for name, value in query if name == "token"]
        bearers = [
            value[7:].strip()
            for value in _values(scope, b"authorization")
            if value[:7].lower() == "bearer "
        ]
        cookies = [
            jar[self._cookie].value
            for jar in map(_jar, _values(scope, b"cookie"))
            if self._cookie in jar
        ]
        if not any([self._is_token(word) for word in (*bearers, *told, *cookies)]):
            raise _Refusal(
                401,
                "a token is needed, and none or a wrong one was given: send the header "
                "'Authorization: Bearer TOKEN', or open the page with ?token=TOKEN",
                (b"www-authenticate", b"Bearer"),
            )
        if not told:
            return scope
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        if scope["type"] == "http" and any("text/html" in v for v in _values(scope, b"accept")):
            address = quote(scope["path"]) + f"?{rest}" * bool(rest)
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Lax"
            cookie += "; Secure" * (scope.get("scheme") == "https")
            raise _Refusal(
                303,
                "go on without the token in the address",
                # Two slashes at the beginning would name another server.
                (b"location", ("/" + address.lstrip("/")).encode()),
                (b"set-cookie", cookie.encode()),
            )
        return {**scope, "query_string": rest.encode("latin-1")}

    def _is_token(self, word: str) -> bool:
        assert self._token is not None
        return hmac.compare_digest(word.encode("utf-8", "replace"), self._token.encode())


class _Body:
    """Counts what a request sends; once it is too much, the app sees the client vanish."""

    def __init__(self, receive: Receive, send: Send, most: int, patience: float) -> None:
        self._receive, self._send = receive, send
        self._left, self._most, self._patience = most, most, patience
        self._whole = self.answered = False
        self.refusal: _Refusal | None = None

    async def receive(self) -> Message:
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        if self._whole:  # what comes now is that the client has gone, whenever that is
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._patience)
        except TimeoutError:
            self.refusal = _Refusal(408, f"nothing more came for {self._patience:g} s")
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                self.refusal = _too_large(self._most)
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.answered:
            return  # the refusal is the answer, whatever the app says of a client that vanished
        if message["type"] == "http.response.start":
            self.answered = True
            message = {**message, "headers": _secured(message.get("headers", ()))}
        await self._send(message)


def _check_origin(scope: MutableMapping[str, Any], host: str) -> None:
    """Raises `_Refusal` if a page of another server causes the request."""
    origins = _values(scope, b"origin")
    if any(_split(origin).netloc.lower() != host.lower() for origin in origins):
        raise _Refusal(403, f"pages of {origins[0][:80]!r} may not use this server (Origin header)")
    site = _values(scope, b"sec-fetch-site")
    opened = scope["type"] == "http" and scope["method"] == "GET"
    opened = opened and _values(scope, b"sec-fetch-mode") == ["navigate"]
    opened = opened and _values(scope, b"sec-fetch-dest") == ["document"]  # not in a frame
    if any(word not in ("same-origin", "none") for word in site) and not opened:
        raise _Refusal(403, "pages of other servers may not use this one (Sec-Fetch-Site header)")


def _check_length(scope: MutableMapping[str, Any], most: int) -> None:
    for length in _values(scope, b"content-length"):
        if not re.fullmatch("[0-9]{1,18}", length):
            raise _Refusal(400, "Content-Length is no number of bytes")
        if int(length) > most:
            raise _too_large(most)


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # a bracket that is not closed
        return SplitResult("", "", "", "", "")


def _too_large(most: int) -> _Refusal:
    return _Refusal(413, f"the body is too large: at most {most:,} bytes are taken here")


def _values(scope: MutableMapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _jar(text: str) -> SimpleCookie:
    try:
        return SimpleCookie(text)
    except CookieError:
        return SimpleCookie()


def _secured(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Returns an answer's headers with those of the guard; what the app says itself stays."""
    headers = list(headers)
    present = {name.lower() for name, _ in headers}
    return headers + [pair for pair in HEADERS.items() if pair[0] not in present]


async def _refuse(scope: MutableMapping[str, Any], send: Send, refusal: _Refusal) -> None:
    prefix = ""
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.line[:120]})
            return
        prefix = "websocket."
    body = json.dumps({"error": refusal.line}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),  # what is left of the body is not waited for
        *refusal.headers,
    ]
    start = {"status": refusal.status, "headers": _secured(headers)}
    await send({"type": f"{prefix}http.response.start", **start})
    await send({"type": f"{prefix}http.response.body", "body": body})
