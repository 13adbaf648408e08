"""Regions of XMP and the subject of EXIF stay on what they name when a picture is turned upright; judged with exiv2."""

import numpy as np
import pytest
from command_line import Command
from extras_fixtures import packet, unchanged, xmp_of
from PIL import Image

from relight_cli.photos.xmp_axes import turn_xmp

REGIONS = (
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" '
    'xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" '
    'xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:PixelXDimension="64" exif:PixelYDimension="32"'
)
REGIONS_ALONE = REGIONS[: REGIONS.index("xmlns:stDim")]
ATTRIBUTES = '<mwg-rs:Area stArea:x="0.25" stArea:y="0.125" stArea:w="0.125" stArea:h="0.25"/>'
ELEMENTS = (
    '<mwg-rs:Area rdf:parseType="Resource"><stArea:x>0.25</stArea:x><stArea:y>0.125</stArea:y>'
    "<stArea:w>0.125</stArea:w><stArea:h>0.25</stArea:h></mwg-rs:Area>"
)
MARK = (slice(0, 8), slice(12, 20))  # the pixels of the region in 32 rows and 64 columns


def regions(area: str) -> bytes:
    return packet(
        REGIONS,
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="64" stDim:h="32"/>'
        f'<mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource"><mwg-rs:Name>Ann</mwg-rs:Name>{area}</rdf:li>'
        "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
        '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li '
        'MPReg:Rectangle="0.1875, 0, 0.125, 0.25"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>',
    )


@pytest.mark.parametrize(("kind", "orientation"), [("jpg", number) for number in range(1, 9)] + [("pal.tif", 6)])
def test_regions_and_the_subject_turn_with_the_picture(kind: str, orientation: int, command: Command) -> None:
    pixels = np.zeros((32, 64), np.uint8)
    pixels[MARK] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0xA002: 64, 0xA003: 32, 0x9214: (16, 4, 8, 8), 0xA214: (16, 4)})
    image, area = Image.fromarray(pixels), ATTRIBUTES if orientation % 2 else ELEMENTS
    if kind == "jpg":
        image.save("a.jpg", exif=exif, xmp=regions(area), quality=100)
    else:
        image.convert("P").save("a.tif", tiffinfo={274: orientation, 700: regions(area), 34665: exif.get_ifd(0x8769)})
    source = f"a.{kind[-3:]}"
    assert unchanged(command, source, "b.png") == []
    found = xmp_of("b.png")
    with Image.open("b.png") as picture:
        upright = np.asarray(picture.convert("L"))
        details = picture.getexif().get_ifd(0x8769)
    rows, columns = np.nonzero(upright > 128)
    height, width = upright.shape
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    name = "Xmp.mwg-rs.Regions/mwg-rs:RegionList[1]/mwg-rs:Area/stArea:"
    across, down, wide, high = (float(found[name + letter]) for letter in "xywh")
    assert (across * width, down * height) == pytest.approx(((left + right) / 2, (top + bottom) / 2))
    assert (wide * width, high * height) == pytest.approx((right - left, bottom - top))
    rectangle = found["Xmp.MP.RegionInfo/MPRI:Regions[1]/MPReg:Rectangle"]
    assert [float(number) for number in rectangle.split(",")] == pytest.approx(
        [left / width, top / height, (right - left) / width, (bottom - top) / height]
    )
    dimensions = "Xmp.mwg-rs.Regions/mwg-rs:AppliedToDimensions/stDim:"
    assert (found[dimensions + "w"], found[dimensions + "h"]) == (str(width), str(height))
    assert (found["Xmp.exif.PixelXDimension"], found["Xmp.exif.PixelYDimension"]) == (str(width), str(height))
    assert details[0xA214] == ((left + right) / 2, (top + bottom) / 2)
    assert details[0x9214] == (*details[0xA214], 8, 8)


@pytest.mark.parametrize(
    "xmp",
    [
        regions("<broken"),
        packet('dc:source="x"'),
        packet(REGIONS_ALONE, ATTRIBUTES.replace("stArea:w", 'stArea:unit="pixel" stArea:w')),
        packet(REGIONS_ALONE, ELEMENTS.replace("0.25", "<rdf:Bag/>")),
    ],
)
def test_other_packets_keep_their_bytes(xmp: bytes) -> None:
    assert turn_xmp(xmp, 6) == xmp
