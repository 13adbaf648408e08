"""A run of one stage: its steps, its checkpoint, from which it is resumed exactly, and the file that it writes."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from relight_cli._version import __version__
from relight_cli.checkpoints.croco import write_croco
from relight_cli.checkpoints.trained import sha256_of, write_trained
from relight_cli.devices import multiplies_bfloat16
from relight_cli.errors import OutputUnwritableError, RelightError, UsageError, one_line
from relight_cli.models.croco import CroCo
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.training.crocodilight.average import MovingAverage
from relight_cli.training.crocodilight.config import TrainConfig
from relight_cli.training.crocodilight.data import Data
from relight_cli.training.crocodilight.losses import ImageLoss, distance_of
from relight_cli.training.crocodilight.samples import Batch, Drawing, Sample, collated
from relight_cli.training.crocodilight.stages import (
    CroCoStage,
    DecoderStage,
    LightStage,
    MapperStage,
    Stage,
    checkpoint_activations,
)
from relight_cli.training.crocodilight.start import Start
from relight_cli.training.run_folder import RunFolder
from relight_cli.training.workers import world_size

LOST = 25  # steps in a row that are not finite; float16 begins with fewer, until its scale fits
SHEET_ROWS = 8  # samples on a sheet
LoadLPIPS = Callable[[str], nn.Module]


@dataclass
class Trained:
    """The parameters that a stage trains, as what a checkpoint holds."""

    parameters: dict[str, nn.Parameter]

    def state_dict(self) -> dict[str, Tensor]:
        """Return the values by name."""
        return {name: p.detach() for name, p in self.parameters.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the values."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[name])


def stage_of(config: TrainConfig, start: Start, load_lpips: LoadLPIPS) -> Stage:
    """Return the stage of a configuration on a network."""
    network, loss = start.network, config.loss
    if isinstance(network, CroCo):
        return CroCoStage(network, config.crops.mask)
    if config.stage not in ("decoder", "light"):
        return MapperStage(network, config.stage)
    images = ImageLoss(distance_of(loss.metric, load_lpips), loss.perceptual, loss.mse)
    return DecoderStage(network, images) if config.stage == "decoder" else LightStage(network, images, loss.intrinsic)


def precision_of(config: TrainConfig, device: str) -> torch.dtype:
    """Return the dtype that the network computes in; its weights are float32."""
    if config.machine.precision == "auto":
        return torch.bfloat16 if multiplies_bfloat16(torch.device(device).type) else torch.float32
    return getattr(torch, config.machine.precision)


def optimiser_of(config: TrainConfig, parameters: dict[str, nn.Parameter]) -> torch.optim.Optimizer:
    """Return Adam, or AdamW with weight decay."""
    schedule, (first, second) = config.schedule, config.schedule.betas
    if schedule.weight_decay:
        decay = schedule.weight_decay
        return torch.optim.AdamW(parameters.values(), schedule.rate, (first, second), weight_decay=decay)
    return torch.optim.Adam(parameters.values(), schedule.rate, (first, second))


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Return the rate of a step: it rises over the warm-up, then stays, or falls along a cosine to 0."""
    warm = round(config.schedule.warm_up * steps)
    if step < warm:
        return config.schedule.rate * (step + 1) / warm
    if config.schedule.decay == "constant":
        return config.schedule.rate
    return config.schedule.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


