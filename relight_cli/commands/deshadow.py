"""relight-cli deshadow: photos without their shadows."""

from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.mapping import MappingOptions, run_mapping
from relight_cli.jobs.options import Photos, accepts

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo

MASK = "mask.png"


@accepts(MappingOptions)
def deshadow(
    photos: Photos,
    options: MappingOptions,
    save_mask: Annotated[
        bool,
        typer.Option("--save-mask", help="Save the shadow, too: <output>_mask.png, grey, white where all is dark."),
    ] = False,
) -> None:
    """Take the shadows out of each PHOTO."""

    def layers(photo: "Photo", changed: "Photo") -> "list[Photo]":
        from relight_cli.photos.photo import Photo
        from relight_cli.relighting.layers import implied_shadow

        return [Photo(implied_shadow(photo.srgb, changed.srgb))] if save_mask else []

    beside = (MASK,) if save_mask else ()
    run_mapping(photos, "deshadowed", "shadow", options, beside, possible=(MASK,), layers=layers)
