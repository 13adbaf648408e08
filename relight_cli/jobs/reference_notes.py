"""What a reference shows of the photos of a run: said once for each different answer."""

from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from relight_cli.jobs.relight_options import RelightCommandOptions
from relight_cli.relighting.options import ReferenceKind

if TYPE_CHECKING:
    from relight_cli.relighting.view_match import ViewMatch

LISTED = 5  # names of photos in a line, at most
_SHOWS = {
    ReferenceKind.ALIGNED: "the same view as",
    ReferenceKind.MOVED: "the same view, moved, as",
    ReferenceKind.SCENE: "another scene than",
}


class ReferenceNotes:
    """Collects what a reference shows of each photo. Threads may share it."""

    def __init__(self, reference: str, notify: Callable[[str], None], options: RelightCommandOptions) -> None:
        """Take the name of the reference, and the options, some of which have no effect on a photo of a kind."""
        self._reference, self._notify, self._options = reference, notify, options
        self._kinds: dict[str, ReferenceKind] = {}
        self._lock = Lock()

    def of(self, photo: str) -> "Callable[[ViewMatch], None]":
        """Return the function that takes what the reference shows of a photo, called by its name."""

        def take(view: "ViewMatch") -> None:
            with self._lock:
                is_new = view.kind not in self._kinds.values()
                self._kinds[photo] = view.kind
            if is_new:
                self._notify(f"{photo}: {view}{self._without_effect(view)}")

        return take

    def finish(self) -> None:
        """Say which photos the reference shows how, if it is not the same for all."""
        counts = Counter(self._kinds.values()).most_common()
        if len(counts) < 2:
            return
        (usual, number), *others = counts
        parts = [f"{_SHOWS[usual]} {number} photo{'s' * (number != 1)}"]
        for kind, _ in others:
            names = [name for name, found in self._kinds.items() if found == kind]
            more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
            parts.append(f"{_SHOWS[kind]} {', '.join(names[:LISTED])}{more}")
        self._notify(f"{self._reference} shows {'; '.join(parts)}.")

    def _without_effect(self, view: "ViewMatch") -> str:
        if view.kind == ReferenceKind.SCENE:
            return ""
        idle, unused = self._options.idle(partial=view.is_partial), self._options.unused_light(partial=view.is_partial)
        no_effect = f"{' and '.join(idle)} {'have' if len(idle) > 1 else 'has'} no effect on it." if idle else None
        return "".join(f" {sentence}" for sentence in (no_effect, unused) if sentence)
