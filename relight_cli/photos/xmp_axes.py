"""XMP properties about places in the picture, and in pairs across and down it, for a picture that is turned upright."""

import contextlib
from typing import Any

from relight_cli.photos.exif_axes import turned_point
from relight_cli.photos.xmp_packets import parse_packet, serialise_packet

_AREA, _DIMENSIONS = "http://ns.adobe.com/xmp/sType/Area#", "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_REGION = "http://ns.microsoft.com/photo/1.2/t/Region#"
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_PAIRS = (
    (_AREA, "w", "h"),
    (_DIMENSIONS, "w", "h"),
    (_TIFF, "ImageWidth", "ImageLength"),
    (_TIFF, "XResolution", "YResolution"),
    (_EXIF, "PixelXDimension", "PixelYDimension"),
    (_EXIF, "FocalPlaneXResolution", "FocalPlaneYResolution"),
)


def turn_xmp(xmp: bytes, orientation: int) -> bytes:
    """Turn the regions of faces and the like with a picture of an EXIF orientation, and exchange sizes on its side.

    Regions (Metadata Working Group 2.0, section 5.9, and Microsoft's) are those of the picture as it is stored; those
    in pixels stay. A packet without such properties, or one that cannot be parsed, keeps its bytes.
    """
    if orientation == 1 or not any(uri.encode() in xmp for uri in (_REGION, *(pair[0] for pair in _PAIRS))):
        return xmp
    document = parse_packet(xmp)
    if document is None:
        return xmp
    before = document.toxml()
    for element in filter(_has_shares, document.getElementsByTagName("*")):
        with contextlib.suppress(KeyError, ValueError):
            x, y = (_value(element, _AREA, name) for name in "xy")
            x.nodeValue, y.nodeValue = _numbers(turned_point(float(x.nodeValue), float(y.nodeValue), orientation))
        with contextlib.suppress(KeyError, ValueError):
            rectangle = _value(element, _REGION, "Rectangle")
            left, top, width, height = (float(number) for number in rectangle.nodeValue.split(","))
            x, y = turned_point(left + width / 2, top + height / 2, orientation)
            width, height = (height, width) if orientation >= 5 else (width, height)
            rectangle.nodeValue = ", ".join(_numbers((x - width / 2, y - height / 2, width, height)))
        for namespace, across, down in _PAIRS if orientation >= 5 else ():
            with contextlib.suppress(KeyError):
                one, other = _value(element, namespace, across), _value(element, namespace, down)
                one.nodeValue, other.nodeValue = other.nodeValue, one.nodeValue
    return xmp if document.toxml() == before else serialise_packet(document, xmp)


def _has_shares(element: Any) -> bool:
    """Return whether the numbers of an area are shares of the picture and no pixels."""
    with contextlib.suppress(KeyError):
        return str(_value(element, _AREA, "unit").nodeValue) == "normalized"
    return True


def _value(element: Any, namespace: str, name: str) -> Any:
    """Return the node with the text of a simple property, an attribute or an element. Raises KeyError."""
    if element.hasAttributeNS(namespace, name):
        return element.getAttributeNodeNS(namespace, name)
    for child in element.childNodes:
        if (child.namespaceURI, child.localName) == (namespace, name):
            if child.firstChild is None or child.firstChild.nodeValue is None:
                break
            return child.firstChild
    raise KeyError(name)


def _numbers(values: tuple[float, ...]) -> list[str]:
    return [f"{value:.6f}".rstrip("0").rstrip(".") for value in values]
