"""Side data of decoded frames (display matrix, ICC profile and the like, by their names in FFmpeg) and of streams."""

import io
import re
from types import ModuleType
from typing import Any

from PIL import Image

_CROPPING = re.compile(r"^ {6}Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)$", re.MULTILINE | re.IGNORECASE)
_NAMED_PROFILES = ("png", "apng")  # codecs whose profiles have names


def side_data_of(frame: Any, packet: Any, codec: str, av: ModuleType) -> dict[str, bytes]:
    """Return the side data of a frame by type; `packet` is one of the stream's, in the order of decoding.

    PyAV frees the name of an ICC profile twice, so that Python crashes: such a profile is taken from the packet.
    """
    if codec not in _NAMED_PROFILES:
        return {item.type.name: bytes(item) for item in frame.side_data}
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    delete = graph.add("sidedata", "mode=delete:type=ICC_PROFILE")
    graph.link_nodes(source, delete, graph.add("buffersink")).configure()
    graph.push(frame)
    found = {item.type.name: bytes(item) for item in graph.pull().side_data}
    with Image.open(io.BytesIO(bytes(packet)), formats=["PNG"]) as image:
        profile = image.info.get("icc_profile")
    return found | ({"ICC_PROFILE": profile} if profile else {})


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
