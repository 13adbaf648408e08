"""What the frames of a sequence say of how they were made, and which of those that exist are as they would be now."""

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
from relight_cli.timelapse.sequencing import Ease, OutputFrame, keyframes_needed
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
        """Tell how another model makes the frames."""
        facts = ModelInfo(model.name, model.revision, model.sha256)
        return replace(self, recipe=replace(self.recipe, model=facts))

    def sha256(self, number: int) -> str | None:
        """Hash the file of a keyframe, once; a file that changes after this is made anew another time."""
        path = self.frames.path(number)
        if path not in self._sha256:
            self._sha256[path] = sha256_of(path)
        return self._sha256[path]

    def inputs(self, number: int, missing: Container[int] = frozenset()) -> Inputs:
        """Tell what a frame is made from, where keyframes are `missing` that cannot be read."""
        return self._inputs(number, self._keyframes(number, missing))

    def all_inputs(self) -> Inputs:
        """Tell what all frames together are made from."""
        count = len(self.frames.times)
        files = [[self.sha256(number), round(time, 6)] for number, time in enumerate(self.frames.times)]
        return {"keyframes": [0, count - 1], "sha256": _digest(files)}

    def copied(self, number: int) -> Path | None:
        """Tell the file that a frame is a copy of, if all goes well."""
        keyframe, options = self.planned[number].keyframe, self.options
        changed = options.deflicker or options.freeze or options.redo_keyframes or options.strip
        return None if keyframe is None or changed else self.frames.original(keyframe)

    def comment(self, writer: Writer) -> str | None:
        """Give what one file of all frames is to say of how it is made; nothing with --strip."""
        return (
            self.recipe.provenance(self.all_inputs()).parameters()
            if writer.is_single_file and not self.options.strip
            else None
        )

    def resolve_existing(self, writer: Writer, notify: Callable[[str], None]) -> None:
        """Let a writer keep what is there as it would be made again, and what does not say that this tool made it."""
        recorded = {target: self.recipe.recorded(target) for target in writer.targets if target.exists()}
        sources = {source for one in recorded.values() if one for source in _sources(one)}
        kept, foreign = set(), []
        for number, target in enumerate(writer.targets):
            if target not in recorded:
                continue
            as_made = (
                self._whole_again(recorded[target])
                if writer.is_single_file
                else self._made_again(number, recorded[target])
            )
            copy = None if as_made or writer.is_single_file else sha256_of(target)
            if as_made or (copy and self.copied(number) and copy == self._of_original(number)):
                kept.add(target)
            elif recorded[target] is None and copy not in sources:
                kept.add(target)
                foreign.append(target)
        if foreign:
            more = f" and {len(foreign) - 1} more" if foreign[1:] else ""
            said = (
                "left as they are, they do not say how they were"
                if more
                else "left as it is, it does not say how it was"
            )
            notify(f"{foreign[0]}{more}: {said} made; --overwrite makes all anew.")
        writer.keep(kept)

    def _of_original(self, number: int) -> str | None:
        keyframe = self.planned[number].keyframe
        return None if keyframe is None else self.sha256(keyframe)

    def _keyframes(self, number: int, missing: Container[int] = frozenset()) -> range:
        window = self.options.deflicker or 0
        return keyframes_needed(self.planned[number], self.frames.times, self.options.ease, window, missing)

    def _inputs(self, number: int, keyframes: range) -> Inputs:
        """Tell what a frame is made from: where it lies among its keyframes, too, and when it is said to be taken."""
        frame, times = self.planned[number], self.frames.times
        files = [[self.sha256(one), round(times[one] - frame.time, 6)] for one in keyframes]
        return {
            "photos": list(dict.fromkeys(self.sha256(one) for one in self._around(frame))),
            "keyframes": [keyframes.start, keyframes.stop - 1],
            "sha256": _digest([files, self.frames.taken(frame.time)]),
        }

    def _around(self, frame: OutputFrame) -> range:
        return keyframes_needed(frame, self.frames.times, Ease.LINEAR, 0)

    def _made_again(self, number: int, told: str | None) -> bool:
        """Tell whether a frame that exists would be made the same, from the very keyframes that it was made from.

        Those may be more than it depends on at best, as some may not have been readable.
        """
        used, least = _used(told), self._keyframes(number)
        if told is None or used is None or not (used.start <= least.start and least.stop <= used.stop):
            return False
        return used.stop <= len(self.frames.times) and self._same(self._inputs(number, used), told)

    def _whole_again(self, told: str | None) -> bool:
        return told is not None and self._same(self.all_inputs(), told)

    def _same(self, inputs: Inputs, told: str) -> bool:
        return (
            self.recipe.knows_inputs()
            and None not in self._sha256.values()
            and self.recipe.provenance(inputs).parameters() == told
        )


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _recorded(told: str | None) -> dict[str, Any]:
    try:
        inputs = json.loads(told or "")["options"]["inputs"]
    except (ValueError, TypeError, KeyError):
        return {}
    return inputs if isinstance(inputs, dict) else {}


def _used(told: str | None) -> range | None:
    """Tell from which keyframes a frame says it was made."""
    match _recorded(told).get("keyframes"):
        case [int(first), int(last)] if 0 <= first <= last:
            return range(first, last + 1)
    return None


def _sources(told: str) -> list[str]:
    """List the hashes of the photos that a frame says it was made from: copies of them are this tool's, too."""
    photos = _recorded(told).get("photos")
    return [one for one in photos if isinstance(one, str)] if isinstance(photos, list) else []
