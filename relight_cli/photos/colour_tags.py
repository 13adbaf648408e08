"""What the numbers of a picture mean, decided before pixels are used, in the order of the container's standard."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.photos import cicp
from relight_cli.photos.colour_profiles import REC709, SRGB, converts_both_ways, converts_to_srgb, profile_space
from relight_cli.photos.exif_colours import exif_colours
from relight_cli.photos.special_files import special_file
from relight_cli.rasters.bit_depth import from_unit, to_unit
from relight_cli.rasters.rows import row_bands

if TYPE_CHECKING:
    from relight_cli.photos.codecs.decoded import Decoded

InputColour = str | os.PathLike[str] | bytes | None
"""The colours of files that say nothing: "linear", "srgb", or an ICC profile, as a file or its bytes."""
_CICP_FIRST = ("PNG",)  # PNG, 3rd edition, section 11.3.2.1; elsewhere an ICC profile comes first
_WITH_EXIF = ("JPEG", "WEBP", "TIFF", "AVIF", "HEIF", "PNG")  # the others say it elsewhere, or not at all
_GAMMA_OF_SRGB = (2.15, 2.25)  # 2.2 with the primaries of sRGB is how files approximate sRGB


@dataclass(frozen=True)
class ColourTags:
    """What a container says about colours besides an ICC profile; None for what it does not say."""

    cicp: tuple[int, int] | None = None  # primaries and transfer characteristics (ITU-T H.273)
    full_range: bool = True  # else black is at 16 and white at 235 of 256 (H.273, section 8.3)
    srgb: bool = False
    gamma: float | None = None  # light = value ** gamma
    chromaticities: tuple[float, ...] | None = None  # (x, y) of red, green, blue and white
    curve: bytes | None = None  # from values to light, as ICC stores it
    bits: int = 0  # of the samples in the file, for a narrow range; 0: as many as the decoded samples have


@dataclass(frozen=True)
class _Finding:
    """One thing that a file says about its colours."""

    source: str  # for notes
    icc: bytes | None = None  # None for sRGB
    tags: ColourTags | None = None  # that say the same


def resolve_colours(decoded: "Decoded", input_colour: InputColour = None) -> None:
    """Replace the profile of a decoded picture by what its file says; convert values that no profile describes.

    A broken profile is kept if nothing else is said, so that the reader of the profile reports it.
    """
    tags, grey = decoded.colour or ColourTags(), decoded.pixels.shape[2] == 1
    if decoded.undecided:
        decoded.notes.append(
            f"its colour space ({decoded.undecided}) is not known; the colours are read as linear light"
        )
    if not tags.full_range:
        bits = tags.bits or 8 * decoded.pixels.dtype.itemsize
        largest = (2**bits - 1) / 2 ** (bits - 8)  # in steps of 8 bits (ITU-T H.273, section 8.3)
        _convert(decoded, lambda values: np.clip((values * largest - 16) / 219, 0, 1))
    found = next(_findings(decoded, tags, grey=grey), None)
    if found is None:
        if decoded.icc is None:
            decoded.recoloured = input_colour not in (None, "srgb")
            decoded.icc = profile_for(input_colour, grey=grey) or (SRGB if says_adobe_rgb(decoded.exif) else None)
            if decoded.icc and (hdr := _by_profile(decoded.icc, None).tags) and hdr.cicp:
                _to_display(decoded, *hdr.cicp, grey=grey)
                return
            floats = decoded.pixels.dtype == np.float32
            if input_colour is None and floats and np.fmax.reduce(decoded.pixels, axis=None) > 1:  # NaN does not count
                decoded.notes.append(
                    "it has no colour profile and is read as sRGB, but has values above 1; if it is linear light, "
                    "give --input-colour linear"
                )
        decoded.colour = None
        return
    if decoded.icc and decoded.icc != found.icc and found.source not in ("its cICP chunk", "its profile"):
        decoded.notes.append(f"its colour profile is broken and dropped; the colours are those of {found.source}")
    decoded.icc, decoded.colour = found.icc, found.tags
    if found.tags and found.tags.cicp and cicp.is_hdr(found.tags.cicp[1]):
        _to_display(decoded, *found.tags.cicp, grey=grey)
    if decoded.icc is None and says_adobe_rgb(decoded.exif):
        decoded.icc = SRGB  # else a reader would believe the EXIF data


def states_nothing(decoded: "Decoded") -> bool:
    """Return whether a file says nothing about its colours that can be used."""
    grey = decoded.pixels.shape[2] == 1
    return decoded.icc is None and next(_findings(decoded, decoded.colour or ColourTags(), grey=grey), None) is None


def profile_for(colour: InputColour, *, grey: bool = False) -> bytes | None:
    """Return the profile that an `InputColour` names, None for sRGB. Raises UsageError if it is not a profile."""
    if colour is None or colour == "srgb":
        return None
    if colour == "linear":
        return cicp.profile_of(REC709, (1.0,), grey=grey)
    name = "the input colours" if isinstance(colour, bytes) else os.fspath(colour)
    if not isinstance(colour, bytes) and special_file(Path(colour)):
        raise UsageError(f"{name} is neither linear, srgb nor a file: name an ICC profile.")
    try:
        icc = colour if isinstance(colour, bytes) else Path(colour).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} is neither linear, srgb nor a readable ICC profile ({error.strerror}).") from error
    if not converts_both_ways(icc):
        raise UsageError(f"{name} is no RGB or grey ICC profile that converts both ways: name another profile.")
    return icc


def says_adobe_rgb(exif: bytes | None) -> bool:
    """Return whether EXIF data says that the colours are AdobeRGB."""
    said = exif_colours(exif)
    return said is not None and said.chromaticities is not None


def _findings(decoded: "Decoded", tags: ColourTags, *, grey: bool) -> Iterator[_Finding]:
    """Yield what a file says about its colours and can be used, what counts most first."""
    codes = _by_cicp(decoded, tags, grey=grey)
    if codes and decoded.format in _CICP_FIRST:
        yield codes
    if decoded.icc and _is_usable(decoded.icc, grey=grey):
        yield _by_profile(decoded.icc, tags if decoded.format == "EXR" else None)
    if codes:
        yield codes
    if tags.srgb:
        yield _Finding("sRGB")
    if tags.gamma or tags.chromaticities or tags.curve:
        yield _by_primaries("its gamma and primaries", tags, grey=grey)
    if decoded.format in _WITH_EXIF and (said := exif_colours(decoded.exif)):
        yield (
            _Finding("its EXIF data")
            if said.srgb
            else _by_primaries(
                "its EXIF data", ColourTags(None, gamma=said.gamma, chromaticities=said.chromaticities), grey=grey
            )
        )


def _is_usable(icc: bytes, *, grey: bool) -> bool:
    space = profile_space(icc)
    if space == "cmyk" or space is None or not (grey or space == "rgb"):
        return False
    return converts_both_ways(icc) or converts_to_srgb(icc, space)


def _by_profile(icc: bytes, tags: ColourTags | None) -> _Finding:
    """Return what a profile says: its code points alone if they are those of PQ or HLG."""
    codes = cicp.codes_of_profile(icc)
    if codes and cicp.is_hdr(codes[1]) and cicp.is_known(*codes):
        return _Finding("its profile", None, ColourTags(codes))
    return _Finding("its profile", icc, tags)


def _by_cicp(decoded: "Decoded", tags: ColourTags, *, grey: bool) -> _Finding | None:
    source = "its cICP chunk" if decoded.format == "PNG" else "its colour code points"
    if tags.cicp is None or tags.cicp == (cicp.UNSPECIFIED, cicp.UNSPECIFIED):
        return None
    if not cicp.is_known(*tags.cicp):
        decoded.notes.append("its colour code points {}/{} are not known and ignored".format(*tags.cicp))
        return None
    if cicp.is_hdr(tags.cicp[1]):
        return _Finding(source, None, ColourTags(tags.cicp))
    icc = cicp.profile_of_cicp(*tags.cicp, grey=grey)
    return _Finding(source, icc, ColourTags(tags.cicp) if icc or decoded.format == "PNG" else None)


def _by_primaries(source: str, tags: ColourTags, *, grey: bool) -> _Finding:
    primaries = tags.chromaticities or REC709
    own = tags.chromaticities is not None and not np.allclose(primaries, REC709, atol=2e-3)
    gamma = tags.gamma or 0.0
    if not own and not tags.curve and _GAMMA_OF_SRGB[0] <= gamma <= _GAMMA_OF_SRGB[1]:
        return _Finding(source, None, tags)
    curve = tags.curve or ((gamma,) if gamma else cicp.SRGB_LIGHT)
    return _Finding(source, cicp.profile_of(primaries if own else REC709, curve, grey=grey), tags)


def _to_display(decoded: "Decoded", primaries: int, transfer: int, *, grey: bool) -> None:
    """Convert PQ or HLG to the curve of sRGB in the same primaries, with a note."""
    decoded.recoloured = True
    _convert(decoded, lambda values: cicp.hdr_to_display(values, primaries, transfer))
    primaries = 9 if primaries == cicp.UNSPECIFIED else primaries
    decoded.icc = cicp.display_profile_of(primaries, grey=grey)
    decoded.colour = ColourTags((primaries, cicp.SRGB_CURVE))
    kind, name = "PQ" if transfer == cicp.PQ else "HLG", cicp.NAMES.get(primaries, "their own primaries")
    decoded.notes.append(
        f"its {kind} colours are converted to a display profile ({name}); white is {cicp.WHITE:.0f} cd/m2, "
        "brighter light is clipped"
    )


def _convert(decoded: "Decoded", convert: Callable[[NDArray[np.float32]], NDArray]) -> None:
    """Convert the pixels in bands, in their own depth."""
    pixels, converted = decoded.pixels, np.empty_like(decoded.pixels)
    for rows in row_bands(*pixels.shape[:2]):
        converted[rows] = from_unit(convert(to_unit(pixels[rows])).astype(np.float32), pixels.dtype)
    decoded.pixels = converted
