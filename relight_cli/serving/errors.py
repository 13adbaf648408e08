"""What a request is answered with when it fails: problem details (RFC 9457) with the exit code of the command line."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import typer

from relight_cli.errors import ExitCode, RelightError

MEDIA_TYPE = "application/problem+json"
STATUS = {
    ExitCode.UNEXPECTED: 500,
    ExitCode.USAGE: 400,
    ExitCode.MISSING_EXTRA: 501,
    ExitCode.UNREADABLE: 422,
    ExitCode.UNWRITABLE: 507,
    ExitCode.MODEL: 503,
    ExitCode.DEVICE: 503,
}
"""The status for each exit code of a command."""


class ProblemError(RelightError):
    """A request that fails, or work that is stopped: a status, one line, and the exit code of a command that failed."""

    def __init__(
        self, status: int, detail: str, code: ExitCode | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.headers = status, code, dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the members of the problem details."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            "exit_code": self.code and int(self.code),
        }


def problem_of(error: Exception) -> ProblemError:
    """Return what a command's error is for a client; see `cli.main` for the same on the command line."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, typer.TyperException):
        return ProblemError(400, error.format_message().replace("Value error, ", ""), ExitCode.USAGE)
    from relight_cli.devices import device_error

    known = error if isinstance(error, RelightError) else device_error(error)
    if known:
        return ProblemError(STATUS[known.exit_code], str(known), known.exit_code)
    return ProblemError(500, f"unexpected {type(error).__name__}: {error}", ExitCode.UNEXPECTED)
