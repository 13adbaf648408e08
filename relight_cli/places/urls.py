"""Names of objects: s3://bucket/key, gs://bucket/key, az://container/blob, https://host/path, file:///path."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from relight_cli.errors import UsageError

BUCKETS = ("s3", "gs", "az")
WEB = ("https", "http")  # read only
_NAME = re.compile(rf"({'|'.join((*BUCKETS, *WEB, 'file'))}):/{{1,2}}(.*)", re.DOTALL)  # pathlib makes one slash of two
_SECRETS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*:/{1,2})(?P<user>[^/\s@'\"]*@)?(?P<path>[^\s?#'\"]*)"
    r"(?P<query>\?[^\s'\"]*=[^\s'\"]*)?"
)


class Url(NamedTuple):
    """The parts of a name."""

    scheme: str
    bucket: str  # or host
    key: str  # without a slash before it
    address: str  # the whole name, with a query


def is_url(name: str) -> bool:
    """Return whether a name is that of an object, and not of a file."""
    return _NAME.match(name) is not None


def split_url(name: str) -> Url:
    """Return the parts of the name of an object. Raises UsageError for one without a bucket, or with a password."""
    found = _NAME.match(name)
    assert found, name
    scheme, rest = found[1], found[2]
    if scheme == "file":
        return Url(scheme, "", rest, name)
    if scheme in WEB:
        split = urlsplit(f"{scheme}://{rest}")
        if not split.hostname:
            raise UsageError(f"{redact(name)} names no host: write {scheme}://HOST/PATH.")
        return Url(scheme, split.netloc.rpartition("@")[2], split.path.lstrip("/"), f"{scheme}://{rest}")
    bucket, _, key = rest.partition("/")
    if "@" in bucket or ":" in bucket:
        raise UsageError(f"{redact(name)}: a name takes no password: set it as the library of {scheme}:// finds it.")
    if not bucket:
        raise UsageError(f"{name} names no bucket: write {scheme}://BUCKET/PREFIX/.")
    return Url(scheme, bucket, key, f"{scheme}://{rest}")


def redact(text: str) -> str:
    """Return a text without the passwords and queries of the names in it: queries hold tokens and signatures."""
    if ":/" not in text:
        return text

    def cleaned(found: re.Match[str]) -> str:
        user = "***@" if found["user"] else ""
        return f"{found['scheme']}{user}{found['path']}{'?***' if found['query'] else ''}"

    return _SECRETS.sub(cleaned, text)
