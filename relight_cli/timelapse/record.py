"""Record how the frames of a sequence are made, and find existing frames that would be made the same again."""

import hashlib
import json
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relight_cli.jobs.inputs import sha256_of
from relight_cli.jobs.provenance import Inputs, Recipe
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.models.interface import ModelInfo
from relight_cli.timelapse.command_options import TimelapseCommandOptions
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.left_out_frames import compared_numbers
from relight_cli.timelapse.sequencing import Content, Ease, Mode, OutputFrame, keyframes_needed
from relight_cli.timelapse.writers import Writer


@dataclass(frozen=True)
class TimelapseRecord:
    """How the frames of a run are made, each from its own keyframes."""

    frames: Frames
    planned: list[OutputFrame]
    recipe: Recipe
    options: TimelapseCommandOptions
    _sha256: dict[Path, str | None] = field(default_factory=dict)

    def with_model(self, model: ModelIdentity) -> "TimelapseRecord":
        """Return the record for another model."""
        facts = ModelInfo(model.name, model.revision, model.sha256)
        return replace(self, recipe=replace(self.recipe, model=facts))

    def sha256(self, number: int) -> str | None:
        """Return the hash of a keyframe's file, computed once; if the file changes later, the next run sees it."""
        path = self.frames.path(number)
        if path not in self._sha256:
            self._sha256[path] = sha256_of(path)
        return self._sha256[path]

    def inputs(self, number: int, missing: Container[int] = frozenset()) -> Inputs:
        """Return what a frame is made from; the `missing` keyframes cannot be read."""
        return self._inputs(number, self._keyframes(number, missing))

    def all_inputs(self) -> Inputs:
        """Return what all frames together are made from."""
        count = len(self.frames.times)
        files = [[self.sha256(number), round(time, 6)] for number, time in enumerate(self.frames.times)]
        return {"keyframes": [0, count - 1], "sha256": _digest(files)}

    def copied(self, number: int) -> Path | None:
        """Return the file that a frame is a copy of, if it can be read; None for a frame that is made."""
        keyframe, options = self.planned[number].keyframe, self.options
        changed = options.deflicker or options.freeze or options.redo_keyframes or options.strip
        return None if keyframe is None or changed else self.frames.original(keyframe)

    def comment(self, writer: Writer) -> str | None:
        """Return the record that a single file of all frames records; None for a folder or with --strip."""
        return (
            self.recipe.provenance(self.all_inputs()).record()
            if writer.is_single_file and not self.options.strip
            else None
        )

    def resolve_existing(self, writer: Writer, notify: Callable[[str], None]) -> None:
        """Let a writer keep files that would be made the same again, and files that are not as this tool wrote them."""
        recorded = {target: self.recipe.recorded(target) for target in writer.targets if target.exists()}
        sources = {source for recipe in recorded.values() if recipe for source in _sources(recipe)}
        kept, foreign, touched = set(), list[Path](), list[Path]()
        for number, target in enumerate(writer.targets):
            if target not in recorded:
                continue
            current = (
                self._all_are_current(recorded[target])
                if writer.is_single_file
                else self._is_current(number, recorded[target])
            )
            sha256 = None if current or writer.is_single_file else sha256_of(target)
            if current or self._is_copy(number, sha256):
                kept.add(target)
            elif recorded[target] is None and sha256 not in sources:
                foreign.append(target)
            elif recorded[target] is not None and not self.recipe.is_untouched(target):
                touched.append(target)
        note_left_alone(foreign, touched, notify)
        writer.keep(kept | {*foreign, *touched})

    def is_current_video(self, path: Path) -> bool:
        """Return whether an existing file of all frames is as this run would make it."""
        return self._all_are_current(self.recipe.recorded(path))

    def is_current(self, number: int, target: Path) -> bool:
        """Return whether an existing frame is as this run would make it."""
        return self._is_current(number, self.recipe.recorded(target)) or self._is_copy(number, sha256_of(target))

    def _is_copy(self, number: int, sha256: str | None) -> bool:
        return bool(sha256 and self.copied(number) and sha256 == self._original_sha256(number))

    def _original_sha256(self, number: int) -> str | None:
        keyframe = self.planned[number].keyframe
        return None if keyframe is None else self.sha256(keyframe)

    def _keyframes(self, number: int, missing: Container[int] = frozenset()) -> range:
        window = self.options.deflicker or 0
        return keyframes_needed(self.planned[number], self.frames.times, self.options.ease, window, missing)

    def _inputs(self, number: int, keyframes: range) -> Inputs:
        """Return what a frame is made from: its keyframes, their distances in time, and its capture time."""
        frame, times = self.planned[number], self.frames.times
        files = [[self.sha256(keyframe), round(times[keyframe] - frame.time, 6)] for keyframe in keyframes]
        compared: dict[str, object] = {}
        if self._is_compared and (frame.keyframe is None or len(keyframes) > 1):
            others = [[self.sha256(other), round(times[other], 6)] for other in compared_numbers(len(times))]
            compared = {"compared": _digest(others)}
        return compared | {
            "photos": list(dict.fromkeys(self.sha256(keyframe) for keyframe in self._neighbours(frame))),
            "keyframes": [keyframes.start, keyframes.stop - 1],
            "sha256": _digest([files, self.frames.taken(frame.time)]),
        }

    @property
    def _is_compared(self) -> bool:
        """Whether other frames choose how the frames between keyframes are made."""
        options = self.options
        chosen = options.mode == Mode.AUTO and options.content == Content.BOTH and not options.freeze
        return chosen and len(self.frames.times) > 2

    def _neighbours(self, frame: OutputFrame) -> range:
        return keyframes_needed(frame, self.frames.times, Ease.LINEAR, 0)

    def _is_current(self, number: int, recorded: str | None) -> bool:
        """Return whether an existing frame would be made the same again from the keyframes that it was made from.

        Those may be more than it needs now, since some may have been unreadable.
        """
        used, needed = _used(recorded), self._keyframes(number)
        if recorded is None or used is None or not (used.start <= needed.start and needed.stop <= used.stop):
            return False
        return used.stop <= len(self.frames.times) and self._is_same(self._inputs(number, used), recorded)

    def _all_are_current(self, recorded: str | None) -> bool:
        return recorded is not None and self._is_same(self.all_inputs(), recorded)

    def _is_same(self, inputs: Inputs, recorded: str) -> bool:
        return (
            self.recipe.has_all_hashes()
            and None not in self._sha256.values()
            and self.recipe.provenance(inputs).parameters() == recorded
        )


