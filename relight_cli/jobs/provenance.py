"""What an output says of how it was made, and whether one that exists was made as it would be made now."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.jobs.inputs import STDIO, sha256_of
from relight_cli.jobs.options import CommandOptions, PhotoCommandOptions
from relight_cli.jobs.reported_outputs import ReportedOutputs, output_facts

if TYPE_CHECKING:
    from relight_cli.jobs.outputs import Job
    from relight_cli.jobs.reports import Facts, ModelIdentity
    from relight_cli.photos.photo import Photo
    from relight_cli.photos.provenance import Provenance

# Options that say how to go about it, not what comes out.
RUN_OPTIONS = {
    "output",
    "overwrite",
    "skip_existing",
    "recursive",
    "null",
    "weights_dir",
    "offline",
    "model",  # auto or by name; which one it came to is told
    "device",
    "tile_batch",
    "max_pixels",
    "report",
    "quiet",
    "verbose",
    "plot",
    "preview",  # files beside the output, which are there or not
    "normals",
    "uncertainty",
    "initial",
    "run_batch",
    "resume",
}

Inputs = Mapping[str, object]
"""What one output is made from, by hashes; none where a file is not known."""

UNSIGNED = (".exr", ".npz")  # maps beside a map, which have no Software tag


def output_options(options: CommandOptions) -> dict[str, object]:
    """Give the options that shape the picture; of files only the names, for folders are private."""
    wanted = {name: value for name, value in asdict(options).items() if name not in RUN_OPTIONS}
    return {name: value.name if isinstance(value, Path) else value for name, value in wanted.items()}


@dataclass(frozen=True)
class Recipe:
    """How the photos of a run are made."""

    task: str  # "relit", "deshadowed" ...
    model: "ModelIdentity"
    options: CommandOptions
    files: Mapping[str, Path] = field(default_factory=dict)  # what is read beside the photos
    more: Mapping[str, object] = field(default_factory=dict)  # options of the command alone
    read_record: Callable[[Path], str | None] | None = None  # reads what an output that is no photo says of it

    def provenance(self, inputs: Inputs) -> "Provenance":
        """Tell how one output is made."""
        from relight_cli.photos.provenance import Provenance

        files = {name: path.name for name, path in self.files.items()}
        options = {**output_options(self.options), **self.more, **files, "inputs": {**inputs, **self._read}}
        return Provenance(self.task, self.model.name, self.model.revision, self.model.sha256, options)

    def sign(self, photo: "Photo", inputs: Inputs) -> tuple["Photo", tuple[str, ...]]:
        """Let a photo say how it was made, or with --strip take all metadata from it but the profile; give notes."""
        from relight_cli.photos.provenance import sign, strip_metadata

        if isinstance(self.options, PhotoCommandOptions) and self.options.strip:
            return replace(photo, metadata=strip_metadata(photo.metadata)), ()
        metadata, notes = sign(photo.metadata, self.provenance(inputs))
        return replace(photo, metadata=metadata), notes

    def recorded(self, output: Path) -> str | None:
        """Give what an output says of how it was made, or else what the report says of it."""
        from relight_cli.photos.header import recorded_parameters

        return (self.read_record or recorded_parameters)(output) or self._reports.parameters(output)

    def knows_inputs(self) -> bool:
        """Tell whether all that is read beside the photos could be hashed."""
        return None not in self._read.values()

    def resolve_existing(self, job: "Job", notify: Callable[[str], None]) -> "Job":
        """Skip a job whose output is there as it would be made again; replace what this tool made otherwise.

        What does not say that this tool made it is left alone; where a layer does not, the output is not made, either.
        """
        there = os.path.lexists(job.target)
        recorded = self.recorded(job.target) if there else None
        if there and recorded is None:
            notify(f"{job.target}: left as it is, it does not say how it was made; --overwrite makes it anew.")
            return replace(job, skip=True)
        if foreign := [path for path in job.extras if path.suffix not in UNSIGNED and self._is_of_others(path)]:
            left, both = ("left as it is", "replaces both") if there else ("not made", "makes both")
            notify(f"{job.target}: {left}, for relight-cli did not make {foreign[0]}; --overwrite {both}.")
            return replace(job, skip=True)
        photo_sha256 = sha256_of(job.source)
        known = photo_sha256 is not None and self.knows_inputs() and all(path.exists() for path in job.extras)
        same = known and recorded == self.provenance({"photo": photo_sha256}).parameters()
        return replace(job, skip=same, replace=not same)

    def report_facts(self, job: "Job", inputs: Inputs) -> "Facts":
        """Give what a report says of a job's files, to know them by another time."""
        if self.options.report is None or job.target == STDIO:
            return {}
        parameters = self.provenance(inputs).parameters()
        extras = [output_facts(path, parameters) for path in job.extras]
        return {**output_facts(job.target, parameters), **({"more_outputs": extras} if extras else {})}

    def reported_options(self) -> dict[str, object]:
        """Give what a report says beside the options that commands share."""
        return {**self.more, **{name: str(path) for name, path in self.files.items()}}

    @cached_property
    def _read(self) -> dict[str, str | None]:
        return {name: sha256_of(path) for name, path in self.files.items()}

    @cached_property
    def _reports(self) -> ReportedOutputs:
        return ReportedOutputs(self.options.report)

    def _is_of_others(self, path: Path) -> bool:
        from relight_cli.photos.header import made_by_relight_cli

        return path.exists() and not made_by_relight_cli(path) and self._reports.parameters(path) is None
