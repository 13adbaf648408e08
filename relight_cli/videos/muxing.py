"""Write the file of a video: encoded frames, and all else that the container of its source holds."""

import contextlib
import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from relight_cli.photos.fingerprints import seal
from relight_cli.photos.metadata import SOFTWARE
from relight_cli.videos.codecs import Encoding
from relight_cli.videos.decoding import import_extra, opened_video, shown_stream
from relight_cli.videos.encoding import add_stream
from relight_cli.videos.facts import VideoFacts
from relight_cli.videos.names import ISO, VideoCodec
from relight_cli.videos.packets import EncodedFrame
from relight_cli.videos.priorities import ordinary_priorities

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_ASPECT_OF_CODEC = (".mkv", ".webm")  # PyAV writes no aspect of pixels into them, but for that of the codec
_WITH_ASPECT = (VideoCodec.H264, VideoCodec.H265)
_OF_CONTAINER = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")  # not of the video
_OF_STREAM = ("encoder", "duration", "rotate", "number_of_frames", "number_of_bytes", "bps", "vendor_id", "alpha_mode")
_KINDS = {"audio": "sound", "subtitle": "subtitles", "data": "data", "attachment": "attachments"}
_ISO_KEYS = {  # that the muxer of MP4 and MOV writes without being asked to
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "location", "creation_time"),
    *("track", "disc", "media_type", "hd_video", "gapless_playback", "compilation", "timecode"),
}


def mux_video(
    target: Path,
    suffix: str,
    frames: Iterable[EncodedFrame],
    encoding: Encoding,
    facts: VideoFacts,
    made: str | None,
    *,
    named: bool = True,
) -> tuple[str, ...]:
    """Write a video with the sound, subtitles, chapters and metadata of its source; return notes on what is left out.

    `made` is ASCII that records how it is made. All metadata is left out if it is not to be `named`. Packets of other
    streams are copied as they are. Raises OSError, and PyAV's errors.
    """
    av = import_extra("av")
    with opened_video(facts.path) as source:
        metadata = kept_metadata(facts.metadata, made) if named else None
        kinds = [kind for kind in _KINDS if kind != "data" or suffix.lower() in ISO]  # the others hold none
        try:  # a file that cannot be begun stays open as long as the process: PyAV has no way to close it
            output = _begin(target, suffix, source, encoding, facts, metadata, kinds)
        except av.FFmpegError:  # a muxer refuses the data of another one only when it begins
            kinds = [kind for kind in kinds if kind != "data"]
            output = _begin(target, suffix, source, encoding, facts, metadata, kinds)
        with output.file:
            ours = ((float(frame.time * facts.clock), _packet(frame, output.stream, facts, av)) for frame in frames)
            others = copied_packets(source, output.copies, float(facts.begin * facts.clock))
            for _, packet in heapq.merge(ours, others, key=lambda timed: timed[0]):
                output.file.mux(packet)
    notes = output.notes
    if aspect_is_lost(suffix, encoding, facts.aspect):
        notes += (f"its pixels are {facts.aspect}, which a {suffix} of this codec does not say; an .mp4 or .mov does",)
    with target.open("rb+") as written:
        seal(written)
    return notes


def aspect_is_lost(suffix: str, encoding: Encoding, aspect: Fraction | None) -> bool:
    """Return whether a container does not say that pixels have this aspect."""
    says = suffix.lower() not in _ASPECT_OF_CODEC or encoding.codec in _WITH_ASPECT
    return aspect not in (None, 1) and not says


@dataclass(frozen=True)
class _Output:
    """A container whose header is written."""

    file: Any
    stream: Any  # of the encoded frames
    copies: dict[int, Any]  # of other streams, by their index in the source
    notes: tuple[str, ...]