class Run:
    """A run in its folder."""

    def __init__(self, config: TrainConfig, data: Data, start: Start, load_lpips: LoadLPIPS, device: str) -> None:
        """Resume the run in the folder, or start a new one. Raises UsageError if the folder has another run."""
        if config.schedule.batch % (world_size() * config.schedule.accumulate):
            raise UsageError(
                f"[schedule] batch = {config.schedule.batch} cannot be shared by {world_size()} processes with "
                f"accumulate = {config.schedule.accumulate}: give a multiple of both."
            )
        self.config, self.data, self.start, self.device = config, data, start, device
        self.stage = stage_of(config, start, load_lpips).to(device)
        self.stage.freeze()
        self.parameters = self.stage.trained()
        if config.machine.checkpointing:
            checkpoint_activations(self.stage.network)
        self.optimiser = optimiser_of(config, self.parameters)
        self.average = MovingAverage(self.parameters, config.schedule.ema)
        self.dtype = precision_of(config, device)
        kind = torch.device(device).type
        self.scaler = torch.amp.GradScaler(kind, enabled=self.dtype == torch.float16 and kind == "cuda")
        self.learner: nn.Module = DistributedDataParallel(self.stage) if world_size() > 1 else self.stage
        parts = {"weights": Trained(self.parameters), "average": self.average}
        self.folder = RunFolder(config.run, parts | {"optimiser": self.optimiser, "scaler": self.scaler})
        sha256 = sha256_of(config.start) if config.start else None
        self.recipe = config.recipe() | {"samples": len(data.train), "version": __version__, "start_sha256": sha256}
        self.step, self.lost = self._restored(), 0  # lost: steps in a row whose gradients were not finite

    def _restored(self) -> int:
        with self.writing(self.config.run):
            self.config.run.mkdir(parents=True, exist_ok=True)
        try:
            found = self.folder.restore(self.device, self._require_same)
        except RelightError:
            raise
        except Exception as error:  # damaged bytes can make the unpickler raise any exception
            raise UsageError(
                f"{self.config.run / 'checkpoint.pt'} is damaged or of another network: delete it to start again, "
                "or name another folder in run."
            ) from error
        return found[0] if found else 0

    def _require_same(self, recipe: list[dict[str, Any]]) -> None:
        """Raise UsageError if the run in the folder has another recipe than this one; its version may differ."""
        old, new = (_flat({k: v for k, v in one.items() if k != "version"}) for one in (*recipe, plain(self.recipe)))
        if different := sorted(key for key in {*old, *new} if old.get(key) != new.get(key)):
            raise UsageError(
                f"{self.config.run} holds a run with other values of {', '.join(different)}: "
                "restore them to resume it, or name another folder in run."
            )

    @cached_property
    def steps(self) -> int:
        """The number of steps of the whole run."""
        schedule = self.config.schedule
        return schedule.steps or max(1, math.ceil(schedule.epochs * len(self.data.train) / schedule.batch))

    @property
    def drawing(self) -> Drawing:
        """What draws the samples, in the size of the network's tiles."""
        network, config = self.start.network, self.config
        size = network.config.image_size if isinstance(network, CroCo) else network.config.tile_size
        crops, seed = config.crops, config.schedule.seed
        return Drawing(config.stage, self.data.train, crops, size, seed, self.data.pictures)

    @property
    def output(self) -> str:
        """The name of the file that the run writes."""
        return "croco.pth" if self.config.stage == "croco" else f"{self.config.stage}.safetensors"

    def advance(self, batch: Batch) -> dict[str, float]:
        """Take one step with this process's share of a batch; return the losses. Raises UsageError if it diverges."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, self.step, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        count, parts = len(batch.seeds), self.config.schedule.accumulate
        sums: dict[str, Tensor] = {}
        for number in range(parts):
            part = batch.part(slice(number * count // parts, (number + 1) * count // parts))
            last = number == parts - 1
            with self._without_exchange(last):
                with torch.autocast(torch.device(self.device).type, self.dtype, self.dtype != torch.float32):
                    losses = self.learner(part.pictures.to(self.device), part.seeds)
                self.scaler.scale(losses["total"] / parts).backward()
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + loss.detach() / parts
        taken = self._update()
        self.step, self.lost = self.step + 1, 0 if taken else self.lost + 1
        if self.lost == LOST:
            raise UsageError(
                f"{self.config.run}: the gradients have not been finite since step {self.step - LOST + 1}: lower rate "
                "or set clip in [schedule], and name another folder in run."
            )
        return self._mean_of_all(sums) | ({} if taken else {"overflows": 1.0})

    def _update(self) -> bool:
        """Take the step, unless a gradient is infinite; return whether it was taken."""
        self.scaler.unscale_(self.optimiser)
        largest = self.config.schedule.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), largest)
        taken = bool(norm.isfinite())
        if taken or self.scaler.is_enabled():  # the scaler skips the step itself and lowers the scale
            self.scaler.step(self.optimiser)
        self.scaler.update()
        if taken:
            self.average.update()
        return taken

    def _without_exchange(self, last: bool) -> contextlib.AbstractContextManager[None]:
        if isinstance(self.learner, DistributedDataParallel) and not last:
            return self.learner.no_sync()
        return contextlib.nullcontext()

    def _mean_of_all(self, losses: dict[str, Tensor]) -> dict[str, float]:
        if world_size() > 1:
            joined = torch.stack(list(losses.values())).float()
            torch.distributed.all_reduce(joined)
            return dict(zip(losses, (joined / world_size()).tolist(), strict=True))
        return {name: loss.item() for name, loss in losses.items()}

    def held_out(self) -> tuple[Tensor | None, dict[str, float]]:
        """Return a sheet (3, rows S, columns S) of held-out pictures and figures on all, by averaged weights."""
        samples = list(enumerate(self.data.held_out))
        self.stage.eval()
        with self.average.applied(), torch.no_grad():
            judged = [self._judge(samples[at : at + SHEET_ROWS]) for at in range(0, len(samples), SHEET_ROWS)]
        self.stage.train()
        if not judged:
            return None, {}
        names, count = judged[0][1], len(samples)
        return judged[0][0], {name: sum(rows * figures[name] for _, figures, rows in judged) / count for name in names}

    def _judge(self, samples: list[tuple[int, Sample]]) -> tuple[Tensor, dict[str, float], int]:
        """Return the sheet of a few samples, the figures on them, and how many they are."""
        batch = collated([self.drawing.centre(sample, number) for number, sample in samples])
        pictures = batch.pictures.to(self.device)
        with torch.autocast(torch.device(self.device).type, self.dtype, self.dtype != torch.float32):
            losses = self.stage(pictures, batch.seeds)
            columns, figures = self.stage.results(pictures, batch.seeds)
        sheet = torch.cat([torch.cat(list(column.float()), dim=1) for column in columns], dim=2)
        return sheet, {"held_out": losses["total"].item()} | figures, len(samples)

    def write(self) -> None:
        """Write the network with averaged weights. Raises OutputUnwritableError."""
        path, licences = self.config.run / self.output, self.licences()
        network = self.start.network
        with self.writing(path), self.average.applied(), atomic_file(path, overwrite=True) as part:
            if isinstance(network, CroCo):
                write_croco(part, network, licences, self.recipe)
            else:
                names = (*self.start.parts, *self.stage.learns)
                tensors = {k: v for k, v in network.state_dict().items() if k.startswith(names)}
                write_trained(part, network, tensors, licences, [*self.start.recipe, plain(self.recipe)])

    def keep(self) -> None:
        """Replace the checkpoint. Raises OutputUnwritableError."""
        with self.writing(self.config.run / "checkpoint.pt"):
            self.folder.keep(self.step, [plain(self.recipe)])

    @staticmethod
    @contextlib.contextmanager
    def writing(path: Path) -> Iterator[None]:
        """Raise OutputUnwritableError, naming the file, for errors of the system and of what writes tensors."""
        try:
            yield
        except (OSError, RuntimeError, SafetensorError) as error:
            raise OutputUnwritableError(
                f"{path} cannot be written ({_reason_of(error)}): make room or make it writable."
            ) from error

    def licences(self) -> dict[str, str]:
        """Return the licences of all that the network is made from."""
        pictures = {f"pictures of {self.config.stage}: {one.folder.name}": one.licence for one in self.config.pairs}
        return {**self.start.licences, **pictures}


def _reason_of(error: Exception) -> str:
    """Return why a file cannot be written: what the system says, which torch buries under an error of its own."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.strerror:
            return chain.strerror
        chain = chain.__cause__ or chain.__context__
    return one_line(error)


def _flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe by names such as `schedule.rate`."""
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        inner = value.items() if isinstance(value, dict) else ()
        found |= {f"{key}.{name}": one for name, one in inner} if inner else {key: value}
    return found


def plain(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe as it comes back from a file: tuples as lists."""
    return json.loads(json.dumps(recipe))
