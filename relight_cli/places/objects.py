"""Objects as paths: named, opened and looked up like files, so that what reads files reads objects."""

import contextlib
import errno
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.places.copies import LocalCopy
from relight_cli.places.stores import Info, Store, store_of
from relight_cli.places.transfers import TransferError, attempt, translated
from relight_cli.places.urls import Url, is_url, split_url

T = TypeVar("T")
LOOKED_UP = 32  # objects at a time
_WRITE = "relightwrite"  # metadata: a number that tells whose write succeeded when the answer was lost
if TYPE_CHECKING:
    _Base = Path
else:
    _Base = type(Path())  # of this system
_REMEMBERED = 100
_written: dict[str, str] = {}  # hashes of the last objects that were written
_known: dict[str, Info | None] | None = None  # inside `surveyed`


class ObjectPath(_Base):
    """The path of an object: its parts are scheme, bucket and the parts of its key.

    Names are made as with any path (`with_name`, `/`, `parent`). It opens by ranges, or its local copy (`held`,
    `kept`), whose path it also is for libraries; without a copy it has none in the file system, and says so.
    """

    _url: Url | None = None  # as given, where the parts do not say it: queries, empty parts of a key
    listed: Info | None = None  # what a list said
    metadata: Mapping[str, str] = {}  # to be written with it
    _copy: LocalCopy | None = None

    def derived(self, **attributes: Any) -> "ObjectPath":
        """Return the same path with other attributes."""
        path = ObjectPath(*self.parts)
        path.__dict__.update(self.__dict__ | attributes)
        return path

    @property
    def url(self) -> Url:
        """The name in parts."""
        if self._url:
            return self._url
        scheme, bucket, key = self.parts[0].rstrip(":"), "".join(self.parts[1:2]), "/".join(self.parts[2:])
        return Url(scheme, bucket, key, f"{scheme}://{bucket}/{key}")

    @property
    def store(self) -> Store:
        """Where it lies. Raises MissingExtraError."""
        return store_of(self.url.scheme)

    def __str__(self) -> str:
        """Return its name without a query, which may hold secrets."""
        return f"{self.url.scheme}://{self.url.bucket}/{self.url.key}"

    def __fspath__(self) -> str:
        if self._copy is None:
            raise RuntimeError(f"{self} is an object and has no path in the file system")
        return str(self._copy.file())

    def _attempt(self, action: Callable[[], T]) -> T:
        return attempt(str(self), action, self.store.attempts)

    def info(self) -> Info | None:
        """Return what its store knows about it now; None if there is none. Raises OSError."""
        if _known is not None and str(self) in _known:
            return _known[str(self)]
        return self._attempt(lambda: self.store.head(self.url))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether there is such an object. Raises OSError."""
        return self.info() is not None

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether there is such an object, as far as can be found out."""
        try:
            return self.exists()
        except OSError:
            return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return False: a store has no folders."""
        return False

    def is_fifo(self) -> bool:
        """Return False."""
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return its size. Raises FileNotFoundError, OSError."""
        info = self.info()
        if info is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", str(self))
        return os.stat_result((stat.S_IFREG | 0o644, 0, 0, 1, 0, 0, info.size or 0, 0, 0, 0))

    def mkdir(self, *arguments: object, **named: object) -> None:
        """Do nothing: a store has no folders."""

    def absolute(self) -> "ObjectPath":
        """Return the path."""
        return self

    def open(self, mode: str = "r", *arguments: Any, **named: Any) -> IO[Any]:  # type: ignore[override]
        """Open its copy, or else the object by ranges. Raises OSError."""
        if "r" not in mode or "+" in mode:
            raise OSError(errno.EROFS, "an object is written as a whole", str(self))
        if self._copy:
            return self._copy.file().open(mode, *arguments, **named)
        with translated(str(self)):
            file = self.store.open(self.url)
        if not file.seekable():  # a web server without ranges
            with held(self) as copy:
                file = io.BytesIO(copy.read_bytes())
        if "b" in mode:
            return file
        named.pop("buffering", None)
        return io.TextIOWrapper(file, **named)

    def download(self, file: Path) -> None:
        """Write the whole object to a file. Raises OSError."""
        size = self.listed.size if self.listed else None

        def get() -> None:
            self.store.download(self.url, file)
            if size is not None and file.stat().st_size != size:
                raise TransferError(errno.EIO, f"{file.stat().st_size} of {size} bytes came", str(self))

        self._attempt(get)

    def upload(self, file: Path, *, overwrite: bool) -> None:
        """Write the object from a file, with `metadata`; it appears when it is whole. Raises OSError.

        Without `overwrite` an existing one is never replaced, not even one that another writer makes meanwhile. An
        answer that is lost makes no error: the number in the metadata tells whose object is there.
        """
        require_writable(self)
        metadata = {**self.metadata, _WRITE: secrets.token_hex(8)}
        try:
            self._attempt(lambda: self.store.upload(file, self.url, metadata, create=not overwrite))
        except FileExistsError:
            found = self.info()
            if found is None or found.metadata.get(_WRITE) != metadata[_WRITE]:
                raise
        with file.open("rb") as data:
            _written[str(self)] = hashlib.file_digest(data, "sha256").hexdigest()
        while len(_written) > _REMEMBERED:
            del _written[next(iter(_written))]


