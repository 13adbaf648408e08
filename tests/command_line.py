"""The command line without starting a process, for tests with many runs."""

import io
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from relight_cli.cli import main


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Command = Callable[..., Outcome]


def make_command(monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes], folder: Path) -> Command:
    """Give what runs `relight-cli` in a folder with no way to the Hub; its streams are those of the test's process."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(folder / ".hf"))
    for name in ("RELIGHT_MODEL", "RELIGHT_WEIGHTS_DIR"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["relight-cli", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        capture.readouterr()
        try:
            with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
                main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = capture.readouterr()
        return Outcome(int(ended.value.code or 0), said.out, said.err.decode(errors="surrogateescape"))

    return command
