"""The expected errors and their exit codes.

RelightError                 1
 +-- UsageError              2   the options contradict each other or the inputs
 |    +-- UnfitOptionError   2   an option has no use in this run
 +-- MissingExtraError       3   a pip extra is needed
 +-- PhotoUnreadableError    4   an input photo cannot be read
 +-- LightUnreadableError    4   a file with a light cannot be read
 +-- OutputUnwritableError   5   an output cannot be written
 +-- ModelUnavailableError   6   a checkpoint is missing, corrupt or does not fit the network
 +-- DeviceError             7   the device is missing, failed or out of memory
"""

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes; stable between versions."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    MISSING_EXTRA = 3
    UNREADABLE = 4
    UNWRITABLE = 5
    MODEL = 6
    DEVICE = 7
    SOME_FAILED = 23
    INTERRUPTED = 130
    TERMINATED = 143


class RelightError(Exception):
    """An expected failure: one sentence that names the file and ends in the remedy."""

    exit_code = ExitCode.UNEXPECTED


class UsageError(RelightError):
    """Options that contradict each other or the inputs."""

    exit_code = ExitCode.USAGE


class UnfitOptionError(UsageError):
    """An option that has no use in this run, or one of several."""

    def __init__(self, message: str, *options: str) -> None:
        """Take what to tell, and the options as on the command line ("--no-detail"), the first to do without first."""
        super().__init__(message)
        self.options = options


class MissingExtraError(RelightError):
    """An optional dependency is not installed."""

    exit_code = ExitCode.MISSING_EXTRA


class PhotoUnreadableError(RelightError):
    """An input photo cannot be found, opened or decoded."""

    exit_code = ExitCode.UNREADABLE


class LightUnreadableError(RelightError):
    """A file with a light cannot be found, or says something wrong."""

    exit_code = ExitCode.UNREADABLE


class OutputUnwritableError(RelightError):
    """An output cannot be written, or exists and must not be replaced."""

    exit_code = ExitCode.UNWRITABLE


class ModelUnavailableError(RelightError):
    """A checkpoint is missing, fails its check or does not fit the network."""

    exit_code = ExitCode.MODEL


class DeviceError(RelightError):
    """The device is missing, failed or ran out of memory."""

    exit_code = ExitCode.DEVICE


def one_line(error: Exception) -> str:
    """Return what a library's error says on one line, or else its name."""
    return " ".join(str(error).split()) or type(error).__name__


def names_no_file(error: Exception) -> bool:
    """Return whether an error says that no file has a name: none is there, too long, through a file or round."""
    nowhere = (errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)
    return isinstance(error, OSError) and error.errno in nowhere