def written_sha256(path: Path) -> str | None:
    """Return the hash of an object that this process has just written, so that it need not be read."""
    return _written.pop(str(path), None) if isinstance(path, ObjectPath) else None


def place_of(name: str | Path) -> Path:
    """Return the path of a file or an object by its name. Raises UsageError."""
    if isinstance(name, ObjectPath) or not is_url(str(name)):
        return Path(name) if isinstance(name, str) else name
    url = split_url(str(name))
    if url.scheme == "file":
        return Path(unquote(urlsplit(f"file:///{url.key.lstrip('/')}").path))
    path = ObjectPath(f"{url.scheme}:", url.bucket, *url.key.split("/"))
    return path if path.url == url else path.derived(_url=url)


def kept(path: Path) -> Path:
    """Return a path whose object is copied once, when it is first read, for the whole run."""
    return path.derived(_copy=LocalCopy(path.name, path.download)) if isinstance(path, ObjectPath) else path


@contextlib.contextmanager
def held(path: Path) -> Iterator[Path]:
    """Yield a path whose object is copied at most once in the block."""
    if not isinstance(path, ObjectPath) or path._copy:
        yield path
        return
    copy = LocalCopy(path.name, path.download)
    try:
        yield path.derived(_copy=copy)
    finally:
        copy.remove()


def described(path: Path, metadata: Mapping[str, str]) -> Path:
    """Return a path whose object is written with metadata; the path itself if it is a file's."""
    return path.derived(metadata=metadata) if isinstance(path, ObjectPath) else path


def exists(path: Path) -> bool:
    """Return whether there is a file, also a broken link, or an object. Raises OSError for objects."""
    return path.exists() if isinstance(path, ObjectPath) else os.path.lexists(path)


def require_writable(path: "ObjectPath") -> None:
    """Raise UsageError for a place that is only read, MissingExtraError for one that needs an extra."""
    if not path.store.is_writable:
        raise UsageError(f"{path} cannot be written, since a web server is only read: choose another --output.")


def require_bucket(path: "ObjectPath") -> None:
    """Raise OutputUnwritableError for an output in a bucket that does not exist, as far as it can be found out."""
    url = path.url
    try:
        with translated(str(path)):
            next(path.store.pages(url, recursive=True), None)
    except FileNotFoundError as error:
        message = f"{path}: there is no bucket called {url.bucket}: create it first, or choose another --output."
        raise OutputUnwritableError(message) from error
    except OSError:  # a process that may write need not be allowed to list
        return


def list_objects(
    prefix: ObjectPath, *, recursive: bool, wanted: Callable[[str], bool] = lambda key: True
) -> Iterator[ObjectPath]:
    """Yield the objects below a prefix with a `wanted` key, in the order of keys, page by page. Raises OSError."""
    url = prefix.url
    key = url.key if not url.key or url.key.endswith("/") else f"{url.key}/"
    with translated(str(prefix)):
        for info in prefix.store.pages(url._replace(key=key), recursive=recursive):
            if not info.key.endswith("/") and wanted(info.key):  # else an object that stands for a folder
                path = place_of(f"{url.scheme}://{url.bucket}/{info.key}")
                assert isinstance(path, ObjectPath)
                yield path.derived(listed=info)


@contextlib.contextmanager
def surveyed(paths: Iterable[Path]) -> Iterator[None]:
    """Look up many objects at a time; in the block they are as they were found. Raises OSError."""
    global _known
    objects = [path for path in paths if isinstance(path, ObjectPath)]
    if not objects:
        yield
        return
    with ThreadPoolExecutor(LOOKED_UP) as pool:
        found = dict(zip(map(str, objects), pool.map(ObjectPath.info, objects), strict=True))
    _known = found
    try:
        yield
    finally:
        _known = None
