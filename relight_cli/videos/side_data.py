"""Side data of decoded frames (display matrix, ICC profile and the like, by their names in FFmpeg) and of streams."""

import io
import re
from types import ModuleType
from typing import Any

from PIL import Image

_CROPPING = re.compile(r"^ {6}Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$", re.MULTILINE | re.IGNORECASE)
_UNKNOWN_TYPE = re.compile(r"(\d+) is not a valid")
_MOST_UNKNOWN = 8  # types of side data that newer versions of FFmpeg may add
_NAMED_PROFILES = ("png", "apng")  # codecs whose profiles have names


def side_data_of(frame: Any, packet: Any, codec: str, av: ModuleType) -> dict[str, bytes]:
    """Return the side data of a frame by type; `packet` is one of the stream's, in the order of decoding.

    PyAV frees the name of an ICC profile twice, so that Python crashes: such a profile is taken from the packet.
    Types that PyAV does not know (EXIF of JPEG and PNG frames) are left out; their orientation has a type of its own.
    """
    found: dict[str, bytes] = {}
    if codec in _NAMED_PROFILES:
        frame = _without(frame, "ICC_PROFILE", av)
        with Image.open(io.BytesIO(bytes(packet)), formats=["PNG"]) as image:
            found = {"ICC_PROFILE": image.info["icc_profile"]} if "icc_profile" in image.info else {}
    for _ in range(_MOST_UNKNOWN):
        try:
            return {item.type.name: bytes(item) for item in frame.side_data} | found
        except ValueError as error:  # "31 is not a valid Type"
            unknown = _UNKNOWN_TYPE.match(str(error))
            if unknown is None:
                raise
            frame = _without(frame, unknown[1], av)
    return found


def _without(frame: Any, kind: str, av: ModuleType) -> Any:
    """Return a frame without a type of side data, which is a name in FFmpeg or a number."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    delete = graph.add("sidedata", f"mode=delete:type={kind}")
    graph.link_nodes(source, delete, graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()


def cropping_of(container: Any, stream: Any, av: ModuleType) -> tuple[int, int, int, int]:
    """Return the pixels that the container cuts off at the left, right, top and bottom (`clap` of MP4, Matroska).

    PyAV has no side data of streams but in FFmpeg's description of the file.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # below it, FFmpeg describes nothing
    try:
        described = container.dumps_format()
    finally:
        av.logging.set_level(level)
    parts = re.split(r"^  Stream #0:(\d+)", described, flags=re.MULTILINE)
    own = dict(zip(parts[1::2], parts[2::2], strict=True)).get(str(stream.index), "")
    found = _CROPPING.search(own)
    left, right, top, bottom = (int(number) for number in found.groups()) if found else (0, 0, 0, 0)
    return left, right, top, bottom
