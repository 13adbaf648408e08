"""What the studio's page may ask for, and what it may load."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relight_cli.serving.errors import ProblemError
from relight_cli.serving.limits import Guard

# Gradio's addresses that the page needs. All others (its API pages, history, proxies, other components) are closed.
_OPEN = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/gradio_api/startup-events")
_OPEN_BELOW = (
    "/assets/",
    "/results/",
    "/static/",
    "/gradio_api/file=/",  # of this machine; never an address, which Gradio would fetch
    "/gradio_api/heartbeat/",
    "/gradio_api/queue/",
    "/gradio_api/upload",
    "/gradio_api/cancel",
    "/gradio_api/reset",
)
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class PageGuard(Guard):
    """The guard of the server, for a page that the server itself has sent."""

    def _stranger(self, path: str, headers: Headers) -> ProblemError | None:
        if not (path in _OPEN or path.startswith(_OPEN_BELOW)):
            return ProblemError(404, "there is no such page.")
        host = headers.get("host", "")
        if "origin" in headers and urlsplit(headers["origin"]).netloc != host:
            return self._other_site()
        arrives = path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not arrives:
            return self._other_site()
        return self._foreign_name(host)

    def _other_site(self) -> ProblemError:
        return ProblemError(403, "pages of other sites may not use the studio.")


class WithPolicy:
    """An ASGI middleware that sends a Content-Security-Policy with all that it sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, with_policy)
