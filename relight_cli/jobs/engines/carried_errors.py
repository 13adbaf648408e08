"""Errors that go from one process to another: class, message, causes, and the traceback for --verbose."""

import itertools
import pickle
import traceback


def pack(error: BaseException) -> bytes:
    """Return an error and its causes as bytes; of one that cannot be pickled the name and the message."""
    chain: list[bytes | tuple[str, str]] = []
    one: BaseException | None = error
    while one is not None and len(chain) < 10:
        chain.append(_packed(one))
        one = one.__cause__
    text = "".join(traceback.format_exception(error)).rstrip()
    return pickle.dumps((chain, text))


def unpack(data: bytes) -> Exception:
    """Return the error; bytes come from `pack` in a process of the same run."""
    chain, text = pickle.loads(data)
    errors = [_unpacked(one) for one in chain]
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    errors[0].add_note(f"In the process that made the photo:\n{text}")
    return errors[0]


def _packed(error: BaseException) -> bytes | tuple[str, str]:
    named = type(error).__name__, str(error)
    try:
        data = pickle.dumps(error)
        same = pickle.loads(data)
    except Exception:  # noqa: BLE001  libraries may raise anything
        return named
    return data if isinstance(same, Exception) and str(same) == named[1] else named


def _unpacked(one: bytes | tuple[str, str]) -> Exception:
    if isinstance(one, bytes):
        try:
            error = pickle.loads(one)
        except Exception as unknown:  # noqa: BLE001  a class that is not installed here
            return RuntimeError(f"an error that cannot be shown here ({unknown})")
        assert isinstance(error, Exception)
        return error
    name, message = one
    return type(name, (Exception,), {})(message)
