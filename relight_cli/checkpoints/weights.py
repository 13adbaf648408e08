"""Find, fetch and check a file of the manifest: in the weights folder, the Hub cache, on the Hub."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relight_cli.checkpoints import checksums, hub
from relight_cli.checkpoints.consent import Ask, accepted_by_environment, megabytes, missing_text, require_consent
from relight_cli.checkpoints.hub import (
    SHA256,
    ask_hub,
    hub_cache,
    hub_errors_explained,
    make_room,
    quiet_hub,
    remedy_for,
    require_published,
)
from relight_cli.checkpoints.manifest import WeightsFile, fetch_command
from relight_cli.errors import ModelUnavailableError, UsageError
from relight_cli.paths import is_folder


@dataclass(frozen=True)
class LookUp:
    """Where weights may come from."""

    weights_dir: Path | None = None  # searched before the Hub's cache
    offline: bool = False  # never touch the network; HF_HUB_OFFLINE=1 does the same
    progress: bool = True  # a bar on stderr while downloading, if that is a terminal
    accept_licence: bool = False  # size and licence of what is missing: download it without asking
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
        with hub_errors_explained(missing[0]), quiet_hub(options.progress):
            ask_hub(missing[0])
        require_consent(missing, options.ask)


def _is_accepted(options: LookUp) -> bool:
    return options.accept_licence or accepted_by_environment()


def _refuse_unasked(files: list[WeightsFile], options: LookUp) -> None:
    """Raise ModelUnavailableError for a download that no one has agreed to and no one can be asked about."""
    if not options.download:
        reason = f"and nothing is downloaded here: run {fetch_command(*files)}"
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


def _folders(file: WeightsFile, options: LookUp) -> list[Path]:
    """Return the folders, at or below the weights folder, that may hold the file's repository."""
    top = options.weights_dir
    if top is None:
        return []
    if not is_folder(top):
        raise UsageError(f"{top} is not a folder: name the folder that holds the published files with --weights-dir.")
    below = [top / file.repository_name, top / file.repository]
    return below if file.folder else [top, *below]


def _sha256_of_blob(pointer: Path) -> str | None:
    """Return the sha256 that the Hub states for a large file: the cache names the blob after it.

    Only the first link counts, since the blob may itself be a link into a store with hashes of another kind.
    """
    name = pointer.readlink().name if pointer.is_symlink() else ""
    return name if SHA256.fullmatch(name) else None


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
        raise ModelUnavailableError(f"{file.name} is not on this machine, which is offline: {remedy_for(file)}")
    _refuse_unasked([file], options)
    with hub_errors_explained(file), quiet_hub(options.progress):
        offer = ask_hub(file)
        require_published(file, offer)
        make_room(file, offer)
        if not file.config:
            size = megabytes(file.size or offer.size)
            notify(f"Fetching {file.name} ({size}; licence: {file.licence}) from {file.repository}")
        path = hf_hub_download(
            file.repository, file.path, revision=file.revision, cache_dir=hub_cache(), etag_timeout=hub.PROBE_SECONDS
        )
    etag = offer.etag or ""
    return Found(Place.HUB_CACHE, Path(path), file.sha256 or (etag if SHA256.fullmatch(etag) else None))
