"""The steps of a run, one after the other, and what is written on the way: log, sheets, checkpoints, the network.

With torchrun, each process learns from its share of every batch, and DDP averages the gradients.
"""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from relight_cli.checkpoints.licences import licence_line
from relight_cli.training.crocodilight.run import Run, learning_rate
from relight_cli.training.crocodilight.samples import prefetched
from relight_cli.training.sheets import save_picture
from relight_cli.training.workers import world_size

Notify = Callable[[str], None]


def learn(run: Run, rank: int, notify: Notify, progress: Callable[[int, dict[str, float]], None]) -> None:
    """Take the steps that are left; the first process logs, keeps checkpoints and writes the network."""
    log, batch = run.config.log, run.config.schedule.batch
    share = batch // world_size()
    places = slice(rank * share, (rank + 1) * share)
    if rank == 0:
        run.folder.forget_after(run.step)
    if line := licence_line(str(run.config.run / run.output), run.licences()):
        notify(line)
    losses: list[dict[str, float]] = []
    board = _board(run) if rank == 0 else None
    drawing, started = run.drawing, time.monotonic()
    with closing(prefetched(drawing, run.step, batch, places, run.config.machine.workers)) as batches:
        while run.step < run.steps:
            losses.append(run.advance(next(batches)))
            done = run.step >= run.steps
            if done or run.step % log.every == 0:
                record = means(losses)
                losses.clear()
                progress(run.step, record)
                record |= {"rate": learning_rate(run.config, run.step - 1, run.steps)}
                record |= {"seconds": round(time.monotonic() - started, 1)}
                if rank == 0:
                    _record(run, record, board)
            if rank == 0:
                _keep(run, done, board)
    if run.lost:
        notify(f"{run.config.run}: the last {run.lost} steps changed nothing, since their gradients were not finite")


def means(losses: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each loss over some steps."""
    names = dict.fromkeys(name for one in losses for name in one)
    return {name: sum(one.get(name, 0.0) for one in losses) / len(losses) for name in names}


def _keep(run: Run, done: bool, board: Any) -> None:
    """Keep what is due after a step: the figures on held-out pictures, the network, the checkpoint."""
    if done or run.step % run.config.log.sheet_every == 0:
        sheet, figures = run.held_out()
        if sheet is not None:
            save_picture(sheet, run.config.run / f"sheet_{run.step:07d}.png")
            _record(run, figures, board)
        run.write()
    if done or run.step % run.config.log.save_every == 0:
        run.keep()


def _record(run: Run, record: dict[str, float], board: Any) -> None:
    with run.writing(run.config.run / "log.jsonl"):
        run.folder.log({"step": run.step} | {name: float(f"{value:.7g}") for name, value in record.items()})
    if board:
        with run.writing(run.config.run / "tensorboard"):
            for name, value in record.items():
                board.add_scalar(name, value, run.step)


def _board(run: Run) -> Any:
    """Return TensorBoard's writer if it is wanted and installed, else None."""
    if not run.config.log.tensorboard:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run.config.run / "tensorboard"), purge_step=run.step)
