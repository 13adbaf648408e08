"""Find, fetch and check a file of the manifest: in the weights folder, the Hub cache, on the Hub."""

import contextlib
import errno
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.checkpoints import checksums
from relight_cli.checkpoints.consent import Ask, accepted_by_environment, megabytes, missing_text, require_consent
from relight_cli.checkpoints.manifest import WeightsFile, fetch_command
from relight_cli.errors import ModelUnavailableError, UsageError

if TYPE_CHECKING:
    from huggingface_hub.file_download import HfFileMetadata

PROBE_SECONDS = 4.0  # until the Hub answers, name resolution included; huggingface_hub itself waits 23
ABANDONED_SECONDS = 3600.0  # a download that has not written for this long is dead: the Hub library gives up earlier

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LookUp:
    """Where weights may come from."""

    weights_dir: Path | None = None  # searched before the Hub's cache
    offline: bool = False  # never touch the network; HF_HUB_OFFLINE=1 does the same
    progress: bool = True  # a bar on stderr while downloading, if that is a terminal
    accepted: bool = False  # size and licence of what is missing: download it without asking
    ask: Ask | None = None  # asks whether to download; None if there is no one to ask
    download: bool = True  # False: download nothing, whatever the user accepts


class Place(StrEnum):
    """Where a file was found."""

    WEIGHTS_DIR = "weights folder"
    HUB_CACHE = "Hub cache"


@dataclass(frozen=True)
class Found:
    """A file on this machine, not checked yet."""

    place: Place
    path: Path
    sha256: str | None  # the expected hash, from the manifest or from the Hub


def find(file: WeightsFile, options: LookUp, notify: Callable[[str], None] = lambda line: None) -> Path:
    """Return the path of `file`, checked, fetching it from the Hub if it is not on this machine.

    `notify` gets one line with size and licence before a checkpoint is downloaded.
    Raises ModelUnavailableError if the file is unavailable or not the published one, UsageError if the weights folder
    is not a folder.
    """
    found = availability(file, options) or _fetch(file, options, notify)
    _check(file, found, fresh=False)
    return found.path


def require_download(files: Iterable[WeightsFile], options: LookUp) -> None:
    """Get the user's consent to download those of the files that are not on this machine; call it before `find`.

    The user is asked only after the Hub has answered. Raises ModelUnavailableError without consent or without the Hub.
    """
    from huggingface_hub import constants

    missing = [file for file in files if not availability(file, options)]
    if not missing or options.offline or constants.is_offline_mode():
        return  # `find` raises the error of an offline machine
    _refuse_unasked(missing, options)
    if options.ask and not _is_accepted(options):
        with _errors_explained(missing[0]), _quiet_hub(options.progress):
            _ask_hub(missing[0])
        require_consent(missing, options.ask)


def _is_accepted(options: LookUp) -> bool:
    return options.accepted or accepted_by_environment()


def _refuse_unasked(files: list[WeightsFile], options: LookUp) -> None:
    """Raise ModelUnavailableError for a download that no one has agreed to and no one can be asked about."""
    if not options.download:
        reason = f"and --dry-run downloads nothing: run {fetch_command(*files)}"
        raise ModelUnavailableError(f"{missing_text(files)}, {reason}.")
    if not options.ask and not _is_accepted(options):
        require_consent(files, None)


def verify(file: WeightsFile, options: LookUp) -> Found:
    """Hash the file on this machine again, ignoring earlier checks; `sha256` is None if the expected hash is unknown.

    Raises ModelUnavailableError if the file is missing or not the published one.
    """
    found = availability(file, options)
    if found is None:
        raise ModelUnavailableError(f"{file.name} is not on this machine: run {fetch_command(file)}.")
    _check(file, found, fresh=True)
    return found


def availability(file: WeightsFile, options: LookUp) -> Found | None:
    """Return where `file` is, without the network and without checking it; None if it is missing."""
    from huggingface_hub import try_to_load_from_cache

    for folder in _folders(file, options):
        if (path := folder / file.path).is_file():
            return Found(Place.WEIGHTS_DIR, path, file.sha256)
    cached = try_to_load_from_cache(file.repository, file.path, hub_cache(), file.revision)
    if not isinstance(cached, str):
        return None
    return Found(Place.HUB_CACHE, Path(cached), file.sha256 or _sha256_of_blob(Path(cached)))


