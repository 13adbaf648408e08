"""The configuration of a training run: a TOML file over the defaults of its stage, which are the paper's."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from relight_cli.models.croco import CroCoConfig

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
