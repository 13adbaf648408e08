"""The mask that relight, deshadow and albedo read."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.inputs import STDIO, reads_stdin
from relight_cli.jobs.options import CommandOptions, MaskedCommandOptions

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.rasters.rows import LazyRows


def check_mask_options(photos: list[str], options: MaskedCommandOptions, *, save_layer: bool) -> None:
    """Raise UsageError for options of a mask and of layers that contradict each other."""
    if options.mask == STDIO and reads_stdin(photos):
        raise UsageError("stdin cannot be both PHOTO and --mask: name a file for one of them.")
    if options.invert_mask and not options.mask:
        raise UnfitOptionError("--invert-mask needs a mask: give --mask too.", "--invert-mask")
    if save_layer and (options.output == "-" or (options.output is None and str(STDIO) in photos)):
        raise UsageError("stdout takes one picture: name a file or a folder by --output to save a layer next to it.")


def read_mask(path: Path, options: CommandOptions) -> "Photo":
    """Read a mask, whose samples count as they are, and print its notes."""
    from relight_cli.jobs.reading import read_with_notes
    from relight_cli.relighting.masks import brightness_note

    photo = read_with_notes(path, replace(options, input_colour="srgb"))  # which is for photos, and so are its notes
    if note := brightness_note(photo):
        notifier(options.quiet)(f"{path}: {note}")
    return photo


@dataclass(frozen=True)
class MaskFile:
    """The mask that --mask names, if any."""

    path: Path | None = None
    mask: "LazyRows | None" = None  # (H, W) float32 in [0, 1]

    @classmethod
    def read(cls, options: MaskedCommandOptions) -> "MaskFile":
        """Read the mask and print its notes."""
        from relight_cli.relighting.masks import mask_of

        if options.mask is None:
            return cls()
        plain = replace(options, working_space=None, ocio_config=None)  # which are for photos
        return cls(options.mask, mask_of(read_mask(options.mask, plain), invert=options.invert_mask))

    def for_photo(self, photo: "Photo") -> "LazyRows | None":
        """Return the mask for a photo. Raises UsageError if their sizes differ."""
        from relight_cli.relighting.masks import require_mask_size

        if self.mask is not None:
            require_mask_size(self.mask, photo, str(self.path))
        return self.mask