def hub_cache() -> Path:
    """Return the folder of the Hub's cache (HF_HOME, HF_HUB_CACHE)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _folders(file: WeightsFile, options: LookUp) -> list[Path]:
    """Return the folders, at or below the weights folder, that may hold the file's repository."""
    top = options.weights_dir
    if top is None:
        return []
    if not top.is_dir():
        raise UsageError(f"{top} is not a folder: name the folder that holds the published files with --weights-dir.")
    below = [top / file.repository_name, top / file.repository]
    return below if file.folder else [top, *below]


def _sha256_of_blob(pointer: Path) -> str | None:
    """Return the sha256 that the Hub states for a large file: the cache names the blob after it.

    Only the first link counts, since the blob may itself be a link into a store with hashes of another kind.
    """
    name = pointer.readlink().name if pointer.is_symlink() else ""
    return name if _SHA256.fullmatch(name) else None


def _check(file: WeightsFile, found: Found, *, fresh: bool) -> None:
    """Raise ModelUnavailableError for a file of another size or hash than published; delete it from the Hub cache."""
    fault = _fault(file, found, fresh)
    if fault is None:
        return
    if found.place is Place.WEIGHTS_DIR:
        raise ModelUnavailableError(f"{found.path} is not the published file, {fault}: replace it with {file.name}.")
    try:
        _discard(found.path)
    except OSError as error:
        raise ModelUnavailableError(f"{found.path} is damaged, {fault}: delete it and fetch it again.") from error
    raise ModelUnavailableError(
        f"{file.name} in the Hub cache was damaged, {fault}, and has been removed: "
        f"run {fetch_command(file)} to fetch it again."
    )


def _fault(file: WeightsFile, found: Found, fresh: bool) -> str | None:
    from huggingface_hub import constants

    try:
        size = found.path.stat().st_size
        if file.size is not None and size != file.size:
            return f"it has {size} bytes instead of {file.size}"
        record = Path(constants.HF_HOME) / "relight-cli" / "verified.json"
        if found.sha256 and not checksums.matches(found.path, found.sha256, record, fresh=fresh):
            return f"its sha256 is not {found.sha256}"
    except OSError as error:
        raise ModelUnavailableError(f"{found.path} cannot be read ({error.strerror}): make it readable.") from error
    return None


def _discard(pointer: Path) -> None:
    """Delete a cached file and its blob, which the Hub library would otherwise use again."""
    while pointer.is_symlink():
        target = pointer.parent / pointer.readlink()
        pointer.unlink()
        pointer = target
    pointer.unlink(missing_ok=True)


def _fetch(file: WeightsFile, options: LookUp, notify: Callable[[str], None]) -> Found:
    from huggingface_hub import constants, hf_hub_download

    if options.offline or constants.is_offline_mode():
        raise ModelUnavailableError(f"{file.name} is not on this machine, which is offline: {_remedy(file)}")
    _refuse_unasked([file], options)
    with _errors_explained(file), _quiet_hub(options.progress):
        offer = _ask_hub(file)
        _require_published(file, offer)
        _make_room(file, offer)
        if not file.config:
            size = megabytes(file.size or offer.size)
            notify(f"Fetching {file.name} ({size}; licence: {file.licence}) from {file.repository}")
        path = hf_hub_download(
            file.repository, file.path, revision=file.revision, cache_dir=hub_cache(), etag_timeout=PROBE_SECONDS
        )
    etag = offer.etag or ""
    return Found(Place.HUB_CACHE, Path(path), file.sha256 or (etag if _SHA256.fullmatch(etag) else None))


