"""What each container stores of the metadata that only some of them store."""

from dataclasses import fields, replace

from relight_cli.photos.codecs.exr import loses_exif
from relight_cli.photos.codecs.png_chunks import text_of
from relight_cli.photos.metadata import Extras, Metadata
from relight_cli.photos.shape import with_aspect
from relight_cli.photos.xmp_packets import merge_extension, without_extension

# Other containers store none of it.
_STORED: dict[str, tuple[str, ...]] = {
    "JPEG": ("iptc", "resources", "xmp_extension", "comments"),
    "PNG": ("iptc", "resources", "comments", "texts"),
    "TIFF": ("iptc", "resources", "geo"),
    "JPEG2000": ("iptc", "comments", "boxes"),
    "EXR": ("attributes",),
}
_NAMES = {
    "iptc": "IPTC data",
    "resources": "Photoshop resources",
    "comments": "comments",
    "texts": "texts",
    "geo": "GeoTIFF tags",
    "boxes": "JPEG 2000 boxes",
    "attributes": "EXR attributes",
}
_COMMENT = b"Comment"
_WITHOUT_RESOLUTION, _RESOLUTION = ("WEBP", "AVIF", "HEIF", "EXR"), "resolution (dpi)"


def storable(metadata: Metadata, kind: str) -> tuple[Metadata, tuple[str, ...]]:
    """Return the metadata in the form that a container stores, and a note if some of it is dropped."""
    metadata, notes = _with_whole_xmp(metadata, kind)
    extras, stored = metadata.extras, _STORED.get(kind, ())
    if "comments" in stored and "texts" not in stored:
        extras = _with_comment_texts(extras)
    if "texts" not in stored:  # the time of the last change is not worth a note
        extras = replace(extras, texts=tuple(text for text in extras.texts if text[0] != b"tIME"))
    lost = [part.name for part in fields(Extras) if part.name not in stored and getattr(extras, part.name)]
    names = [_NAMES[name] + (_listed(extras) if name == "texts" else "") for name in lost]
    if kind in _WITHOUT_RESOLUTION and metadata.dpi:
        names.insert(0, _RESOLUTION)
        metadata = replace(metadata, dpi=None, shape=with_aspect(metadata))
    if kind == "EXR" and loses_exif(metadata.exif):
        names.insert(0, "EXIF data")
    empty = Extras()
    kept = replace(extras, **{name: getattr(empty, name) for name in lost})
    if names:
        are, them = ("is", "it") if names == [_RESOLUTION] else ("are", "them")
        notes += (f"its {', '.join(names)} {are} dropped, because {kind} cannot store {them}",)
    return replace(metadata, extras=kept), notes


def _with_whole_xmp(metadata: Metadata, kind: str) -> tuple[Metadata, tuple[str, ...]]:
    """Merge the two XMP packets of a JPEG for other containers."""
    xmp, extension = metadata.xmp, metadata.extras.xmp_extension
    if kind == "JPEG" or extension is None:
        return metadata, ()
    merged = merge_extension(xmp, extension) if xmp else None
    notes = () if merged else ("the second part of its XMP data cannot be read and is dropped",)
    return replace(
        metadata, xmp=merged or (xmp and without_extension(xmp)), extras=replace(metadata.extras, xmp_extension=None)
    ), notes


def _with_comment_texts(extras: Extras) -> Extras:
    """Turn the texts of a PNG that are comments into comments."""
    found = [(name, body) for name, body in extras.texts if body.split(b"\0", 1)[0] == _COMMENT]
    comments = (text_of(*one) if one[0] == b"iTXt" else _utf8(text_of(*one)) for one in found)
    kept = tuple(one for one in extras.texts if one not in found)
    return replace(extras, texts=kept, comments=(*extras.comments, *(text for text in comments if text)))


def _utf8(text: bytes) -> bytes:
    return text.decode("latin-1").encode()


def _listed(extras: Extras) -> str:
    keywords = (body.split(b"\0", 1)[0] for _, body in extras.texts)
    return f" ({', '.join(dict.fromkeys(word.decode('latin-1') for word in keywords))})"
