"""The configuration of a training run: a TOML file over the defaults of its stage, which are the paper's."""

import difflib
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from relight_cli.errors import UsageError
from relight_cli.models.croco import CroCoConfig
from relight_cli.training.crocodilight.layouts import LAYOUTS

STAGES = ("croco", "decoder", "light", "shadow", "albedo")
METRICS = ("lpips-vgg", "lpips-alex", "gradients")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class PairsConfig:
    """A folder of pictures."""

    folder: Path
    layout: str = "auto"
    licence: str = "not stated"  # of the pictures; it is recorded in the output
    repeat: int = 1  # how often an epoch shows it


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of what a stage makes anew; the defaults are the published ones. A file in `start` states the others."""

    tile_size: int = 448
    width: int = 1024
    encoder_depth: int = 24
    encoder_heads: int = 16
    delighting_depth: int = 8
    relighting_depth: int = 8
    decoder_depth: int = 12
    heads: int = 16
    mlp_ratio: float = 2.0
    dpt_widths: tuple[int, ...] = (96, 192, 384, 768)
    dpt_features: int = 256
    dpt_output_widths: tuple[int, ...] = (128, 32)
    croco_decoder_width: int = CroCoConfig.decoder_width
    croco_decoder_depth: int = CroCoConfig.decoder_depth
    croco_decoder_heads: int = CroCoConfig.decoder_heads


@dataclass(frozen=True)
class ScheduleConfig:
    """How long and how fast to train."""

    epochs: float = 10.0
    steps: int = 0  # instead of epochs, if not 0
    batch: int = 8  # samples of a step, of all processes together
    accumulate: int = 1  # parts that a process divides its share of the batch into
    rate: float = 5e-5
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0  # 0: Adam; else AdamW
    warm_up: float = 0.0  # share of the steps over which the rate rises
    decay: str = "constant"  # or "cosine", to 0
    clip: float = 0.0  # largest norm of the gradient; 0: any
    ema: float = 0.999  # of the averaged weights, which are the output; 0: the last weights
    seed: int = 1


@dataclass(frozen=True)
class CropsConfig:
    """How samples are cut out of pictures."""

    zoom_out: float = 1.0  # a crop is up to so many times as large as a tile, and is reduced
    mirror: bool = True
    grey: float = 0.05  # share of the samples in shades of grey
    shift: float = 0.25  # croco: the second view is shifted by up to this share of a crop, and larger by up to as much
    mask: float = 0.9  # croco: share of the patches that are hidden


@dataclass(frozen=True)
class LossConfig:
    """The weights of the losses."""

    metric: str = "lpips-vgg"
    backbone: Path | None = None  # file of torchvision's VGG-16 or AlexNet, instead of the one that is fetched
    perceptual: float = 0.5  # of LPIPS, or of the multi-scale gradient loss
    mse: float = 0.5
    intrinsic: float = 0.3  # light: of the MSE between the intrinsic latents of a pair


@dataclass(frozen=True)
class MachineConfig:
    """What does not change the result, or only its last digits."""

    precision: str = "auto"  # auto: bfloat16 where it is fast, else float32
    checkpointing: bool = False  # compute activations twice instead of keeping them
    workers: int = 4  # threads that read pictures
    cache_mb: int = 1024  # decoded pictures that are kept


@dataclass(frozen=True)
class LogConfig:
    """What a run writes; all are steps."""

    every: int = 20
    save_every: int = 1000
    sheet_every: int = 1000
    held_out: int = 4  # scenes that are not trained on
    tensorboard: bool = True  # if the package is installed


@dataclass(frozen=True)
class TrainConfig:
    """A run."""

    stage: str
    run: Path  # its folder
    pairs: tuple[PairsConfig, ...]
    start: Path | None = None  # CroCo's file, or that of the stage before
    licence: str = ""  # of the encoder in `start`, if the file states none, or of a new encoder
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    crops: CropsConfig = field(default_factory=CropsConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)
    log: LogConfig = field(default_factory=LogConfig)

    def recipe(self) -> dict[str, Any]:
        """Return what determines the result, for the record: not the length of the run, the machine and the log."""
        chosen = asdict(self)
        for name in ("run", "machine", "log"):
            del chosen[name]
        chosen["schedule"] = {k: v for k, v in chosen["schedule"].items() if k not in ("epochs", "steps")}
        chosen["pairs"] = [{**one, "folder": one["folder"].name} for one in chosen["pairs"]]
        chosen["start"] = self.start.name if self.start else None
        chosen["loss"]["backbone"] = self.loss.backbone.name if self.loss.backbone else None
        return chosen


TABLES = {
    "network": NetworkConfig,
    "schedule": ScheduleConfig,
    "crops": CropsConfig,
    "loss": LossConfig,
    "machine": MachineConfig,
    "log": LogConfig,
}
# CroCo trains as MAE does (He et al., CVPR 2022), whose rate is 1.5e-4 for 256 samples. CroCoDiLight's paper states
# those of the decoder and of the transformers; the mappers, of which it states none, are trained as the transformers.
SCHEDULES = {
    "croco": ScheduleConfig(
        epochs=400, batch=256, rate=1.5e-4, betas=(0.9, 0.95), weight_decay=0.05, warm_up=0.1, decay="cosine"
    ),
    "decoder": ScheduleConfig(epochs=40, batch=96, rate=1e-4),
    "light": ScheduleConfig(),
    "shadow": ScheduleConfig(),
    "albedo": ScheduleConfig(),
}


def load_config(path: Path, stage: str) -> TrainConfig:
    """Read a TOML file over the defaults of a stage; names of files count from its folder.

    Raises UsageError, naming file and key, for a file that cannot be read, unknown keys and values that make no sense.
    """
    stated = read_toml(path)
    known = {"run", "start", "licence", "pairs", *TABLES}
    for key in stated:
        if key not in known:
            raise UsageError(f"{path}: {_unknown(key, known)}")
    given: dict[str, Any] = {}
    for name, kind in TABLES.items():
        base = SCHEDULES[stage] if name == "schedule" else kind()
        given[name] = _table(stated.get(name, {}), base, f"{path}: [{name}] ", path.parent)
    config = TrainConfig(
        stage=stage,
        run=path.parent / _text(stated, "run", path),
        pairs=pairs_of(stated, path),
        start=path.parent / _text(stated, "start", path) if stage != "croco" or "start" in stated else None,
        licence=_text(stated, "licence", path) if "licence" in stated else "",
        **given,
    )
    if fault := _fault(config):
        raise UsageError(f"{path}: {fault}")
    return config


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises UsageError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}): check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: is not TOML ({error}): correct it.") from error


def pairs_of(stated: dict[str, Any], path: Path) -> tuple[PairsConfig, ...]:
    """Return the folders that a TOML file names. Raises UsageError."""
    tables = stated.get("pairs", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise UsageError(f'{path}: names no pictures: write [[pairs]] and below it folder = "FOLDER".')
    found = []
    for table in tables:
        if "folder" not in table:
            raise UsageError(f'{path}: a table [[pairs]] names no folder: write folder = "FOLDER" in it.')
        pairs = _table(table, PairsConfig(Path()), f"{path}: [[pairs]] ", path.parent)
        if pairs.layout not in ("auto", *LAYOUTS):
            raise UsageError(f"{path}: [[pairs]] layout = {pairs.layout!r}: choose auto, {', '.join(LAYOUTS)}.")
        if pairs.repeat < 1:
            raise UsageError(f"{path}: [[pairs]] repeat = {pairs.repeat}: give 1 or more.")
        found.append(pairs)
    return tuple(found)


def _table(stated: Any, base: Any, where: str, folder: Path) -> Any:
    """Return the dataclass `base` with the values that a table states."""
    hints = get_type_hints(type(base))
    if not isinstance(stated, dict):
        raise UsageError(f"{where}is no table: write it with keys below it.")
    for key in stated:
        if key not in hints:
            raise UsageError(where + _unknown(key, hints))
    return replace(base, **{key: _value(value, hints[key], f"{where}{key}", folder) for key, value in stated.items()})


def _value(value: Any, kind: Any, where: str, folder: Path) -> Any:
    if Path in (kind, *get_args(kind)) and isinstance(value, str):
        return folder / Path(value).expanduser()
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (int, float) and isinstance(value, int) and not isinstance(value, bool):
        return kind(value)
    if kind in (float, str) and isinstance(value, kind):
        return value
    if get_args(kind) and isinstance(value, list) and value:
        return tuple(_value(one, get_args(kind)[0], where, folder) for one in value)
    word = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
    plain = word.get(kind, "a list of numbers" if get_args(kind) and Path not in get_args(kind) else "a name in quotes")
    raise UsageError(f"{where} = {value!r} has the wrong type: write {plain}.")


def _text(stated: dict[str, Any], key: str, path: Path) -> str:
    if key not in stated:
        what = {"run": "the folder of the run", "start": "the file to start from"}[key]
        raise UsageError(f'{path}: names no {key}: write {key} = "..." at the top, {what}.')
    if not isinstance(stated[key], str) or not stated[key]:
        raise UsageError(f"{path}: {key} = {stated[key]!r} has the wrong type: write a text in quotes.")
    return stated[key]


def _unknown(key: str, known: Any) -> str:
    near = difflib.get_close_matches(key, list(known), 1)
    remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}."
    return f"unknown key {key}: {remedy}"


def _fault(config: TrainConfig) -> str | None:
    """Return the first thing that makes no sense, and the remedy."""
    schedule, crops = config.schedule, config.crops
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
        (min(depths) > 0 and network.mlp_ratio > 0, "[network] depths and mlp_ratio: give more than 0."),
        (len(network.dpt_widths) == 4 and len(network.dpt_output_widths) == 2, "[network] dpt_widths: give 4 and 2."),
        (min(widths) > 0, "[network] dpt_widths and dpt_features: give more than 0."),
        (network.decoder_depth >= 12, "[network] decoder_depth: give 12 or more; its blocks 1, 4, 9 and 11 are used."),
    ]
