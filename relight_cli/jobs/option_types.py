"""The types of options that several commands have, each declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from relight_cli.jobs.console import remember_verbose
from relight_cli.jobs.progress import ProgressMode
from relight_cli.videos.names import VideoCodec

MODELS = ("auto", "crocodilight", "tiny")


class Dtype(StrEnum):
    """The values of --dtype."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def check_model(name: str) -> str:
    """Return the name of a model in small letters, or the name of a file. Raises BadParameter for another."""
    if name.lower() in MODELS:
        return name.lower()
    if Path(name).suffix.lower() != ".safetensors":
        raise typer.BadParameter(f"{name!r} is none of {', '.join(map(repr, MODELS))} and no file in .safetensors.")
    return name


def check_output(name: str | None) -> str | None:
    """Return --output as it is given. Raises BadParameter for an empty text, as of a variable that is not set."""
    if name == "":
        raise typer.BadParameter("the name is empty: name a file or a folder, or leave it out.")
    return name


def complete_model(incomplete: str) -> list[str]:
    """Return the models, and the files here, whose names begin so."""
    files = sorted(str(path) for path in Path().glob("*.safetensors"))
    return [name for name in (*MODELS, *files) if name.startswith(incomplete)]


Photos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTO",
        help="File, folder, glob, @FILE with one name per line (@-: list on stdin), or - for a photo on stdin.",
    ),
]
WeightsDir = Annotated[
    Path | None,
    typer.Option(
        "--weights-dir",
        envvar="RELIGHT_WEIGHTS_DIR",
        metavar="DIR",
        help="Folder to search for weights before the Hugging Face cache.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not download weights (same as HF_HUB_OFFLINE=1).")]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        envvar=["RELIGHT_YES", "RELIGHT_ACCEPT_LICENCE"],
        help="Download missing weights without asking; this accepts their licence.",
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]|mps", help="Device to compute on.")]
Precision = Annotated[Dtype, typer.Option(case_sensitive=False, help="Precision of the networks, as in the commands.")]
MaxPixels = Annotated[int, typer.Option(min=1, metavar="N", help="Refuse pictures with more than N pixels.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar and notes.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", callback=remember_verbose, help="Show tracebacks.")]
ProgressOption = Annotated[
    ProgressMode,
    typer.Option(
        "--progress",
        case_sensitive=False,
        help="auto: bars on a terminal. json: one JSON object per line on stderr, for programs.",
    ),
]
Network = Annotated[
    str,
    typer.Option(
        metavar="auto|crocodilight|tiny|FILE.safetensors",
        callback=check_model,
        autocompletion=complete_model,
        envvar="RELIGHT_MODEL",
        help="auto: crocodilight if its weights are found or can be downloaded, else tiny. "
        "A file: one that 'relight-cli train' wrote.",
    ),
]
Codec = Annotated[
    VideoCodec | None,
    typer.Option(case_sensitive=False, show_default="the video's own", help="Codec of a video."),
]
Crf = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=63,
        metavar="N",
        show_default="by codec, nearly lossless",
        help="Quality of a video; smaller is better and larger in bytes.",
    ),
]
