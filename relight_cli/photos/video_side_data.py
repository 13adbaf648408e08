"""Side data of decoded frames: display matrix, ICC profile and the like, by their names in FFmpeg."""

import io
from types import ModuleType
from typing import Any

from PIL import Image

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
