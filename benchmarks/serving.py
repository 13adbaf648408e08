"""The server under load: its own errors, its memory, and how long a client waits beside the command line.

python benchmarks/serving.py [--requests 1000] [--clients 32] [--megapixels 0.3] [--broken 0.05] [--gone 0.02]

Starts `relight-cli serve --model tiny` as a process of its own, and lets clients post photos to /v1/deshadow: a part of
them cut off in the middle, and a part of the clients gone before the answer. An answer must be 200 with the bytes that
the command line makes, or 422 for a broken photo; everything else is an error of the server. Prints the errors, the
resident memory after a tenth of the requests and at the end, p50 and p99 of one client alone and of all at once, and
the command line's seconds for the same photo; then the same as one JSON object.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from photos import make_photo

ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1"}
PROGRAM = [sys.executable, "-W", "ignore", "-m", "relight_cli"]
ALONE = 10  # requests of one client alone


class Client:
    """Posts photos to the server, and counts what it is answered."""

    def __init__(self, port: int, photo: bytes, expected: bytes) -> None:
        self.port, self.photo, self.expected = port, photo, expected
        self.counts: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.memory: list[int] = []
        self.lock = threading.Lock()

    def post(self, photo: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("POST", "/v1/deshadow", photo, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def good(self) -> None:
        """Post the photo, and compare the answer with the command line's."""
        began = time.perf_counter()
        status, body = self.post(self.photo)
        with self.lock:
            self.seconds.append(time.perf_counter() - began)
            self.counts["good" if (status, body) == (200, self.expected) else f"error: {status}"] += 1

    def broken(self) -> None:
        """Post half of the photo."""
        status, body = self.post(self.photo[: len(self.photo) // 2])
        is_told = status == 422 and json.loads(body)["exit_code"] == 4
        with self.lock:
            self.counts["broken, refused" if is_told else f"error: {status} for a broken photo"] += 1

    def gone(self) -> None:
        """Post the photo and close the connection at once."""
        head = f"POST /v1/deshadow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(self.photo)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(head.encode() + self.photo)
        with self.lock:
            self.counts["gone"] += 1

    def metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def megabytes(self) -> float:
        found = re.search(r"^process_resident_memory_bytes (\S+)", self.metrics(), re.MULTILINE)
        return float(found[1]) / 1e6 if found else float("nan")


def load(client: Client, requests: int, clients: int, broken: float, gone: float) -> None:
    """Let all clients post at once."""
    rng = np.random.default_rng(1)
    kinds = rng.choice(3, requests, p=[1 - broken - gone, broken, gone])
    work = [(client.good, client.broken, client.gone)[kind] for kind in kinds]
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(one) for one in work]:
            try:
                done.result()
            except (OSError, http.client.HTTPException) as error:
                client.counts[f"error: {type(error).__name__}"] += 1


def main(
    requests: Annotated[int, typer.Option()] = 1000,
    clients: Annotated[int, typer.Option()] = 32,
    megapixels: Annotated[float, typer.Option()] = 0.3,
    broken: Annotated[float, typer.Option()] = 0.05,
    gone: Annotated[float, typer.Option()] = 0.02,
) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photo(folder / "photo.jpg", megapixels, 1)
        command_line = []
        for _ in range(3):
            began = time.perf_counter()
            words = ["deshadow", "photo.jpg", "-o", "out.jpg", "--overwrite", "--model", "tiny"]
            subprocess.run([*PROGRAM, *words], cwd=folder, env=ENVIRONMENT, check=True)
            command_line.append(time.perf_counter() - began)
        server = subprocess.Popen(
            [*PROGRAM, "serve", "--model", "tiny", "--port", "0", "--queue", str(2 * clients)],
            cwd=folder,
            env=ENVIRONMENT | {"TMPDIR": str(folder)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.stderr
        port = next(int(found[1]) for line in server.stderr if (found := re.search(r":(\d+);", line)))
        client = Client(port, (folder / "photo.jpg").read_bytes(), (folder / "out.jpg").read_bytes())
        for _ in range(ALONE):
            client.good()
        alone, client.seconds = client.seconds[1:], []
        load(client, requests // 10, clients, broken, gone)
        early = client.megabytes()
        load(client, requests - requests // 10, clients, broken, gone)
        while "relight_admitted 0.0" not in client.metrics():
            time.sleep(0.2)
        late, left = client.megabytes(), len(list(folder.glob("relight-serve-*/*")))
        server.terminate()
        code = server.wait(60)
        server.stderr.close()
    errors = {kind: count for kind, count in client.counts.items() if kind.startswith("error")}
    result = {
        "requests": requests,
        "counts": dict(client.counts),
        "errors": sum(errors.values()),
        "memory_mb": [round(early), round(late)],
        "files_left": left,
        "exit_code": code,
        "alone": {"p50": float(np.percentile(alone, 50)), "p99": float(np.percentile(alone, 99))},
        "all": {"p50": float(np.percentile(client.seconds, 50)), "p99": float(np.percentile(client.seconds, 99))},
        "command_line": float(np.median(command_line)),
    }
    print(f"{requests} requests of {clients} clients, {megapixels} MP, deshadow --model tiny")
    print(f"answers: {dict(client.counts)}; errors of the server: {result['errors']}; files left: {left}")
    print(f"memory: {early:.0f} MB after a tenth, {late:.0f} MB at the end; exit code {code} after SIGTERM")
    for who, shown in (("one client", result["alone"]), (f"{clients} clients", result["all"])):
        print(f"{who}: p50 {shown['p50']:.2f} s, p99 {shown['p99']:.2f} s")
    print(f"command line: {result['command_line']:.2f} s (median of 3)")
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
