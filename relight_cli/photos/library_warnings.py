"""Collect what libraries warn of, in one thread: `warnings.catch_warnings` mixes up the threads of a process."""

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TextIO

_lock = threading.Lock()
_thread = threading.local()  # `messages`: where the warnings of a thread go


class _Hook:
    """Python's way to show a warning, replaced while a thread collects."""

    def __init__(self) -> None:
        self._threads = 0
        self._replaced = ExitStack()

    def __enter__(self) -> None:
        with _lock:
            self._threads += 1
            if self._threads > 1:
                return
            self._filters, self._show = list(warnings.filters), warnings.showwarning
            self._replaced.enter_context(warnings.catch_warnings())
            warnings.simplefilter("always")
            warnings.showwarning = self._dispatch

    def __exit__(self, *_: object) -> None:
        with _lock:
            self._threads -= 1
            if not self._threads:
                self._replaced.close()

    def _dispatch(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        messages = getattr(_thread, "messages", None)
        if messages is not None:
            messages[" ".join(str(message).split())] = None
        elif not _is_ignored(self._filters, str(message), category):
            self._show(message, category, filename, lineno, file, line)


_hook = _Hook()


@contextmanager
def library_warnings() -> Iterator[dict[str, None]]:
    """Collect the warnings of this thread, each once, as lines of text: the keys of the dict that is given.

    What other threads warn of meanwhile is shown or ignored as before.
    """
    outer = getattr(_thread, "messages", None)
    _thread.messages = messages = dict[str, None]()
    try:
        with _hook:
            yield messages
    finally:
        _thread.messages = outer


def _is_ignored(filters: Sequence[tuple], text: str, category: type[Warning]) -> bool:
    """Say whether filters ignore a warning; those of single modules or lines do not count."""
    for action, pattern, kind, module, line in filters:
        if issubclass(category, kind) and (pattern is None or pattern.match(text)) and module is None and not line:
            return action == "ignore"
    return False