@contextlib.contextmanager
def _errors_explained(file: WeightsFile) -> Iterator[None]:
    """Turn the errors of the Hub library into a ModelUnavailableError with the remedy."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        reason, remedy = _explain(error, file)
        raise ModelUnavailableError(f"{file.name} ({file.repository}) cannot be fetched, {reason}: {remedy}") from error


@contextlib.contextmanager
def _quiet_hub(progress: bool) -> Iterator[None]:
    """Reduce the Hub library to the download: no warnings, no unwanted bar, no telemetry."""
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars, logging

    if progress and not constants.HF_HUB_DISABLE_PROGRESS_BARS:
        enable_progress_bars()  # transformers disables these for good when its own bars are disabled
    level, telemetry = logging.get_verbosity(), constants.HF_HUB_DISABLE_TELEMETRY
    logging.set_verbosity_error()
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        with contextlib.nullcontext() if progress else disable_progress_bars():
            yield
    finally:
        logging.set_verbosity(level)
        constants.HF_HUB_DISABLE_TELEMETRY = telemetry


def _ask_hub(file: WeightsFile) -> "HfFileMetadata":
    """Ask the Hub for size and hash of `file`. Raises TimeoutError after PROBE_SECONDS without an answer.

    A daemon thread asks, because no socket timeout covers name resolution.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import FileMetadataError

    url = hf_hub_url(file.repository, file.path, revision=file.revision)
    answer: Future[HfFileMetadata] = Future()

    def ask() -> None:
        try:
            answer.set_result(get_hf_file_metadata(url, timeout=PROBE_SECONDS + 1))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            answer.set_exception(error)

    threading.Thread(target=ask, name="ask-hub", daemon=True).start()
    offer = answer.result(timeout=PROBE_SECONDS)
    if offer.commit_hash is None or offer.etag is None:
        raise FileMetadataError(f"{url} answers without commit or ETag")
    return offer


def _require_published(file: WeightsFile, offer: "HfFileMetadata") -> None:
    """Raise ModelUnavailableError before the download if the Hub offers another file than the published one."""
    etag = offer.etag or ""
    other_hash = file.sha256 is not None and _SHA256.fullmatch(etag) is not None and etag != file.sha256
    other_size = None not in (file.size, offer.size) and file.size != offer.size
    if other_hash or other_size:
        raise ModelUnavailableError(
            f"{file.repository} offers another {file.path} than the published one ({offer.size} bytes, {etag}): "
            f"check HF_ENDPOINT, or {_remedy(file)}"
        )


def _make_room(file: WeightsFile, offer: "HfFileMetadata") -> None:
    """Delete leftovers of killed downloads of this file; raise OSError if the disk has no room for it."""
    from huggingface_hub.file_download import repo_folder_name

    cache = hub_cache()
    cache.mkdir(parents=True, exist_ok=True)
    blobs = cache / repo_folder_name(repo_id=file.repository, repo_type="model") / "blobs"
    for leftover in blobs.glob(f"{offer.etag}.*.incomplete"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > ABANDONED_SECONDS:
                leftover.unlink()
    if shutil.disk_usage(cache).free < (offer.size or 0):
        raise OSError(errno.ENOSPC, "not enough room")


def _explain(error: Exception, file: WeightsFile) -> tuple[str, str]:
    """Return why a download failed, and the remedy."""
    from huggingface_hub import constants
    from huggingface_hub.errors import FileMetadataError, HTTPError, LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    response = getattr(error, "response", None)
    if response is not None:
        status = response.status_code
        meanings = {401: "requires a login or has no such repository", 403: "refuses access", 404: "does not have it"}
        meaning = meanings.get(status, "asks to retry later" if status == 429 or status >= 500 else "refuses")
        return f"the Hub {meaning} (HTTP {status})", _remedy(file)
    if isinstance(error, FileMetadataError):
        return f"the server at {constants.ENDPOINT} is not the Hub", f"check HF_ENDPOINT and proxy; {_remedy(file)}"
    if isinstance(error, TimeoutError):
        return f"{constants.ENDPOINT} did not answer within {PROBE_SECONDS:.0f} s", _remedy(file)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {hub_cache()} is full", "make room, or set HF_HOME to a folder on another disk."
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{hub_cache()} is not writable", "set HF_HOME to a writable folder."
    detail = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    where = f"the connection to {constants.ENDPOINT} failed" if isinstance(error, HTTPError) else "the download stopped"
    return f"{where} ({detail})", _remedy(file)


def _remedy(file: WeightsFile) -> str:
    fetch = f"run {fetch_command(file)} on a machine with a network"
    remedy = f"{fetch}, then name the file's folder with --weights-dir"
    return f"{remedy}, or use {file.instead}." if file.instead else f"{remedy}."
