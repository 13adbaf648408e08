"""EXIF directories as Pillow reads and writes them, so that a TIFF stores what an EXIF block holds, and the reverse."""

from typing import Any

from PIL import ExifTags, Image, TiffTags

_UNICODE = b"UNICODE\0"  # begins a text in 16 bits, in the byte order of the file (EXIF 2.32, section 4.6.5, table 9)
# Of tags that Pillow would write as bytes or unsigned (EXIF 2.32, sections 4.6.5 and 4.6.6).
_TYPES: dict[int, dict[int, tuple[int, ...]]] = {
    ExifTags.IFD.Exif: {
        TiffTags.UNDEFINED: (
            *(ExifTags.Base.ComponentsConfiguration, ExifTags.Base.MakerNote, ExifTags.Base.UserComment),
            *(ExifTags.Base.OECF, ExifTags.Base.SpatialFrequencyResponse, ExifTags.Base.DeviceSettingDescription),
            *(ExifTags.Base.FileSource, ExifTags.Base.SceneType),
        ),
        TiffTags.SIGNED_RATIONAL: (
            *(ExifTags.Base.ShutterSpeedValue, ExifTags.Base.BrightnessValue, ExifTags.Base.ExposureBiasValue),
            *(ExifTags.Base.AmbientTemperature, ExifTags.Base.WaterDepth, ExifTags.Base.CameraElevationAngle),
        ),
    },
    ExifTags.IFD.GPSInfo: {
        TiffTags.UNDEFINED: (ExifTags.GPS.GPSProcessingMethod, ExifTags.GPS.GPSAreaInformation),
    },
}
for _group, _tags in _TYPES.items():
    _known = TiffTags.TAGS_V2_GROUPS.setdefault(_group, {})
    _known |= {
        code: TiffTags.TagInfo(code, ExifTags.TAGS.get(code, "unknown"), kind, 1)
        for kind, codes in _tags.items()
        for code in codes
    }


def with_interop(exif: Image.Exif, directory: int, order: str | None = None) -> dict[int, Any]:
    """Return the tags of a directory, the Interop directory in the Exif directory as tags too, not as an offset.

    `order` is the byte order ("<" or ">") in which they are written, None for that of `exif`.
    """
    swapped = order not in (None, exif.endian)
    values = {tag: same_bytes(value, swapped=swapped) for tag, value in exif.get_ifd(directory).items()}
    interop = exif.get_ifd(ExifTags.IFD.Interop) if values.pop(ExifTags.IFD.Interop, None) else {}
    return {**values, ExifTags.IFD.Interop: dict(interop)} if interop else values


def same_bytes(value: Any, *, swapped: bool = False) -> Any:
    """Return the value of a tag so that Pillow writes a text as the bytes that it has read.

    `swapped` changes the byte order of a text in 16 bits.
    """
    if swapped and isinstance(value, bytes) and value.startswith(_UNICODE):
        units = bytearray(value[len(_UNICODE) :])
        even = len(units) // 2 * 2
        units[0:even:2], units[1:even:2] = units[1:even:2], units[0:even:2]
        return _UNICODE + bytes(units)
    return _Text(value) if isinstance(value, str) else value


class _Text(str):
    """A text of EXIF data: Pillow reads its bytes as Latin-1, whatever they are, and would write them as ASCII."""

    __slots__ = ()

    def encode(self, encoding: str = "latin-1", errors: str = "replace") -> bytes:
        """Return the bytes that Pillow has read."""
        return super().encode("latin-1", "replace")
