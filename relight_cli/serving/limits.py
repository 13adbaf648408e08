"""What is refused before a request is read: strangers, other sites' pages, and bodies that are too large."""

import hmac
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relight_cli.serving.errors import MEDIA_TYPE, ProblemError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
OPEN_PATHS = ("/healthz",)  # need no token
MB = 1_000_000


class Guard:
    """An ASGI middleware that lets a request pass or answers it itself; counts all answers."""

    def __init__(
        self, app: ASGIApp, token: str | None, is_local: bool, max_upload: int, answered: Callable[[int], None]
    ) -> None:
        self._app, self._token, self._is_local = app, token, is_local
        self._most, self._answered = max_upload * MB, answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answered(message["status"])
            await send(message)

        if problem := self._refusal(scope["path"], Headers(scope=scope)):
            await answer(problem, counted)
            return
        await self._app(scope, self._limited(receive), counted)

    def _refusal(self, path: str, headers: Headers) -> ProblemError | None:
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            return ProblemError(400, "Content-Length is no number.")
        if int(length) > self._most:
            return self._too_large()
        return self._stranger(path, headers)

    def _stranger(self, path: str, headers: Headers) -> ProblemError | None:
        """Return why a request is not answered, if who sends it may not ask."""
        if path in OPEN_PATHS:
            return None
        if self._token:
            given = headers.get("authorization", "")
            kind, _, token = given.partition(" ")
            known = hmac.compare_digest(token.strip().encode(errors="replace"), self._token.encode())
            if kind.lower() == "bearer" and known:
                return None
            challenge = {"WWW-Authenticate": "Bearer"}
            return ProblemError(
                401, "a token is missing or wrong: send 'Authorization: Bearer TOKEN'.", headers=challenge
            )
        # Without a token a page in a browser on this machine must not use the server: neither across sites nor by a
        # name of its own that leads here.
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return ProblemError(
                403, "pages of other sites may not use this server; start it with --token-file for that."
            )
        return self._foreign_name(headers.get("host", ""))

    def _foreign_name(self, host: str) -> ProblemError | None:
        if self._is_local and _host_name(host) not in LOCAL_NAMES:
            return ProblemError(
                421, "this server answers to localhost only; start it with --token-file for other names."
            )
        return None

    def _limited(self, receive: Receive) -> Receive:
        """Return `receive` for bodies that are no longer than allowed. It raises a ProblemError for others."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._most:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> ProblemError:
        return ProblemError(413, f"the request is larger than the {self._most // MB} MB allowed.")


async def answer(problem: ProblemError, send: Send) -> None:
    """Send a problem as the answer."""
    body = json.dumps(problem.body()).encode()
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def answer_problem(request: Request, error: Exception) -> Response:
    """Return a problem as the answer, as the handler of an app's exceptions."""
    assert isinstance(error, ProblemError)
    return JSONResponse(error.body(), error.status, error.headers, MEDIA_TYPE)


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
