"""Metadata next to EXIF, ICC and XMP that does not hold any longer when a picture is read."""

from dataclasses import replace

from relight_cli.photos.codecs.decoded import Decoded
from relight_cli.photos.image_resources import for_turned_picture
from relight_cli.photos.metadata import Extras
from relight_cli.photos.xmp_packets import has_dropped_parts, merge_extension, scrub


def drop_stale_xmp(decoded: Decoded) -> bytes | None:
    """Return the XMP packet without tags about parts that are not written again; add one note that names them."""
    xmp, extension, dropped = decoded.xmp, decoded.extras.xmp_extension, set(decoded.dropped)
    if xmp and extension and has_dropped_parts(extension) and (merged := merge_extension(xmp, extension)):
        xmp, decoded.extras = merged, replace(decoded.extras, xmp_extension=None)
    if xmp:
        xmp, found = scrub(xmp)
        dropped |= found
    if dropped:
        names, verb = " and ".join(sorted(dropped)), "is" if len(dropped) == 1 else "are"
        decoded.notes.append(f"its {names} {verb} dropped, because only the picture itself is changed and written")
    return xmp


def extras_for_upright(extras: Extras, orientation: int, notes: list[str]) -> Extras:
    """Return the extras that hold after a picture with an EXIF orientation is turned upright; note what is dropped."""
    if orientation == 1:
        return extras
    resources, paths = for_turned_picture(extras.resources)
    lost = [name for name, part in (("clipping paths", paths), ("GeoTIFF tags", extras.geo)) if part]
    if lost:
        notes.append(f"its {' and '.join(lost)} are dropped, because the picture is turned upright")
    return replace(extras, resources=resources, geo=())
