"""Several workers learn what one worker would learn from all their pictures."""

import subprocess
import sys
from pathlib import Path

import torch

from relight_cli.training.workers import any_rank, average_gradients, process_group, world_size

MEETING = """
from pathlib import Path
import torch
from relight_cli.training.workers import any_rank, average_gradients, world_size, process_group

with process_group() as worker:
    layer = torch.nn.Linear(2, 3)
    layer.weight.grad = torch.full((3, 2), float(worker))
    average_gradients(layer)
    assert (layer.weight.grad == 0.5).all() and layer.bias.grad is None
    assert world_size() == 2 and any_rank(worker == 1) and not any_rank(False)
    Path(f"worker {worker}").touch()
"""


def test_workers_average_gradients_and_stop_together(tmp_path: Path) -> None:
    (tmp_path / "meeting.py").write_text(MEETING)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*torchrun, "meeting.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("worker *")) == ["worker 0", "worker 1"]


def test_one_worker_needs_no_others() -> None:
    layer = torch.nn.Linear(2, 3)
    layer.weight.grad = torch.ones(3, 2)
    with process_group() as worker:
        average_gradients(layer)
        assert worker == 0
        assert world_size() == 1
        assert any_rank(True)
        assert not any_rank(False)
    assert (layer.weight.grad == 1).all()
