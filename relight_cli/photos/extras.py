"""Metadata next to EXIF, ICC and XMP that does not hold any longer when a picture is read."""

from dataclasses import replace

from relight_cli.photos.codecs.decoded import Decoded
from relight_cli.photos.image_resources import for_turned_picture
from relight_cli.photos.metadata import Extras
from relight_cli.photos.xmp_packets import has_dropped_parts, in_utf8, merge_extension, scrub

_GEO_BOX = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")  # UUID of GeoJP2; asoc boxes have the GML of GMLJP2


def drop_stale_xmp(decoded: Decoded) -> bytes | None:
    """Return the XMP packet, in UTF-8, without tags about parts that are not written again; add one note on them."""
    xmp, extension, dropped = decoded.xmp and in_utf8(decoded.xmp), decoded.extras.xmp_extension, set(decoded.dropped)
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
    boxes = tuple(box for box in extras.boxes if box[0] != b"asoc" and not box[1].startswith(_GEO_BOX))
    placed = {"clipping paths": paths, "GeoTIFF tags": extras.geo, "geographic boxes": boxes != extras.boxes}
    lost = [name for name, part in placed.items() if part]
    if lost:
        notes.append(f"its {' and '.join(lost)} are dropped, because the picture is turned upright")
    return replace(extras, resources=resources, geo=(), boxes=boxes)
