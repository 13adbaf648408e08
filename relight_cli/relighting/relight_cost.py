"""How many tiles pass through the network when a photo is lit by a reference, and how long each takes."""

from collections.abc import Callable

from relight_cli.models.interface import SHADOW, Model
from relight_cli.photos.photo import Photo
from relight_cli.relighting.lit_photo import tiles_to_put_on
from relight_cli.relighting.lit_windows import decoded_share, light_grid, window_views
from relight_cli.relighting.mapping import mapping_seconds
from relight_cli.relighting.options import ReferenceKind, RelightOptions, TileOptions, change_options
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import reference_tiling, relighting_seconds, same_view_tiles, view_of
from relight_cli.relighting.tiles import TileGrid
from relight_cli.relighting.timing import Pixels, seconds_of_work


class RelightCost:
    """What photos take which a reference shows as it shows the first one."""

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
        if self._shows_scene(photo, options):
            return tiles_to_put_on(self._reference.mapping_model(model), photo, options)
        return same_view_tiles(network, photo, tiling)

    def seconds(self, model: Model, photo: Photo) -> float:
        """Return the seconds for each of these tiles.

        Where windows are lit, a tile is seen on its own, but decoded only as its share of the windows. The tiles that
        the light of another scene takes are those of the mappers.
        """
        options, network = self._options(), model.network
        if not options.latents_alone:
            if not self._shows_scene(photo, options):
                return relighting_seconds(model)
            mapping_model = self._reference.mapping_model(model)
            mappers = mapping_model.network.mapper_names
            return mapping_seconds(mapping_model, SHADOW) if SHADOW in mappers else relighting_seconds(model)
        whole = relighting_seconds(model)
        if not window_views(network, change_options(options)):
            return whole

        def see(tiles: Pixels, tiling: TileOptions) -> None:
            grid = TileGrid(tiles.shape[0], tiles.shape[1], network.tile_size, tiling.overlap)
            ReferenceLight(Photo(tiles)).latents(network, grid, tiling, lambda count: None)

        seen = seconds_of_work(model, see)
        return seen + max(0.0, whole - seen) * decoded_share(options.tile_overlap)

    def _shows_scene(self, photo: Photo, options: RelightOptions) -> bool:
        """Return whether the reference shows another scene than the first photo that this is asked about."""
        if self._kind is None:
            self._kind = view_of(photo, self._reference, options).kind
        return self._kind == ReferenceKind.SCENE
