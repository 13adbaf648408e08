"""What a moving sun writes: a folder of frames, or a video."""

from pathlib import Path

from relight_cli.errors import UnfitOptionError
from relight_cli.jobs.file_names import fit_name, require_short_name
from relight_cli.jobs.outputs import refuse_fields
from relight_cli.jobs.planning import require_folders
from relight_cli.jobs.relight_options import RelightCommandOptions
from relight_cli.photos.formats import output_suffix
from relight_cli.timelapse.destination import check_video_options, is_video
from relight_cli.timelapse.writers import FolderWriter, VideoFileWriter, Writer

FPS = 25.0


def check_sun_output(options: RelightCommandOptions) -> None:
    """Raise UsageError for an --output, or options of videos, that do not fit; MissingExtraError."""
    refuse_fields(options.output)
    if is_video(options.output):
        from relight_cli.videos.video import require_video

        require_video()
    elif options.fps:
        raise UnfitOptionError("--fps needs a video as -o, such as day.mp4.", "--fps")
    check_video_options(options.output, options.codec, options.crf)


def sun_writer(photo: Path, options: RelightCommandOptions, count: int) -> Writer:
    """Return the writer of the frames of a photo; without --output a folder next to it."""
    output = options.output or str(photo.parent / fit_name(photo.parent, photo.stem, "_relit"))
    path = Path(output)
    if is_video(output):
        from relight_cli.photos.capture_time import read_header
        from relight_cli.videos.codecs import encoding_of_frames
        from relight_cli.videos.writer import VideoOutput

        require_folders([path.parent])
        require_short_name(path)
        header, encoding = read_header(photo), encoding_of_frames(path.suffix, options.codec, options.crf, 16)
        kind, rate = path.suffix.lower(), options.fps or FPS
        return VideoFileWriter(path, VideoOutput(kind, header.height, header.width, rate, encoding))
    require_folders([path])
    return FolderWriter(path, [output_suffix(photo)] * count, quality=options.quality, effort=options.effort)


def video_record(options: RelightCommandOptions) -> dict[str, object]:
    """Return what a video records besides the options of frames."""
    given = {"codec": options.codec, "crf": options.crf}
    return {"fps": options.fps or FPS, **{name: value for name, value in given.items() if value is not None}}
