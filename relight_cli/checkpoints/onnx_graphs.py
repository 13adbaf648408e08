"""`tiny` as ONNX: one graph per task, and all of them as a package for darktable."""

import importlib.util
import io
import json
import warnings
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from relight_cli._version import __version__
from relight_cli.checkpoints.albedo import load_albedo
from relight_cli.checkpoints.tiny import load_tiny, tiny_sha256
from relight_cli.errors import MissingExtraError
from relight_cli.models.tiny_graphs import TASKS, TinyGraph

if TYPE_CHECKING:
    from onnx import ModelProto

PACKAGE = "relight-tiny"
"""The id of the package for darktable, which is also the name of its file and of the folder in it."""
OPSET = 20
PROVENANCE = {
    "long_description": "Separates the light of a photo from its surfaces and returns the change of light, so that a "
    "photo keeps its pixels. deshadow removes cast shadows, albedo all light, relight puts on a reference's light.",
    "scope": "relighting, shadow removal and intrinsic decomposition of photos",
    "author": "the authors of relight-cli",
    "license": "Apache-2.0",
    "training_data": "73 photos that may be used for any purpose, under synthetic light, and views and grounds that "
    "the project's own renderer made; no published weights but those of an encoder in albedo, EfficientNet-Lite0 "
    "(Apache-2.0), trained on ImageNet",
    "training_data_license": "photos that may be used for any purpose; renderings Apache-2.0",
    "notes": "trained by relight_cli/training, which describes data, stages and findings",
}
"""Where the weights come from, in the words of darktable's model cards."""
_SIDES = {"picture": ("height", "width"), "reference": ("reference_height", "reference_width")}
_TENSORS = {
    "picture": "(1, 3, height, width) float32, sRGB-encoded, 0 to 1; any size, best with a longer side of 512",
    "reference": "(1, 3, reference_height, reference_width) float32, sRGB-encoded, 0 to 1: the view in other light",
    "lit": "(1, 3, height, width) float32, sRGB-encoded: picture in its new light, not clipped",
    "log_light": "(1, 3, height, width) float32: change of the natural logarithm of linear light; enlarge it to a "
    "larger picture and multiply its linear light by exp(log_light)",
}


def require_onnx() -> None:
    """Raise MissingExtraError if ONNX is not installed."""
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtraError("ONNX files need an extra: pip install 'relight-cli[onnx]'.")


def onnx_of_tiny(task: str) -> bytes:
    """Return the graph of one of `TASKS` as the bytes of an ONNX file, with its provenance as metadata.

    The tensors are those of `TinyGraph`: picture (and reference) to lit and log_light, with heights and widths of any
    size. Raises MissingExtraError.
    """
    require_onnx()
    import onnx
    import torch

    inputs = ["picture", "reference"] if task == "relight" else ["picture"]
    names = [*inputs, "lit", "log_light"]
    axes = {name: dict(zip((2, 3), _SIDES.get(name, _SIDES["picture"]), strict=True)) for name in names}
    with warnings.catch_warnings(), torch.no_grad(), TemporaryDirectory() as folder:
        written = Path(folder) / "tiny.onnx"
        warnings.simplefilter("ignore")  # on tracing, whose sizes the tests check
        # The exporter of torch.export wants sides that are multiples of 16, and takes 25 s, not 2.
        network = load_tiny()
        network.view_albedo = load_albedo() if task == "albedo" else None
        torch.onnx.export(
            TinyGraph(network, task).eval(),
            tuple(torch.rand(1, 3, 144 + 32 * n, 176) for n in range(len(inputs))),
            written,
            input_names=inputs,
            output_names=names[len(inputs) :],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(written)
    _describe(model, task, names)
    return model.SerializeToString(deterministic=True)


def darktable_package() -> bytes:
    """Return all tasks as a package (.dtmodel) of darktable 5.6: a zip with config.json, the graphs and the licence.

    Format: darktable-ai-sdk, docs/dtmodel-format.md. Raises MissingExtraError.
    """
    require_onnx()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as package:
        _add(package, "config.json", json.dumps(darktable_config(), indent=4) + "\n")
        for task in TASKS:
            _add(package, f"{task}.onnx", onnx_of_tiny(task))
        _add(package, "provenance.json", json.dumps(_facts("all"), indent=4) + "\n")
    return written.getvalue()


def darktable_config() -> dict[str, Any]:
    """Return what darktable reads of a package before it loads a graph."""
    return {
        "id": PACKAGE,
        "name": "relight tiny",
        "description": "Relight photos, remove their shadows or all of their light",
        "task": "relight",
        "arch": "tiny",
        "backend": "onnx",
        "version": __version__,
        "tiling": False,
        "model_card": PROVENANCE,
        "attributes": {"color_space": "rgb", "resize_mode": "longest_side", "input_sizes": [512]},
    }


def _facts(task: str) -> dict[str, str]:
    return {
        "name": "tiny",
        "task": task,
        "version": __version__,
        "weights_sha256": tiny_sha256(),
        **PROVENANCE,
        **{f"tensor.{name}": text for name, text in _TENSORS.items()},
    }


def _describe(model: "ModelProto", task: str, names: list[str]) -> None:
    """Put the provenance and the sizes that are fixed into a graph."""
    import onnx

    model.producer_name, model.producer_version = "relight-cli", __version__
    model.doc_string = f"tiny, {task}: {PROVENANCE['long_description']}"
    facts = {key: text for key, text in _facts(task).items() if key.partition("tensor.")[2] in ("", *names)}
    onnx.helper.set_model_props(model, facts)
    for tensor in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate((1, 3)):
            tensor.type.tensor_type.shape.dim[axis].dim_value = size
    onnx.checker.check_model(model)


def _add(package: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    """Add a file to the folder of the package; the same content gives the same bytes."""
    entry = zipfile.ZipInfo(f"{PACKAGE}/{name}", (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    package.writestr(entry, content, compresslevel=1)  # level 6 takes nine times as long for 6 % less
