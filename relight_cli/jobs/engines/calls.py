"""The call of a command, so that another process can make the same."""

import importlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Call:
    """A command and what it is called with, after defaults were applied; can be pickled."""

    module: str
    name: str
    values: Mapping[str, Any]  # the parameters that are no fields of `options`
    options: Any  # a dataclass

    def run(self) -> None:
        """Call the command in this process. Raises its errors."""
        command: Any = getattr(importlib.import_module(self.module), self.name)
        command.__wrapped__(**self.values, options=self.options)

    def with_changes(self, values: Mapping[str, Any], options: Mapping[str, Any]) -> "Call":
        """Return the call with other values of parameters and options; those that it does not have are left out."""
        known = {name: value for name, value in options.items() if hasattr(self.options, name)}
        return replace(self, values={**self.values, **values}, options=replace(self.options, **known))


_call: ContextVar[Call | None] = ContextVar("_call", default=None)


def remember_call(command: Callable[..., None], values: Mapping[str, Any], options: object) -> None:
    """Remember the call of a command, which `current_call` returns from now on."""
    _call.set(Call(command.__module__, command.__name__, dict(values), options))


def current_call() -> Call:
    """Return the call that this process is at."""
    call = _call.get()
    assert call is not None
    return call
