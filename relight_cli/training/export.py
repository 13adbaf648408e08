"""Pack a training run's averaged weights as the embedded model.

python -m relight_cli.training.export RUN relight_cli/data/tiny.safetensors [--mix FILE --share 0.6]
"""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors import safe_open
from safetensors.torch import save_file

from relight_cli.checkpoints.network_files import read_tensors, to_store
from relight_cli.models.tiny import TinyConfig


def main(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    target: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    mix: Annotated[Path | None, typer.Option(help="Exported weights to mix with the run's.")] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the run's weights in the mixture.")] = 0.5,
) -> None:
    """Write the weights, with the config, the recipe and the last figures in the metadata.

    A mixture is the weighted mean of both weights (Wortsman et al., Model soups, ICML 2022).
    """
    state = torch.load(run / "checkpoint.pt", weights_only=True, map_location="cpu")
    inference_only = ("tile_size", "max_side", "reference_side")
    defaults = {name: getattr(TinyConfig, name) for name in inference_only}  # the training does not use these
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    metadata = {
        "config": json.dumps(state["recipe"][-1]["config"] | defaults),
        "recipe": json.dumps(state["recipe"]),
        "figures": json.dumps(log[-1]),
        "licence": "Apache-2.0",
    }
    weights = {k.removeprefix("module."): v.float() for k, v in state["average"].items() if v.ndim}
    if mix:
        with safe_open(mix, "pt") as file:
            other = read_tensors(file)
        weights = {name: torch.lerp(other[name].float(), own, share) for name, own in weights.items()}
        metadata["mixed"] = json.dumps({"with": mix.name, "share": share})
    save_file(to_store(weights), target, metadata)


if __name__ == "__main__":
    typer.run(main)
