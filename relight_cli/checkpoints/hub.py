"""The Hub: what it offers, room for it, and its errors as one line with the remedy."""

import contextlib
import errno
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.checkpoints.manifest import WeightsFile, fetch_command
from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    from huggingface_hub.file_download import HfFileMetadata

PROBE_SECONDS = 4.0  # until the Hub answers, name resolution included; huggingface_hub itself waits 23
ABANDONED_SECONDS = 3600.0  # a download that has not written for this long is dead: the Hub library gives up earlier
SHA256 = re.compile(r"[0-9a-f]{64}")


def hub_cache() -> Path:
    """Return the folder of the Hub's cache (HF_HOME, HF_HUB_CACHE)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def ask_hub(file: WeightsFile) -> "HfFileMetadata":
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


def require_published(file: WeightsFile, offer: "HfFileMetadata") -> None:
    """Raise ModelUnavailableError before the download if the Hub offers another file than the published one."""
    etag = offer.etag or ""
    other_hash = file.sha256 is not None and SHA256.fullmatch(etag) is not None and etag != file.sha256
    other_size = None not in (file.size, offer.size) and file.size != offer.size
    if other_hash or other_size:
        raise ModelUnavailableError(
            f"{file.repository} offers another {file.path} than the published one ({offer.size} bytes, {etag}): "
            f"check HF_ENDPOINT, or {remedy_for(file)}"
        )


def make_room(file: WeightsFile, offer: "HfFileMetadata") -> None:
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


@contextlib.contextmanager
def hub_errors_explained(file: WeightsFile) -> Iterator[None]:
    """Turn the errors of the Hub library into a ModelUnavailableError with the remedy."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        reason, remedy = _explain(error, file)
        raise ModelUnavailableError(f"{file.name} ({file.repository}) cannot be fetched, {reason}: {remedy}") from error


@contextlib.contextmanager
def quiet_hub(progress: bool) -> Iterator[None]:
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
        return f"the Hub {meaning} (HTTP {status})", remedy_for(file)
    if isinstance(error, FileMetadataError):
        return f"the server at {constants.ENDPOINT} is not the Hub", f"check HF_ENDPOINT and proxy; {remedy_for(file)}"
    if isinstance(error, TimeoutError):
        return f"{constants.ENDPOINT} did not answer within {PROBE_SECONDS:.0f} s", remedy_for(file)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {hub_cache()} is full", "make room, or set HF_HOME to a folder on another disk."
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{hub_cache()} is not writable", "set HF_HOME to a writable folder."
    detail = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    where = f"the connection to {constants.ENDPOINT} failed" if isinstance(error, HTTPError) else "the download stopped"
    return f"{where} ({detail})", remedy_for(file)


def remedy_for(file: WeightsFile) -> str:
    fetch = f"run {fetch_command(file)} on a machine with a network"
    remedy = f"{fetch}, then name the file's folder with --weights-dir"
    return f"{remedy}, or use {file.instead}." if file.instead else f"{remedy}."
