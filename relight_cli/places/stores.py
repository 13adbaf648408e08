"""Object stores through fsspec: what a store can do, and how S3, Google, Azure and web servers do it."""

import mimetypes
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from relight_cli.errors import MissingExtraError, UsageError
from relight_cli.places.urls import Url

BLOCK = 1 << 16  # bytes of a range; a header takes one or two
PART = 1 << 24  # bytes of a part of an upload to S3; twice as much and more goes up in parts
PAGE = 1000  # objects of a list at a time
_TYPES = {  # that `mimetypes` does not know in every version of Python
    **{".avif": "image/avif", ".webp": "image/webp", ".jp2": "image/jp2", ".exr": "image/x-exr"},
    **{".heic": "image/heic", ".heif": "image/heif", ".hif": "image/heif", ".jsonl": "application/jsonl"},
}


class Info(NamedTuple):
    """What a store knows about an object."""

    key: str
    size: int | None = None
    version: str | None = None  # changes with the content
    metadata: Mapping[str, str] = {}  # only from `Store.head`


class Store:
    """One scheme; methods raise what fsspec raises. A web server has no `pages` and no `upload`."""

    module, protocol = "", ""
    is_writable = True
    attempts = 1  # besides those of the libraries

    def __init__(self, scheme: str) -> None:
        """Raise MissingExtraError if the extra is not installed."""
        if not (find_spec("fsspec") and find_spec(self.module)):
            raise MissingExtraError(f"{scheme}:// needs an extra: pip install 'relight-cli[remote]'")
        self.system: Any = self.connect(use_listings_cache=False, skip_instance_cache=True)

    def connect(self, **options: bool) -> Any:
        """Return the file system of fsspec."""
        import fsspec

        return fsspec.filesystem(self.protocol, **options)

    def path(self, url: Url) -> str:
        """Return the name of an object as fsspec has it."""
        return f"{url.bucket}/{url.key}"

    def head(self, url: Url) -> Info | None:
        """Return what is known about an object; None if there is none."""
        raise NotImplementedError

    def pages(self, url: Url, *, recursive: bool) -> Iterator[Info]:
        """Yield the objects whose keys begin with `url.key`, page by page; the end of a key that is a folder's not."""
        raise NotImplementedError

    def download(self, url: Url, file: Path) -> None:
        """Write an object to a file."""
        self.system.get_file(self.path(url), str(file))

    def open(self, url: Url) -> BinaryIO:
        """Open an object, which is read by ranges."""
        return self.system.open(self.path(url), "rb", block_size=BLOCK, cache_type="blockcache")

    def upload(self, file: Path, url: Url, metadata: Mapping[str, str], *, create: bool) -> None:
        """Write an object, which appears when it is whole. Raises FileExistsError with `create` if there is one."""
        raise NotImplementedError


