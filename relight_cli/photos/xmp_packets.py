"""XMP packets: extensions of JPEG (XMP specification, part 3, section 1.1.3.1), and tags about what is dropped."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any
from xml.dom import Node, minidom
from xml.parsers.expat import ExpatError

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NOTE = "http://ns.adobe.com/xmp/note/"
_XMP_MM = "http://ns.adobe.com/xap/1.0/mm/"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_OPPO = "http://ns.oppo.com/photos/1.0/camera/"
_GAIN_MAPS = ("http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/")
_APPENDED = (  # lists of what follows the picture in the file
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/device/",
)
_TERMS = "http://purl.org/dc/terms/"
_XMP, _XMP_IMAGE = "http://ns.adobe.com/xap/1.0/", "http://ns.adobe.com/xap/1.0/g/img/"  # of thumbnails
_OLD_PICTURE = "http://ns.google.com/photos/1.0/image/"  # before an effect of the camera
_HINTED = (_CAMERA, _OPPO, *_GAIN_MAPS, _TERMS, _OLD_PICTURE)
_HINTS = tuple(uri.encode() for uri in (*_HINTED, *_APPENDED, _XMP_IMAGE))
_VIDEO_NAMES = ("MotionPhoto", "MicroVideo", "OLivePhoto", "VideoLength")
_DEVELOPMENT = "http://ns.adobe.com/camera-raw-settings/1.0/"
_DEEPEST = 60  # nested elements; minidom recurses
_Document = Any  # minidom's stubs have None wherever a document might be empty
_Element = Any
MOTION, GAIN_MAP, CREDENTIALS = "motion video", "HDR gain map", "Content Credentials"
OLD_PICTURE, THUMBNAIL = "picture before the camera's effect", "thumbnail"
APPENDED = "appended pictures"
_HEAD = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
_TAIL = b'\n<?xpacket end="w"?>'


def in_utf8(xmp: bytes) -> bytes:
    """Return a packet that may be in UTF-16 or UTF-32 (XMP specification, part 1, section 7.3) in UTF-8."""
    encoding = json.detect_encoding(xmp)  # by the zeros in its first characters, which are ASCII
    with contextlib.suppress(UnicodeDecodeError):
        if not encoding.startswith("utf-8") and (text := xmp.decode(encoding)).startswith("<"):
            return text.encode()
    return xmp


def scrub(xmp: bytes) -> tuple[bytes | None, set[str]]:
    """Remove what shows the old picture, and tags about parts that are not written again, such as motion videos.

    Return the packet and the names of the parts but thumbnails; without such tags it keeps its bytes. A packet that has
    such tags but cannot be parsed is dropped.
    """
    if not has_dropped_parts(xmp):
        return xmp, set()
    document = parse_packet(xmp)
    if document is None:
        return None, {"XMP"}
    found: set[str] = set()
    for element in list(document.getElementsByTagName("*")):
        for attribute in list(element.attributes.values()):
            if part := _dropped_part(attribute.namespaceURI, attribute.localName, attribute.value):
                found.add(part)
                element.removeAttributeNode(attribute)
        text = element.toxml() if element.namespaceURI in (*_HINTED, *_APPENDED) else ""
        if part := _dropped_part(element.namespaceURI, element.localName, text):
            found.add(part)
            element.parentNode.removeChild(element)
    packet = serialise_packet(document, xmp) if found else xmp
    found -= {THUMBNAIL}
    return packet, found - {APPENDED} or found


def without_development(xmp: bytes) -> bytes | None:
    """Remove the settings for developing a camera raw file, which programs would apply again; None if impossible."""
    if _DEVELOPMENT.encode() not in xmp:
        return xmp
    document = parse_packet(xmp)
    if document is None:
        return None
    for element in list(document.getElementsByTagName("*")):
        for attribute in list(element.attributes.values()):
            if attribute.namespaceURI == _DEVELOPMENT:
                element.removeAttributeNode(attribute)
        if element.namespaceURI == _DEVELOPMENT and element.parentNode:
            element.parentNode.removeChild(element)
    return serialise_packet(document, xmp)


def has_gain_map_tags(xmp: bytes) -> bool:
    """Return whether a packet has tags of an HDR gain map."""
    return any(uri.encode() in xmp for uri in _GAIN_MAPS)


def has_dropped_parts(xmp: bytes) -> bool:
    """Return whether a packet may have tags that `scrub` removes."""
    return any(hint in xmp for hint in _HINTS)


def merge_extension(xmp: bytes, extension: bytes) -> bytes | None:
    """Return one packet with the properties of both and no link between them; None if one cannot be parsed."""
    first, second = parse_packet(xmp), parse_packet(extension)
    if first is None or second is None:
        return None
    _unlink_extension(first)
    target = first.getElementsByTagNameNS(_RDF, "RDF")[0]
    for description in _descriptions(second):
        target.appendChild(_adopted(first, description))
    return serialise_packet(first, xmp)


def without_extension(xmp: bytes) -> bytes:
    """Return a packet without the link to an extension; unchanged if it has none or cannot be parsed."""
    document = parse_packet(xmp) if b"HasExtendedXMP" in xmp else None
    return serialise_packet(document, xmp) if document and _unlink_extension(document) else xmp


def extension_name(xmp: bytes) -> bytes | None:
    """Return the name (32 hexadecimal digits) of the extension that a packet points to."""
    document: _Document = parse_packet(xmp) if b"HasExtendedXMP" in xmp else None
    for element in document.getElementsByTagName("*") if document else ():
        if element.hasAttributeNS(_NOTE, "HasExtendedXMP"):
            return element.getAttributeNS(_NOTE, "HasExtendedXMP").strip().encode()
        if (element.namespaceURI, element.localName) == (_NOTE, "HasExtendedXMP") and element.firstChild:
            return str(element.firstChild.nodeValue).strip().encode()
    return None


def split_packet(xmp: bytes, limit: int) -> tuple[bytes, bytes] | None:
    """Move the largest properties of a packet to an extension, until the packet is no larger than `limit`.

    Return packet and extension; None if the packet cannot be parsed or is still too large.
    """
    document = parse_packet(xmp)
    if document is None:
        return None
    moved: _Document = minidom.parseString(
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
    )
    root = moved.documentElement.firstChild
    excess = len(serialise_packet(document, xmp)) + 300 - limit  # 300: the link and its namespace
    for size, description, part in sorted(_properties(document), key=lambda one: -one[0]):
        if excess <= 0:
            break
        shell = _adopted(moved, description, deep=False)
        for attribute in list(shell.attributes.values()):
            if attribute.namespaceURI not in (_XMLNS, _RDF):
                shell.removeAttributeNode(attribute)
        if part.nodeType == Node.ATTRIBUTE_NODE:
            shell.setAttributeNS(part.namespaceURI, part.name, part.value)
            description.removeAttributeNode(part)
        else:
            shell.appendChild(moved.importNode(part, deep=True))
            description.removeChild(part)
        root.appendChild(shell)
        excess -= size
    extension = moved.documentElement.toxml().encode()
    target = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    link = document.createElementNS(_RDF, f"{target.prefix}:Description" if target.prefix else "Description")
    link.setAttributeNS(_RDF, f"{target.prefix or 'rdf'}:about", "")
    link.setAttribute("xmlns:xmpNote", _NOTE)
    link.setAttributeNS(_NOTE, "xmpNote:HasExtendedXMP", hashlib.md5(extension).hexdigest().upper())
    target.insertBefore(link, target.firstChild)
    packet = serialise_packet(document, xmp)
    return (packet, extension) if excess <= 0 and len(packet) <= limit else None


def _dropped_part(namespace: str | None, name: str, value: str) -> str | None:
    """Return which part of the file a property is about, if that part is not written again."""
    if namespace in (_CAMERA, _OPPO) and name.startswith(_VIDEO_NAMES):
        return MOTION
    if namespace in _GAIN_MAPS:
        return GAIN_MAP
    if namespace in _APPENDED:
        return MOTION if "MotionPhoto" in value else GAIN_MAP if "GainMap" in value else APPENDED
    if namespace == _OLD_PICTURE:
        return OLD_PICTURE
    if (namespace, name) == (_XMP, "Thumbnails"):
        return THUMBNAIL
    embedded = (namespace, name) == (_TERMS, "provenance") and "jumbf" in value
    return CREDENTIALS if embedded else None


def _properties(document: _Document) -> Iterator[tuple[int, _Element, _Element]]:
    """Yield size, description and node of the properties that may move; the history of this tool stays."""
    for description in _descriptions(document):
        for attribute in list(description.attributes.values()):
            if attribute.namespaceURI not in (_XMLNS, _RDF, _NOTE):
                yield len(attribute.value.encode()), description, attribute
        for child in list(description.childNodes):
            if child.nodeType == Node.ELEMENT_NODE and (child.namespaceURI, child.localName) != (_XMP_MM, "History"):
                yield len(child.toxml().encode()), description, child


def _descriptions(document: _Document) -> list[_Element]:
    return [
        child
        for rdf in document.getElementsByTagNameNS(_RDF, "RDF")
        for child in rdf.childNodes
        if child.nodeType == Node.ELEMENT_NODE
    ]


def _adopted(document: _Document, description: _Element, *, deep: bool = True) -> _Element:
    """Copy a description into another document, with the namespaces that its ancestors declare."""
    copy = document.importNode(description, deep)
    ancestor = description.parentNode
    while ancestor is not None and ancestor.nodeType == Node.ELEMENT_NODE:
        for attribute in ancestor.attributes.values():
            if attribute.namespaceURI == _XMLNS and not copy.hasAttribute(attribute.name):
                copy.setAttributeNS(_XMLNS, attribute.name, attribute.value)
        ancestor = ancestor.parentNode
    return copy


def _unlink_extension(document: _Document) -> bool:
    unlinked = False
    for element in list(document.getElementsByTagName("*")):
        if element.hasAttributeNS(_NOTE, "HasExtendedXMP"):
            element.removeAttributeNS(_NOTE, "HasExtendedXMP")
            unlinked = True
        if (element.namespaceURI, element.localName) == (_NOTE, "HasExtendedXMP"):
            element.parentNode.removeChild(element)
            unlinked = True
    return unlinked


def parse_packet(xmp: bytes) -> _Document:
    """Parse a packet; None if it is not well-formed, too deep, or has entities, which can expand without limit."""
    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:
        return None
    try:
        document: _Document = minidom.parseString(xmp.strip(b"\0 \r\n\t"))
    except (ExpatError, ValueError, LookupError):
        return None
    if _is_deep(document.documentElement):
        return None
    return document if document.getElementsByTagNameNS(_RDF, "RDF") else None


def _is_deep(element: _Element) -> bool:
    level = [element]
    for _ in range(_DEEPEST):
        level = [child for one in level for child in one.childNodes if child.nodeType == Node.ELEMENT_NODE]
    return bool(level)


def serialise_packet(document: _Document, original: bytes) -> bytes:
    """Return a packet in UTF-8, with the processing instructions around it if the original had them."""
    body = document.documentElement.toxml().encode()
    return _HEAD + body + _TAIL if b"<?xpacket" in original else body
