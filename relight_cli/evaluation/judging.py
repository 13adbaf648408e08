"""Judge methods on the pictures of a data set; one that cannot be read costs only itself."""

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relight_cli.devices import device_error
from relight_cli.errors import DeviceError, MissingExtraError, PhotoUnreadableError, UsageError
from relight_cli.evaluation.methods import Method
from relight_cli.evaluation.protocol import Case, Parts, Protocol
from relight_cli.paths import is_folder


@dataclass(frozen=True)
class Scored:
    """The scores of one method on one picture."""

    case: str
    method: str
    parts: Parts


@dataclass(frozen=True)
class Failure:
    """A picture, or one method's result for it, that could not be judged."""

    case: Case
    method: str | None  # None: the picture or its truth cannot be read
    error: Exception


@dataclass
class Judgement:
    """All scores, in the order of the pictures."""

    protocol: Protocol
    methods: tuple[str, ...]
    scored: list[Scored] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def parts(self) -> list[str]:
        """The parts that were scored, in the protocol's order."""
        return list(dict.fromkeys(part for scored in self.scored for part in scored.parts))

    def columns(self, part: str) -> list[str]:
        """Return the columns of a part."""
        return list(dict.fromkeys(name for scored in self.scored for name in scored.parts.get(part, {})))

    def of(self, method: str, part: str) -> list[dict[str, float]]:
        """Return one method's scores of a part, one for each picture."""
        return [scored.parts[part] for scored in self.scored if scored.method == method and part in scored.parts]

    def without(self, names: Collection[str]) -> "Judgement":
        """Return the judgement of the other pictures."""
        kept = [scored for scored in self.scored if scored.case not in names]
        failures = [failure for failure in self.failures if failure.case.name not in names]
        return Judgement(self.protocol, self.methods, kept, failures)


After = Callable[[Case, float, list[Failure]], None]
"""Called after each picture, with the seconds that it took and what failed."""


def judge(
    protocol: Protocol,
    cases: Iterable[Case],
    methods: Sequence[Method],
    after: After = lambda case, seconds, failures: None,
) -> Judgement:
    """Score each method on each picture.

    Errors of a picture are kept, and the others continue; errors of options, extras and the device are raised.
    """
    judgement = Judgement(protocol, tuple(method.name for method in methods))
    for case in cases:
        began, before = time.monotonic(), len(judgement.failures)
        try:
            sample = case.read()
        except Exception as error:  # noqa: BLE001  decoders raise anything
            _raise_lasting(error)
            judgement.failures.append(Failure(case, None, error))
        else:
            _judge_sample(judgement, case, sample, methods)
        after(case, time.monotonic() - began, judgement.failures[before:])
    return judgement


def _judge_sample(judgement: Judgement, case: Case, sample: Any, methods: Sequence[Method]) -> None:
    for method in methods:
        try:
            parts = judgement.protocol.score(sample, method.make(case, sample))
        except Exception as error:  # noqa: BLE001  libraries raise anything, for instance for a picture of 5 pixels
            _raise_lasting(error)
            judgement.failures.append(Failure(case, method.name, error))
        else:
            judgement.scored.append(Scored(case.name, method.name, parts))


def _raise_lasting(error: Exception) -> None:
    """Raise an error that every other picture has, too."""
    if known := device_error(error):
        raise known from error
    if isinstance(error, (DeviceError, MissingExtraError, UsageError)):
        raise error


def distinct(methods: Sequence[Method]) -> list[Method]:
    """Return methods with a number behind names that another one has."""
    counts: dict[str, int] = {}
    numbered = []
    for method in methods:
        counts[method.name] = counts.get(method.name, 0) + 1
        number = counts[method.name]
        numbered.append(method if number == 1 else replace(method, name=f"{method.name} ({number})"))
    return numbered


def find_cases(protocols: dict[str, Protocol], dataset: Path, wanted: str | None) -> tuple[Protocol, list[Case]]:
    """Return the protocol, and the pictures of a data set, whose layout tells the protocol unless one is wanted.

    Raises UsageError, which says what was expected, and PhotoUnreadableError for a folder that does not exist.
    """
    if wanted is not None and wanted.lower() not in protocols:
        raise UsageError(f"--protocol {wanted} is unknown: choose {', '.join(protocols)}.")
    if not is_folder(dataset):
        kind = "is a file, not the folder of a data set" if os.path.lexists(dataset) else "no such folder"
        raise PhotoUnreadableError(f"{dataset}: {kind}; check the path")
    tried = [protocols[wanted.lower()]] if wanted else [one for one in protocols.values() if one.recognised]
    for protocol in tried:
        try:
            cases = protocol.find(dataset)
        except OSError as error:
            raise PhotoUnreadableError(f"{dataset}: cannot be listed ({error.strerror}); check the path") from error
        if cases:
            return protocol, cases
    expected = "; ".join(f"{protocol.name}: {protocol.layout}" for protocol in tried)
    raise UsageError(f"{dataset} is not laid out as expected ({expected}).")


def others_found(protocols: dict[str, Protocol], dataset: Path, cases: list[Case]) -> list[str]:
    """Return the names of the protocols that find pictures in a data set, none of which are those of `cases`."""
    taken, names = {case.source for case in cases}, []
    for protocol in protocols.values():
        with contextlib.suppress(OSError, UsageError):
            found = {case.source for case in protocol.find(dataset)} if protocol.recognised else set()
            if found and not found & taken:
                names.append(protocol.name)
    return names
