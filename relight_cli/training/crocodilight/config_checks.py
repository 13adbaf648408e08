"""What must be true of the configuration of a training run."""

from relight_cli.training.crocodilight.config import METRICS, PRECISIONS, NetworkConfig, TrainConfig


def fault_of(config: TrainConfig) -> str | None:
    """Return the first thing that makes no sense, and the remedy."""
    schedule, crops = config.schedule, config.crops
    weights = (config.loss.perceptual, config.loss.mse, config.loss.intrinsic)
    checks = [
        (schedule.steps >= 0 and schedule.epochs > 0, "[schedule] epochs and steps: give more than 0."),
        (schedule.batch > 0 and schedule.accumulate > 0, "[schedule] batch and accumulate: give 1 or more."),
        (schedule.batch % schedule.accumulate == 0, "[schedule] batch: give a multiple of accumulate."),
        (schedule.rate > 0, "[schedule] rate: give more than 0."),
        (len(schedule.betas) == 2 and all(0 <= b < 1 for b in schedule.betas), "[schedule] betas: give two below 1."),
        (schedule.decay in ("constant", "cosine"), '[schedule] decay: choose "constant" or "cosine".'),
        (0 <= schedule.warm_up < 1 and 0 <= schedule.ema < 1, "[schedule] warm_up and ema: give 0 or more, below 1."),
        (schedule.clip >= 0 and schedule.weight_decay >= 0, "[schedule] clip and weight_decay: give 0 or more."),
        (crops.zoom_out >= 1, "[crops] zoom_out: give 1 or more."),
        (0 <= crops.grey <= 1 and 0 <= crops.shift < 1, "[crops] grey and shift: give 0 to 1."),
        (0 < crops.mask < 1, "[crops] mask: give more than 0 and less than 1."),
        (0 <= schedule.seed < 2**63, "[schedule] seed: give 0 or more, below 2^63."),
        (min(weights) >= 0 and max(weights[:2]) > 0, "[loss] perceptual, mse, intrinsic: give 0 or more, not all 0."),
        (config.loss.metric in METRICS, f"[loss] metric: choose {', '.join(METRICS)}."),
        (config.machine.precision in PRECISIONS, f"[machine] precision: choose {', '.join(PRECISIONS)}."),
        (config.machine.workers > 0 and config.machine.cache_mb >= 0, "[machine] workers: give 1 or more."),
        (min(config.log.every, config.log.save_every, config.log.sheet_every) > 0, "[log]: give 1 step or more."),
        (config.log.held_out >= 0, "[log] held_out: give 0 scenes or more."),
        *_sizes(config.network),
    ]
    return next((words for fine, words in checks if not fine), None)


def _sizes(network: NetworkConfig) -> list[tuple[bool, str]]:
    """Return what must be true of the sizes, each with the remedy."""
    heads = [
        ("width", network.width, "encoder_heads", network.encoder_heads),
        ("width", network.width, "heads", network.heads),
        ("croco_decoder_width", network.croco_decoder_width, "croco_decoder_heads", network.croco_decoder_heads),
    ]
    depths = (network.encoder_depth, network.delighting_depth, network.relighting_depth, network.croco_decoder_depth)
    widths = (*network.dpt_widths, *network.dpt_output_widths, network.dpt_features)
    return [
        (network.tile_size > 0 and network.tile_size % 32 == 0, "[network] tile_size: give a multiple of 32."),
        *(
            (
                count > 0 and width > 0 and width % (4 * count) == 0,
                f"[network] {name}: give a multiple of 4 {of}.",
            )
            for name, width, of, count in heads
        ),
        (min(depths) > 0 and network.width * network.mlp_ratio >= 1, "[network] depths and mlp_ratio: give more."),
        (len(network.dpt_widths) == 4 and len(network.dpt_output_widths) == 2, "[network] dpt_widths: give 4 and 2."),
        (min(widths) > 0, "[network] dpt_widths and dpt_features: give more than 0."),
        (network.decoder_depth >= 12, "[network] decoder_depth: give 12 or more; its blocks 1, 4, 9 and 11 are used."),
    ]
