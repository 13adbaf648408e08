"""How many tiles pass through the network when a photo is lit by a reference."""

from collections.abc import Callable

from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.relighting.lit_photo import tiles_to_put_on
from relight_cli.relighting.lit_windows import light_grid
from relight_cli.relighting.options import ReferenceKind, RelightOptions, change_options
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import reference_tiling, same_view_tiles, view_of


class RelightCost:
    """The tiles that photos take which a reference shows as it shows the first one."""

    def __init__(self, reference: ReferenceLight, options: Callable[..., RelightOptions] = RelightOptions) -> None:
        """Take the reference, and the function that returns the options, given a `max_side`."""
        self._reference, self._options = reference, options
        self._kind: ReferenceKind | None = None

    def tiles(self, model: Model, photo: Photo, max_side: int | None) -> int:
        """Return the number of tiles of a photo that pass through the network, without those of a reference's own."""
        network, options = model.network, self._options(max_side=max_side)
        tiling = reference_tiling(model, options)
        if options.latents_alone:
            return len(light_grid(network, photo.srgb, change_options(options), tiling))
        if self._kind is None:
            self._kind = view_of(photo, self._reference, options).kind
        if self._kind == ReferenceKind.SCENE:
            return tiles_to_put_on(self._reference.mapping_model(model), photo, options)
        return same_view_tiles(network, photo, tiling)
