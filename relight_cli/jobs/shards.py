"""--shard I/N: the share of a list of photos that one of N processes makes, each by itself."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import UnfitOptionError, UsageError

if TYPE_CHECKING:
    from relight_cli.jobs.inputs import Source
    from relight_cli.jobs.options import CommandOptions

_FORM = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True)
class Shard:
    """Share `number` (from 1) of `count`."""

    number: int
    count: int

    def has(self, name: str) -> bool:
        """Return whether a photo is in this share: by the SHA-256 of its name as UTF-8, modulo the count.

        `name` is the path relative to the folder or bucket prefix that was given, with slashes, or else the name as it
        was given. It is the same on every machine, so that the shares of one list have no photo in common.
        """
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str | None) -> Shard | None:
    """Return the share that --shard names. Raises UsageError."""
    if text is None:
        return None
    found = _FORM.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text} is not a share: give I/N, with I from 1 to N, such as 2/8.")
    return Shard(int(found[1]), int(found[2]))


def check_shard(text: str | None) -> str | None:
    """Raise UsageError for a --shard that is not one."""
    parse_shard(text)
    return text


def refuse_shard(options: "CommandOptions", what: str) -> None:
    """Raise UsageError if --shard is given for work that has no shares."""
    if options.shard:
        raise UnfitOptionError(f"--shard divides photos, but {what}: leave it out.", "--shard")


def check_sharded_output(options: "CommandOptions") -> None:
    """Raise UsageError if each share would give its outputs the same names, or numbers of its own."""
    if options.shard and options.output and re.search(r"\{index[:}]", options.output):
        raise UsageError(
            f"--output {options.output}: {{index}} counts the whole list, which no share has: use {{stem}}."
        )


def refuse_unmarked_outputs(options: "CommandOptions", pairs: Iterable[tuple["Source", Path]]) -> None:
    """Raise UsageError for outputs without a record where they would be found as photos, perhaps by another share.

    Those are outputs of --strip and depth maps as EXR; the share of the photo that they were made from may be another.
    """
    strip = getattr(options, "strip", None)  # None: maps of depth
    for source, target in pairs if options.shard else ():
        if source.named or not (strip or (strip is None and target.suffix.lower() == ".exr")):
            continue
        root = source.path.parents[len(source.subfolder.parts)]
        if target.parent == root or (options.recursive and root in target.parents):
            raise UsageError(
                f"--shard would put outputs without a record among the photos in {root}, where another share would "
                "take them for photos: give another folder with --output."
            )
