"""Errors of object stores as errors of the system, without secrets; and another attempt where that may help."""

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from relight_cli.errors import RelightError, one_line
from relight_cli.places.urls import redact

T = TypeVar("T")
PAUSE = 0.2  # seconds before the second attempt; doubled each time
_LONGEST = 200  # characters of what a library says
_NO_CREDENTIALS = (
    "NoCredentials",
    "PartialCredentials",
    "ClientAuthentication",
    "DefaultCredentials",
    "TokenRetrieval",
)


class TransferError(OSError):
    """A transfer that failed, and may succeed later."""


@contextlib.contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise the errors of the libraries as OSErrors about `name`."""
    try:
        yield
    except (RelightError, TransferError):
        raise
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such object", name) from error
    except FileExistsError as error:
        raise FileExistsError(errno.EEXIST, "the object exists", name) from error
    except PermissionError as error:
        raise PermissionError(errno.EACCES, "no permission, or no such bucket", name) from error
    except Exception as error:
        if type(error).__name__.startswith(_NO_CREDENTIALS) or "credential" in str(error).lower():
            reason = "no credentials were found; set them as the documentation of its library says"
            raise PermissionError(errno.EACCES, reason, name) from error
        if getattr(error, "status", None) in (401, 403):
            raise PermissionError(errno.EACCES, "no permission", name) from error
        raise TransferError(errno.ECONNABORTED, _said(error), name) from error


def _said(error: Exception) -> str:
    """Return what a library says, in short and without secrets."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
    return redact(" ".join(str(text).split()))[:_LONGEST]


def attempt(name: str, action: Callable[[], T], attempts: int) -> T:
    """Return what `action` returns; try again where a transfer failed. Raises OSError."""
    for number in range(attempts):
        try:
            with translated(name):
                return action()
        except TransferError:
            if number == attempts - 1:
                raise
            time.sleep(PAUSE * 2**number)
    raise AssertionError
