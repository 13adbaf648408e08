"""Codecs of videos: which encoder, pixel format and options a video is written with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from relight_cli.errors import MissingExtraError, UnfitOptionError, UsageError
from relight_cli.videos.decoding import import_extra
from relight_cli.videos.names import ISO, WRITABLE, VideoCodec


@dataclass(frozen=True)
class _Encoder:
    """An encoder of FFmpeg."""

    name: str
    crf: int | None  # the default; None for codecs without a quality
    most: int  # the largest --crf
    containers: tuple[str, ...]  # suffixes of the containers that hold the codec
    odd: bool = False  # takes sides of an odd length where a colour is stored for two pixels
    lossless: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    slow: Mapping[str, str] = field(default_factory=dict)  # options where frames take longer to make than to encode


_MATROSKA = (".mkv",)
# No B-frames: frames are then in one order everywhere, which keeps every time and duration exact in every container.
# x264's code for specific processors reads uninitialised memory (with AVX-512 in core 165), so that the same frames
# give different bytes; its code for all processors does not.
_ENCODERS = {
    VideoCodec.H264: _Encoder(
        "libx264",
        16,
        51,
        (*ISO, *_MATROSKA),
        options={"preset": "veryfast", "bf": "0", "x264-params": "cpu-independent=1"},
        slow={"preset": "medium"},
    ),
    VideoCodec.H265: _Encoder(
        "libx265",
        18,
        51,
        (*ISO, *_MATROSKA),
        options={"preset": "fast", "bf": "0", "x265-params": "log-level=none:bframes=0"},
    ),
    VideoCodec.AV1: _Encoder("libsvtav1", 22, 63, WRITABLE, options={"preset": "8"}),
    VideoCodec.VP9: _Encoder(
        "libvpx-vp9",
        22,
        63,
        (*_MATROSKA, ".webm", ".mp4"),
        odd=True,
        options={"b": "0", "row-mt": "1", "cpu-used": "4", "lag-in-frames": "0"},
    ),
    VideoCodec.PRORES: _Encoder("prores_ks", None, 0, (".mov", *_MATROSKA), options={"profile": "3"}),
    VideoCodec.FFV1: _Encoder("ffv1", None, 0, _MATROSKA, True, True, {"level": "3", "g": "1", "slicecrc": "1"}),
}
_NAMES = {"h264": VideoCodec.H264, "hevc": VideoCodec.H265, "av1": VideoCodec.AV1, "vp9": VideoCodec.VP9}
_NAMES |= {"libdav1d": VideoCodec.AV1, "libaom-av1": VideoCodec.AV1, "libvpx-vp9": VideoCodec.VP9}  # decoders
_NAMES |= {"prores": VideoCodec.PRORES, "ffv1": VideoCodec.FFV1}


class Samples(StrEnum):
    """What the samples of a stream are."""

    YUV = "yuv"
    RGB = "rgb"
    GREY = "grey"


@dataclass(frozen=True)
class PixelFormat:
    """How a stream stores pixels: bits per sample, and by which powers of two its colours are coarser."""

    bits: int = 8
    across: int = 1
    down: int = 1
    odd: bool = False  # a side is odd
    samples: Samples = Samples.YUV


@dataclass(frozen=True)
class Encoding:
    """How a video is encoded."""

    codec: VideoCodec | None  # None: a GIF
    encoder: str
    pixel_format: str
    options: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # on what is not kept as it is

    @property
    def is_deep(self) -> bool:
        """Whether a sample has more than 8 bits."""
        return self.pixel_format.endswith("le")

    @property
    def samples(self) -> Samples:
        """What its samples are."""
        kinds = {"gbr": Samples.RGB, "bgr": Samples.RGB, "gra": Samples.GREY}
        return kinds.get(self.pixel_format[:3], Samples.YUV)

    @property
    def step(self) -> tuple[int, int]:
        """Pixels across and down that share one colour."""
        across = 2 if "420" in self.pixel_format or "422" in self.pixel_format else 1
        return across, 2 if "420" in self.pixel_format else 1


_GIF = Encoding(None, "gif", "pal8")


def check_codec(suffix: str, codec: VideoCodec | None, crf: int | None) -> None:
    """Raise UsageError if a codec does not fit its container or its quality; MissingExtraError if it is missing."""
    if codec is None:
        return
    encoder = _ENCODERS[codec]
    if suffix.lower() not in encoder.containers:
        raise UnfitOptionError(
            f"--codec {codec} does not fit into {suffix}: name an output with -o that ends in "
            f"{' or '.join(encoder.containers)}.",
            "--codec",
        )
    if crf is not None and encoder.crf is None:
        raise UnfitOptionError(
            f"--crf does not apply to --codec {codec}, which has no such quality: leave it out.", "--crf", "--codec"
        )
    if crf is not None and crf > encoder.most:
        message = f"--crf {crf} is out of range for --codec {codec}: give 0 to {encoder.most}."
        raise UnfitOptionError(message, "--crf", "--codec")
    if _formats(encoder.name) is None:
        raise MissingExtraError(f"the installed PyAV has no encoder for {codec}: choose another --codec.")


def encoding_of_frames(suffix: str, codec: VideoCodec | None = None, crf: int | None = None, bits: int = 8) -> Encoding:
    """Return how a video is encoded whose frames are photos of so many bits per sample. Raises UsageError.

    H.264 gets 8 bits, which all players show, and no lossy codec more than 10. FFV1 keeps RGB.
    """
    if suffix.lower() == ".gif":
        if codec or crf is not None:
            raise UnfitOptionError(
                f"{'--codec' if codec else '--crf'} does not apply to a .gif: leave it out.", "--codec", "--crf"
            )
        return _GIF
    if codec == VideoCodec.FFV1:
        stored = PixelFormat(bits, 0, 0, samples=Samples.RGB)
    else:
        stored = PixelFormat(8 if codec in (None, VideoCodec.H264) else min(bits, 10))
    return choose_encoding(suffix, "", stored, codec, crf, slow=True)


def choose_encoding(
    suffix: str,
    source: str,
    stored: PixelFormat,
    codec: VideoCodec | None = None,
    crf: int | None = None,
    *,
    slow: bool = False,
) -> Encoding:
    """Return how a video is encoded that was in the codec `source` (FFmpeg's name) and is `stored` in this way.

    Without `codec` it is the source's own, where the container holds it and it can be written, else one that fits.
    Bits per sample and resolution of colours are kept as far as the encoder has them, RGB and grey by a lossless one.
    A slow encoder makes smaller files of the same quality. Raises UsageError.
    """
    chosen = codec or _own_codec(suffix, source)
    encoder = _ENCODERS[chosen]
    check_codec(suffix, chosen, crf)
    quality = encoder.crf if crf is None else crf
    options = (
        dict(encoder.options)
        | (dict(encoder.slow) if slow else {})
        | ({} if quality is None else {"crf": str(quality)})
    )
    notes: tuple[str, ...] = ()
    if stored.odd and not encoder.odd and (stored.across or stored.down):
        stored = replace(stored, across=0, down=0)
        notes = ("its colours are stored at their full resolution (4:4:4), which sides of an odd length need",)
    available = _formats(encoder.name) or []
    own = _own_format(stored) if encoder.lossless else None
    name, more = (own, ()) if own in available else _yuv_format(available, stored)
    notes += more
    if chosen == VideoCodec.PRORES and "444" in name:
        options["profile"] = "4"
    return Encoding(chosen, encoder.name, name, options, notes)


def _own_codec(suffix: str, source: str) -> VideoCodec:
    suffix = suffix.lower()
    usual = VideoCodec.VP9 if suffix == ".webm" else VideoCodec.H264
    own = _NAMES.get(source, usual)
    fits = suffix in _ENCODERS[own].containers and _formats(_ENCODERS[own].name) is not None
    return own if fits else usual


def _formats(encoder: str) -> list[str] | None:
    """Return the pixel formats of an encoder; None if it is not in the installed PyAV."""
    av = import_extra("av")
    try:
        return [found.name for found in av.Codec(encoder, "w").video_formats or []]
    except (ValueError, av.FFmpegError):  # UnknownCodecError is a ValueError
        return None


def _own_format(stored: PixelFormat) -> str | None:
    """Return the format of RGB or grey with the stored bits per sample, 8 to 16; None for YUV."""
    bits = min(max(stored.bits, 8), 16)
    if stored.samples == Samples.RGB:
        return "bgr0" if bits == 8 else f"gbrp{bits}le"
    return f"gray{'' if bits == 8 else f'{bits}le'}" if stored.samples == Samples.GREY else None


def _yuv_format(available: list[str], stored: PixelFormat) -> tuple[str, tuple[str, ...]]:
    """Return the available planar YUV format nearest to the stored one, not poorer if there is one, and notes."""
    sampling = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}
    own = (stored.across, stored.down) if (stored.across, stored.down) in sampling else (0, 0)
    shapes = [own] + [shape for shape in ((1, 0), (0, 0), (1, 1)) if shape != own]
    richer = [shape for shape in shapes if shape <= own]
    depths = sorted((8, 10, 12, 16), key=lambda bits: (bits < stored.bits, abs(bits - stored.bits)))
    for shape in richer + [shape for shape in shapes if shape not in richer]:
        for bits in depths:
            name = f"yuv{sampling[shape]}p{'' if bits == 8 else f'{bits}le'}"
            if name in available:
                notes = []
                if bits < stored.bits:
                    notes.append(f"its {stored.bits} bits become {bits}, the most that this codec has")
                if shape > own:
                    notes.append("its colours are stored at a lower resolution, since this codec has no other")
                return name, tuple(notes)
    raise UsageError("this codec has no pixel format for the video: choose another --codec.")
