"""The options of videos and frame sequences."""

from dataclasses import dataclass
from typing import Annotated

import typer

from relight_cli.jobs.option_types import Codec, Crf


@dataclass(frozen=True)
class SequenceOptions:
    """Options of videos and frame sequences; None where an option is not given."""

    sequence: Annotated[
        bool, typer.Option("--sequence", help="Take the photos of a folder as frames of one sequence, not one by one.")
    ] = False
    keyframes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            metavar="N",
            show_default="10",
            help="Frames of a sequence from one that the network sees to the next; 1: it sees all, slow.",
        ),
    ] = None
    codec: Codec = None
    crf: Crf = None
