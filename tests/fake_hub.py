"""A small HTTP server on 127.0.0.1 that plays the Hugging Face Hub, with its faults on demand."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" * 6 + "abcd"  # 40 hex digits, as a Git commit has


@dataclass
class Served:
    """One file as the Hub announces it, and what it really sends."""

    body: bytes
    sent: bytes | None = None  # the body that goes over the wire, if it is another one
    etag: str | None = None  # the sha256 of `body` if not given, as for a file in large-file storage
    status: int = 200  # what every request for it is answered with
    cut_after: int | None = None  # bytes after which the connection breaks, in every answer
    stall_after: int | None = None  # bytes after which nothing more comes
    commit: str | None = COMMIT  # None: a server that is not the Hub

    def __post_init__(self) -> None:
        self.etag = self.etag or hashlib.sha256(self.body).hexdigest()


@dataclass
class FakeHub:
    """The files by "/owner/name/path", and the requests that came in."""

    files: dict[str, Served] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # "HEAD /owner/name/resolve/main/path"
    stalled: threading.Event = field(default_factory=threading.Event)  # set once an answer has stalled
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        repository, _, rest = self.path.partition("/resolve/")
        file = self.hub.files.get(f"{repository}/{rest.partition('/')[2]}", Served(b"", status=404))
        if file.status != 200:
            self.send_response(file.status)
            if file.status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        payload = file.body if file.sent is None else file.sent
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(payload) - 1}/{len(payload)}")
        if file.commit:
            self.send_header("X-Repo-Commit", file.commit)
        self.send_header("ETag", f'"{file.etag}"')
        self.send_header("X-Linked-ETag", f'"{file.etag}"')
        self.send_header("X-Linked-Size", str(len(file.body)))
        self.send_header("Content-Length", str(len(payload) - start))
        self.end_headers()
        if body:
            self._send(payload[start:], file)

    def _send(self, payload: bytes, file: Served) -> None:
        if file.cut_after is not None:
            self.wfile.write(payload[: file.cut_after])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        elif file.stall_after is not None:
            self.wfile.write(payload[: file.stall_after])
            self.wfile.flush()
            self.hub.stalled.set()
            self.hub.closing.wait(30)
        else:
            self.wfile.write(payload)

    def log_message(self, *args: object) -> None:
        """Stay silent: `FakeHub.requests` keeps them."""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Run the server for the length of the block."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent_server() -> Iterator[str]:
    """Give the address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def refusing_address() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
