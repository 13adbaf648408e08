"""Find photos among objects: by name, below a prefix, or by a glob."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from relight_cli.errors import UsageError
from relight_cli.jobs.companions import is_companion, is_of_system
from relight_cli.jobs.shards import Shard
from relight_cli.photos.formats import format_of
from relight_cli.places.objects import ObjectPath, list_objects, place_of
from relight_cli.places.urls import WEB, is_url, redact

_MAGIC = re.compile(r"[*?[]")


@dataclass
class Found:
    """Photos in the order of their keys; `any_photo` is known at the end."""

    place: ObjectPath
    recursive: bool
    globs: bool
    shard: Shard | None
    any_photo: bool = False  # in this share or another

    def __iter__(self) -> Iterator[tuple[ObjectPath, Path, str | None]]:
        """Yield each photo, its subfolder below the prefix, and its key below the prefix; None if it was named."""
        for photo, subfolder, inner in self._found():
            self.any_photo = True
            yield photo, subfolder, inner

    def _found(self) -> Iterator[tuple[ObjectPath, Path, str | None]]:
        place, url = self.place, self.place.url
        is_glob = self.globs and url.scheme not in WEB and _MAGIC.search(url.key) and not place.is_file()
        if not is_glob and (url.scheme in WEB or (format_of(place) and not url.key.endswith("/"))):
            yield place, Path(), None
            return
        if is_glob:
            for photo in self._matches():
                yield photo, Path(), str(photo)
            return
        any_object = False
        start = len(url.key) + (bool(url.key) and not url.key.endswith("/"))

        def wanted(key: str) -> bool:
            """Return whether a key is in the share, before a path is made of each of millions."""
            nonlocal any_object
            any_object = True
            if self.shard is None or self.shard.has(key[start:]):
                return True
            self.any_photo = self.any_photo or _is_photo(Path(key), key[start:])
            return False

        for photo in list_objects(place, recursive=self.recursive, wanted=wanted):
            inner = photo.url.key[start:]
            if _is_photo(photo, inner):
                yield photo, Path(*PurePosixPath(inner).parts[:-1]), inner
        if not any_object and not url.key.endswith("/") and place.is_file():
            yield place, Path(), None

    def _matches(self) -> Iterator[ObjectPath]:
        from fsspec.utils import glob_translate

        url = self.place.url
        fixed = url.key[: _MAGIC.search(url.key).start()].rpartition("/")[0]  # type: ignore[union-attr]
        pattern = re.compile(glob_translate(url.key))
        prefix = place_of(f"{url.scheme}://{url.bucket}/{fixed}{'/' if fixed else ''}")
        assert isinstance(prefix, ObjectPath)
        for photo in list_objects(prefix, recursive="/" in url.key[len(fixed) + bool(fixed) :]):
            if pattern.match(photo.url.key) and not is_companion(photo) and not is_of_system(photo):
                yield photo


def find_objects(place: ObjectPath, *, recursive: bool, globs: bool, shard: Shard | None) -> Found:
    """Return the photos that the name of an object stands for: itself, those below it as a prefix, or of a glob.

    A name that ends in the suffix of a photo is a photo, without a request. Of those below a prefix only the photos of
    the `shard` are found. Iterating raises OSError.
    """
    return Found(place, recursive, globs, shard)


def refuse_objects(places: Iterable[str | Path | None], what: str) -> None:
    """Raise UsageError for a place that is no file, where `what` needs files."""
    for place in places:
        if place is not None and is_url(str(place)) and isinstance(place_of(place), ObjectPath):
            raise UsageError(f"{redact(str(place))} is an object, but {what} needs files: copy it to a folder first.")


def _is_photo(photo: Path, inner: str) -> bool:
    return bool(format_of(photo)) and not is_companion(photo) and not is_of_system(Path(inner))