class S3(Store):
    """Amazon S3 and what speaks its protocol."""

    module, protocol = "s3fs", "s3"

    def head(self, url: Url) -> Info | None:
        """Return what is known about an object; None if there is none."""
        try:
            found = self.system.call_s3("head_object", Bucket=url.bucket, Key=url.key)
        except FileNotFoundError:
            return None
        return Info(url.key, found["ContentLength"], found["ETag"].strip('"'), found.get("Metadata", {}))

    def pages(self, url: Url, *, recursive: bool) -> Iterator[Info]:
        """Yield the objects below a key, page by page."""
        more = {} if recursive else {"Delimiter": "/"}
        while True:
            page = self.system.call_s3("list_objects_v2", Bucket=url.bucket, Prefix=url.key, MaxKeys=PAGE, **more)
            for one in page.get("Contents", []):
                yield Info(one["Key"], one["Size"], one["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    def upload(self, file: Path, url: Url, metadata: Mapping[str, str], *, create: bool) -> None:
        """Write an object whole, in parts if it is large."""
        try:
            self.system.put_file(
                str(file),
                self.path(url),
                mode="create" if create else "overwrite",
                chunksize=PART,
                Metadata=dict(metadata),
                ContentType=content_type(url.key),
            )
        except OSError as error:
            code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code")
            if create and code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
                raise FileExistsError(url.key) from error
            raise


class Google(Store):
    """Google Cloud Storage."""

    module, protocol = "gcsfs", "gs"

    def connect(self, **options: bool) -> Any:
        """Return the plain file system: gcsfs's other one asks for the kind of each bucket, with rights of its own."""
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(**options)

    def head(self, url: Url) -> Info | None:
        """Return what is known about an object; None if there is none."""
        try:
            found = self.system.call("GET", "b/{}/o/{}", url.bucket, url.key, json_out=True)
        except FileNotFoundError:
            return None
        return _google_info(found)

    def pages(self, url: Url, *, recursive: bool) -> Iterator[Info]:
        """Yield the objects below a key, page by page."""
        more = {} if recursive else {"delimiter": "/"}
        while True:
            page = self.system.call("GET", "b/{}/o", url.bucket, prefix=url.key, maxResults=PAGE, json_out=True, **more)
            yield from map(_google_info, page.get("items", []))
            if "nextPageToken" not in page:
                return
            more["pageToken"] = page["nextPageToken"]

    def upload(self, file: Path, url: Url, metadata: Mapping[str, str], *, create: bool) -> None:
        """Write an object whole, in parts if it is large."""
        mode = "create" if create else "overwrite"
        self.system.put_file(
            str(file), self.path(url), metadata=dict(metadata), content_type=content_type(url.key), mode=mode
        )


class Azure(Store):
    """Azure Blob Storage."""

    module, protocol = "adlfs", "az"

    def head(self, url: Url) -> Info | None:
        """Return what is known about an object; None if there is none."""
        try:
            return _azure_info(self._run(self._blob(url).get_blob_properties))
        except FileNotFoundError:
            return None

    def pages(self, url: Url, *, recursive: bool) -> Iterator[Info]:
        """Yield the objects below a key, page by page."""
        container = self.system.service_client.get_container_client(url.bucket)
        listed = container.list_blobs if recursive else container.walk_blobs
        blobs = aiter(listed(name_starts_with=url.key, results_per_page=PAGE))
        while (blob := self._run(anext, blobs, None)) is not None:
            if "etag" in blob:  # else a folder
                yield _azure_info(blob)

    def upload(self, file: Path, url: Url, metadata: Mapping[str, str], *, create: bool) -> None:
        """Write an object whole, in parts if it is large."""
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContentSettings

        with file.open("rb") as data:
            settings = ContentSettings(content_type=content_type(url.key))
            options = {"overwrite": not create, "metadata": dict(metadata), "content_settings": settings}
            try:
                self._run(self._blob(url).upload_blob, data, **options)
            except ResourceExistsError as error:
                raise FileExistsError(url.key) from error

    def _blob(self, url: Url) -> Any:
        return self.system.service_client.get_blob_client(url.bucket, url.key)

    def _run(self, function: Any, *arguments: Any, **named: Any) -> Any:
        from azure.core.exceptions import ResourceNotFoundError
        from fsspec.asyn import sync

        async def run() -> Any:
            return await function(*arguments, **named)

        try:
            return sync(self.system.loop, run)
        except ResourceNotFoundError as error:
            raise FileNotFoundError(str(error)) from error


class Web(Store):
    """A web server, which is only read."""

    module = "aiohttp"
    is_writable = False
    attempts = 4

    def __init__(self, scheme: str) -> None:
        self.protocol = scheme
        super().__init__(scheme)

    def path(self, url: Url) -> str:
        return url.address

    def head(self, url: Url) -> Info | None:
        """Return what is known about an object; None if there is none."""
        try:
            found = self.system.info(url.address)
        except FileNotFoundError as error:  # fsspec raises it for every error
            status = getattr(error.__cause__, "status", None)
            if status in (404, 410):
                return None
            raise (error.__cause__ or error) from None
        return Info(url.key, found.get("size"), found.get("ETag") or found.get("Last-Modified"))

    def pages(self, url: Url, *, recursive: bool) -> Iterator[Info]:
        """Yield the objects below a key, page by page."""
        raise UsageError(f"{url.scheme}://{url.bucket}/{url.key}: a web server cannot be listed: name photos.")


_STORES: dict[str, type[Store]] = {"s3": S3, "gs": Google, "az": Azure, "https": Web, "http": Web}


@lru_cache(maxsize=8)
def store_of(scheme: str) -> Store:
    """Return the store of a scheme. Raises MissingExtraError."""
    return _STORES[scheme](scheme)


def content_type(key: str) -> str:
    """Return the media type that the suffix of a name says."""
    suffix = Path(key).suffix.lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or "application/octet-stream"


def _google_info(found: Mapping[str, Any]) -> Info:
    return Info(found["name"], int(found["size"]), found.get("generation"), found.get("metadata") or {})


def _azure_info(found: Mapping[str, Any]) -> Info:
    return Info(found["name"], found["size"], str(found["etag"]).strip('"'), found.get("metadata") or {})