def note_left_alone(foreign: list[Path], touched: list[Path], notify: Callable[[str], None]) -> None:
    """Say which files stay: those without a record of this tool, and those that were changed since it wrote them."""
    for paths, one, several in (
        (foreign, "it does not record how it was made", "they do not record how they were made"),
        (touched, "it is not as relight-cli wrote it", "they are not as relight-cli wrote them"),
    ):
        if paths[1:]:
            more = f" and {len(paths) - 1} more"
            notify(f"{paths[0]}{more}: left as they are, since {several}; --overwrite makes all again.")
        elif paths:
            notify(f"{paths[0]}: left as it is, since {one}; --overwrite makes all again.")


def note_other_frames(writer: Writer, notify: Callable[[str], None]) -> None:
    """Say that a folder has numbered frames that are no part of this timelapse."""
    if others := writer.other_frames:
        notify(f"{writer.path} also contains frames of another run, from {others[0].name} on.")


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _recorded_inputs(recorded: str | None) -> dict[str, Any]:
    try:
        inputs = json.loads(recorded or "")["options"]["inputs"]
    except (ValueError, TypeError, KeyError):
        return {}
    return inputs if isinstance(inputs, dict) else {}


def _used(recorded: str | None) -> range | None:
    """Return the keyframes that a frame was made from, by its record."""
    match _recorded_inputs(recorded).get("keyframes"):
        case [int(first), int(last)] if 0 <= first <= last:
            return range(first, last + 1)
    return None


def _sources(recorded: str) -> list[str]:
    """Return the hashes of the photos that a frame was made from, by its record; copies of them are this tool's too."""
    photos = _recorded_inputs(recorded).get("photos")
    return [sha256 for sha256 in photos if isinstance(sha256, str)] if isinstance(photos, list) else []
