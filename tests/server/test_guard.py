"""Who may speak to a server of the project, and how much they may send."""

import asyncio
import json
import urllib.parse

import httpx
import pytest

from vosjax.errors import InputError
from vosjax.server.guard import Limits, guard, is_loopback, token_for

TOKEN = "a-token-of-the-tests"
OUTSIDE = {"host": "0.0.0.0", "port": 8765, "token": TOKEN}
HERE = {"host": "127.0.0.1", "port": 8765}


async def echo(scope, receive, send):
    """Answers with the query and the length of the body, or that the client vanished."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client has gone")
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    answer = {"query": scope["query_string"].decode(), "size": size}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def ask(method="GET", path="/", *, base="http://127.0.0.1:8765", settings=None, **request):
    async def asked():
        app = guard(echo, **(settings or HERE))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, **request)

    return asyncio.run(asked())


def raw(settings, scope, messages=()):
    """Gives a scope to the guarded app as it is, and returns what it sends."""
    sent, waiting = [], list(messages)

    async def receive():
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    whole = {"type": "http", "method": "GET", "path": "/", "query_string": b"", **scope}
    asyncio.run(guard(echo, **settings)(whole, receive, send))
    return sent


def refused(answer, status):
    assert answer.status_code == status
    line = answer.json()["error"]
    return bool(line) and "\n" not in line


def test_the_loopback_is_told_from_what_others_reach():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "", "127.1.evil")))


def test_a_server_that_others_reach_needs_a_token():
    with pytest.raises(InputError, match="token"):
        guard(echo, host="0.0.0.0", port=1)
    made = token_for("0.0.0.0", None)
    assert len(made) >= 32 and made != token_for("0.0.0.0", None)
    assert token_for("127.0.0.1", None) is None


@pytest.mark.parametrize("token", ["", "short", "sixteen letters\r\nand a line", "ä" * 20])
def test_a_token_that_is_weak_or_no_header_is_refused(token):
    with pytest.raises(InputError, match="token"):
        token_for("127.0.0.1", token)


@pytest.mark.parametrize("name", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "localhost"])
def test_on_the_loopback_this_machine_is_answered(name):
    assert ask(headers={"host": name}).status_code == 200


@pytest.mark.parametrize(
    "name", ["evil.example:8765", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1:8765", "@"]
)
def test_a_foreign_name_that_points_here_is_refused(name):
    assert refused(ask(headers={"host": name}), 421)


def test_a_request_without_a_host_or_with_two_is_refused():
    for headers in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        assert raw(HERE, {"headers": headers})[0]["status"] == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:3000", "http://[", "file://"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_pages_of_other_servers_are_refused(origin, method):
    assert refused(ask(method, headers={"origin": origin}), 403)


def test_the_own_page_is_answered():
    assert ask("POST", headers={"origin": "http://127.0.0.1:8765"}).status_code == 200


def test_what_a_foreign_page_embeds_is_refused_and_a_link_is_followed():
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    framed = embedded | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    link = framed | {"sec-fetch-dest": "document"}
    assert refused(ask(headers=embedded), 403)
    assert refused(ask(headers=framed), 403)
    assert refused(ask("POST", headers=link), 403)
    assert ask(headers=link).status_code == 200


def test_a_websocket_of_a_foreign_page_is_refused():
    headers = [(b"host", b"127.0.0.1:8765"), (b"origin", b"http://evil.example")]
    closed = raw(HERE, {"type": "websocket", "headers": headers})
    assert [m["type"] for m in closed] == ["websocket.close"]
    told = raw(
        HERE,
        {
            "type": "websocket",
            "headers": headers,
            "extensions": {"websocket.http.response": {}},
        },
    )
    assert told[0]["status"] == 403 and b"error" in told[1]["body"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer " + TOKEN[:-1]},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer"},
        {"cookie": f"vosjax_1={TOKEN}"},
        {"cookie": "vosjax_8765=; ==;;"},
    ],
)
def test_without_the_token_nothing_is_answered(headers):
    answer = ask(base="http://vos.example:8765", settings=OUTSIDE, headers=headers)
    assert refused(answer, 401) and TOKEN not in answer.text
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_is_taken_from_a_header_a_cookie_or_the_address():
    base = "http://vos.example:8765"
    for headers in (
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"cookie": f"a=b; vosjax_8765={TOKEN}"},
    ):
        assert ask(base=base, settings=OUTSIDE, headers=headers).status_code == 200
    answer = ask("GET", f"/?a=1&token={TOKEN}", base=base, settings=OUTSIDE)
    assert answer.json()["query"] == "a=1"  # the app, and what it logs, never sees the token


def test_a_page_opened_with_the_token_goes_on_with_a_cookie():
    answer = ask(
        "GET",
        f"//evil.example/page?a=1&token={TOKEN}",
        base="http://vos.example:8765/",
        settings=OUTSIDE,
        headers={"accept": "text/html,*/*"},
    )
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/") and TOKEN not in answer.headers["location"]
    assert not answer.headers["location"].startswith("//")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"vosjax_8765={TOKEN};") and "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_wrong_token_in_the_address_is_refused():
    assert refused(ask("GET", "/?token=wrong", base="http://v:1", settings=OUTSIDE), 401)


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/page/%2e%2e/x", "/page/..%2f..%2fx", "/a%00b", "/..%5cx"]
)
def test_a_path_that_leaves_its_folder_is_refused(path):
    headers = [(b"host", b"localhost")]
    sent = raw(HERE, {"headers": headers, "path": urllib.parse.unquote(path)})
    assert sent[0]["status"] == 400


LIMITED = {**HERE, "limits": Limits(body=100, larger=(("/videos/*/up", 1000),), patience=0.05)}


def test_a_body_is_limited_by_its_path():
    assert ask("POST", "/", settings=LIMITED, content=b"x" * 100).json()["size"] == 100
    assert refused(ask("POST", "/", settings=LIMITED, content=b"x" * 101), 413)
    assert ask("POST", "/videos/a/up", settings=LIMITED, content=b"x" * 1000).status_code == 200
    assert refused(ask("POST", "/videos/a/up", settings=LIMITED, content=b"x" * 1001), 413)
    assert refused(ask("POST", "/videos/a/b/up", settings=LIMITED, content=b"x" * 101), 413)


def test_the_limit_holds_for_a_body_of_untold_length():
    async def pieces():
        for _ in range(11):
            yield b"x" * 10

    answer = ask("POST", "/", settings=LIMITED, content=pieces())
    assert refused(answer, 413) and answer.headers["connection"] == "close"


@pytest.mark.parametrize("length", ["-1", "ten", "1e9", "9" * 30])
def test_a_length_that_is_no_number_is_refused(length):
    headers = [(b"host", b"localhost"), (b"content-length", length.encode())]
    assert raw(LIMITED, {"headers": headers, "method": "POST"})[0]["status"] == 400


def test_a_body_that_never_arrives_is_given_up():
    piece = {"type": "http.request", "body": b"x", "more_body": True}
    sent = raw(LIMITED, {"headers": [(b"host", b"localhost")], "method": "POST"}, [piece])
    assert sent[0]["status"] == 408


def test_every_answer_has_the_headers_of_safety():
    for answer in (ask(), ask(headers={"host": "evil.example"})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_an_error_of_the_app_is_not_hidden():
    async def broken(scope, receive, send):
        raise RuntimeError("a mistake")

    app = guard(broken, **HERE)
    with pytest.raises(RuntimeError, match="a mistake"):
        asyncio.run(
            app(
                {
                    "type": "http",
                    "method": "GET",
                    "path": "/",
                    "query_string": b"",
                    "headers": [(b"host", b"localhost")],
                },
                None,
                None,
            )
        )