def _begin(
    target: Path,
    suffix: str,
    source: Any,
    encoding: Encoding,
    facts: VideoFacts,
    metadata: Mapping[str, str] | None,
    kinds: Collection[str],
) -> _Output:
    """Open a container with all its streams, copies of the `kinds` among them. Raises PyAV's errors.

    Without `metadata` streams have none either.
    """
    options = muxing_options(suffix, metadata or {})
    file = import_extra("av").open(target, "w", format=FORMATS[suffix.lower()], container_options=options)
    stream = add_stream(file, encoding, facts)
    named = metadata is not None
    if metadata is not None:
        stream.metadata.update(_without(facts.stream_metadata, _OF_STREAM))
        file.metadata.update(metadata)
    copies, notes = copied_streams(source, file, shown_stream(source).index, named=named, kinds=kinds)
    with contextlib.suppress(Exception):  # chapters that the container cannot hold
        file.set_chapters(source.chapters())
    with ordinary_priorities():
        file.start_encoding()
    return _Output(file, stream, copies, notes)


def muxing_options(suffix: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the options of the muxer of a container, for metadata that is to be written."""
    options = {"fflags": "bitexact"}  # no random numbers
    if suffix.lower() in ISO:
        keys = "+use_metadata_tags" if set(metadata) - _ISO_KEYS else ""
        options["movflags"] = f"+faststart{keys}"  # it begins with its index, and plays while it loads
    return options


def _packet(frame: EncodedFrame, stream: Any, facts: VideoFacts, av: Any) -> Any:
    packet = av.Packet(frame.data)
    packet.stream, packet.time_base = stream, facts.clock
    packet.pts = packet.dts = frame.time
    packet.duration, packet.is_keyframe = frame.duration, frame.is_key
    return packet


def kept_metadata(metadata: Mapping[str, str], made: str | None) -> dict[str, str]:
    """Return the metadata of a container for an output of it, with a comment that says how it was made, if it is known.

    A comment of its own becomes a description, if there is none.
    """
    kept = _without(metadata, _OF_CONTAINER)
    comment = next((kept.pop(name) for name in list(kept) if name.lower() == "comment"), None)
    if comment and not comment.startswith(SOFTWARE.partition(" ")[0]):
        kept.setdefault("description", comment)
    return kept | {"comment": f"{SOFTWARE} {made}"} if made else kept


def _without(metadata: Any, names: tuple[str, ...]) -> dict[str, str]:
    return {
        name: value
        for name, value in metadata.items()
        if name.lower() not in names and not name.lower().startswith("_statistics")
    }


def copied_streams(
    source: Any, file: Any, shown: int, *, named: bool, kinds: Collection[str] = ("audio", "subtitle", "attachment")
) -> tuple[dict[int, Any], tuple[str, ...]]:
    """Add the streams to copy to a container; return them by the source's index, and notes on what it cannot hold."""
    copies, left_out = {}, []
    for stream in source.streams:
        if stream.index == shown or stream.type == "video" or (stream.type == "data" and "timecode" in stream.metadata):
            continue  # a timecode is written anew, from the metadata of the picture
        try:
            if stream.type not in kinds:
                raise ValueError(stream.type)
            copy = file.add_stream_from_template(stream)
        except Exception:  # noqa: BLE001  PyAV raises several kinds for what a container cannot hold
            name = stream.codec_context.name if stream.codec_context else stream.type
            remedy = "" if stream.type == "data" else "; an .mkv as -o holds it"
            left_out.append(f"its {_KINDS.get(stream.type, stream.type)} ({name}) does not fit into the output{remedy}")
            continue
        copy.disposition = stream.disposition
        if named:
            copy.metadata.update(_without(stream.metadata, _OF_STREAM))
        elif stream.language:
            copy.metadata["language"] = stream.language
        copies[stream.index] = copy
    return copies, tuple(dict.fromkeys(left_out))


def copied_packets(source: Any, copies: dict[int, Any], begin: float = 0.0) -> Iterator[tuple[float, Any]]:
    """Yield the packets of copied streams, with their times in seconds; `begin` becomes 0."""
    streams = [stream for stream in source.streams if stream.index in copies and stream.type != "attachment"]
    if not streams:
        return
    for packet in source.demux(streams):
        when = packet.dts if packet.dts is not None else packet.pts
        if not packet.size or when is None:
            continue
        if begin:
            shift = round(begin / float(packet.time_base))
            packet.dts, packet.pts = (None if time is None else time - shift for time in (packet.dts, packet.pts))
            when -= shift
        seconds = float(when * packet.time_base)
        packet.stream = copies[packet.stream_index]
        yield seconds, packet
