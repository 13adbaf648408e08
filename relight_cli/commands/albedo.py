"""relight-cli albedo: what surfaces reflect, without the light on them."""

from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.mapping import MappingOptions, run_mapping
from relight_cli.jobs.options import Photos, accepts

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.light_change import Picture

SHADING = "shading.deep"  # .tif beside a TIFF, else .png


@accepts(MappingOptions)
def albedo(
    photos: Photos,
    options: MappingOptions,
    save_shading: Annotated[
        bool,
        typer.Option(
            "--save-shading",
            help="Save the light, too, linear: <output>_shading.png (16 bits), beside a TIFF .tif (float).",
        ),
    ] = False,
) -> None:
    """Take all light out of each PHOTO; its albedo is left.

    With --save-shading the albedo is exposed so that no light exceeds white: albedo times shading, in linear light, is
    the photo.
    """

    def exposed(picture: "Picture", albedo: "Picture") -> "Picture":
        from relight_cli.relighting.layers import exposed_albedo

        return exposed_albedo(picture, albedo)

    def layers(photo: "Photo", changed: "Photo") -> "list[Photo]":
        import numpy as np

        from relight_cli.photos.photo import Photo
        from relight_cli.rasters.samples import in_depth
        from relight_cli.relighting.layers import shading

        if not save_shading:
            return []
        light = shading(photo.srgb, changed.srgb, photo.pixels.shape[2])
        if changed.format == "TIFF":
            return [Photo(light, format="TIFF")]
        return [Photo(in_depth(light, np.dtype(np.uint16)))]

    beside = (SHADING,) if save_shading else ()
    finish = exposed if save_shading else None
    run_mapping(photos, "albedo", "albedo", options, beside, possible=(SHADING,), finish=finish, layers=layers)
