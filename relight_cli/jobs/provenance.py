"""Record how an output is made, and find out whether an existing output is up to date."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from relight_cli.jobs.inputs import STDIO, sha256_of
from relight_cli.jobs.options import CommandOptions, LightCommandOptions, PhotoCommandOptions
from relight_cli.jobs.reported_outputs import ReportedOutputs, output_entry
from relight_cli.jobs.time_budget import LADDER
from relight_cli.photos.effort import Effort
from relight_cli.places.marks import MADE, hashed, known_sha256, marks_for, marks_of
from relight_cli.places.objects import ObjectPath
from relight_cli.places.objects import exists as is_there

if TYPE_CHECKING:
    from relight_cli.jobs.outputs import Job
    from relight_cli.jobs.reports import ModelIdentity, ReportEntry
    from relight_cli.photos.layered import LayeredPhoto
    from relight_cli.photos.photo import Photo
    from relight_cli.photos.provenance import Provenance

# Options that do not change the output.
RUN_OPTIONS = {
    "output",
    "overwrite",
    "skip_existing",
    "recursive",
    "null",
    "shard",
    "weights_dir",
    "offline",
    "yes",
    "dry_run",
    "model",  # "auto" or a name; the model itself is recorded
    "device",
    "tile_batch",
    "max_pixels",
    "budget",  # the --max-side that it chooses is recorded
    "report",
    "compare",
    "compare_full",
    "progress",
    "quiet",
    "verbose",
    "layers",  # extra files: whether they exist is checked
    "plot",
    "preview",
    "normals",
    "uncertainty",
    "initial",
    "run_batch",
    "resume",
    "engine",
    "actors",
    "gpus_per_actor",
    "ray_address",
    "sequence",  # how inputs are read is seen in what is made
}

# Options that are recorded only if they are given, so that outputs of earlier versions stay up to date.
RECORDED_IF_GIVEN = {
    "page",
    "input_colour",
    "depth",
    "working_space",
    "ocio_config",
    "effort",
    "keyframes",
    "codec",
    "crf",
}
_NOT_GIVEN = (None, Effort.DEFAULT)

Signed = TypeVar("Signed", "Photo", "LayeredPhoto")
Inputs = Mapping[str, object]
"""Hashes of what one output is made from, by name; None for a file that cannot be hashed."""

UNSIGNED = (".exr", ".npz", ".ply")  # extra maps and point clouds, which have no Software tag


def output_options(options: CommandOptions) -> dict[str, object]:
    """Return the options that change the output; files without their folders, which are private."""
    chosen = {name: value for name, value in asdict(options).items() if name not in RUN_OPTIONS}
    chosen = {name: value for name, value in chosen.items() if name not in RECORDED_IF_GIVEN or value not in _NOT_GIVEN}
    for name in ("input_colour", "ocio_config"):
        if value := chosen.get(name):
            chosen[name] = Path(str(value)).name
    return {name: value.name if isinstance(value, Path) else value for name, value in chosen.items()}


@dataclass(frozen=True)
class Recipe:
    """How the outputs of a run are made."""

    task: str  # "relit", "deshadowed" ...
    model: "ModelIdentity"
    options: CommandOptions
    files: Mapping[str, Path] = field(default_factory=dict)  # what is read besides the photos
    more: Mapping[str, object] = field(default_factory=dict)  # options of this command only
    read_record: Callable[[Path], str | None] | None = None  # reads the record of an output that is not a photo

    def provenance(self, inputs: Inputs, options: CommandOptions | None = None) -> "Provenance":
        """Return how one output is made, with these options or else the run's."""
        from relight_cli.photos.provenance import Provenance

        files = {name: path.name for name, path in self.files.items()}
        chosen = output_options(options or self.options)
        recorded = {**chosen, **self.more, **files, "inputs": {**inputs, **self._hashes}}
        return Provenance(self.task, self.model.name, self.model.revision, self.model.sha256, recorded)

    def sign(self, photo: Signed, inputs: Inputs) -> tuple[Signed, tuple[str, ...]]:
        """Record in a photo or its layers how it is made; return them and notes.

        With --strip, remove all metadata but the profile.
        """
        from relight_cli.photos.provenance import sign, strip_metadata

        if isinstance(self.options, PhotoCommandOptions) and self.options.strip:
            return replace(photo, metadata=strip_metadata(photo.metadata)), ()
        metadata, notes = sign(photo.metadata, self.provenance(inputs))
        return replace(photo, metadata=metadata), notes

    def recorded(self, output: Path) -> str | None:
        """Return how an output was made, from the output or else from the report; None if neither records it."""
        from relight_cli.photos.fingerprints import split_record

        if made := marks_of(output).get(MADE):
            return made
        record = self._record(output)
        return split_record(record)[0] if record else self._reports.parameters(output)

    def is_untouched(self, output: Path) -> bool:
        """Return whether an output is as this tool wrote it; False if neither its record nor the report tells."""
        from relight_cli.photos.fingerprints import is_untouched, split_record

        if MADE in marks_of(output):
            return True
        record = self._record(output)
        fingerprint = split_record(record)[1] if record else None
        return is_untouched(output, fingerprint) or self._reports.parameters(output) is not None

    def has_all_hashes(self) -> bool:
        """Return whether all files that are read besides the photos could be hashed."""
        return None not in self._hashes.values()

    def resolve_existing(self, job: "Job", notify: Callable[[str], None]) -> "Job":
        """Skip a job whose outputs are up to date; replace outputs that this tool made in another way.

        Files without a record of this tool, and those that were changed since, are left alone. If that is a layer, its
        photo is not made either.
        """
        exists = is_there(job.target)
        recorded = self.recorded(job.target) if exists else None
        if exists and recorded is None:
            notify(f"{job.target}: left as it is, because it does not record how it was made; --overwrite replaces it.")
            return replace(job, skip=True)
        if foreign := [path for path in job.extras if path.suffix not in UNSIGNED and self._is_foreign(path)]:
            left, both = ("left as it is", "replaces both") if exists else ("not made", "makes both")
            notify(f"{job.target}: {left}, because relight-cli did not make {foreign[0]}; --overwrite {both}.")
            return replace(job, skip=True)
        same = self._is_current(job, recorded)
        written = [path for path in (job.target, *job.extras) if is_there(path)]
        if touched := [path for path in written if not (same or self.is_untouched(path))]:
            where, both = ("it is", "it") if touched[0] == job.target else (f"{touched[0]} is", "both")
            left = f"left as it is, because {where} not as relight-cli wrote it; --overwrite replaces {both}."
            notify(f"{job.target}: {left}")
            return replace(job, skip=True)
        return replace(job, skip=same, may_replace=not same)

    def recheck(self, job: "Job", notify: Callable[[str], None]) -> "Job":
        """Decide anew about a job whose outputs have changed since it was planned: another process may have made it.

        Without --skip-existing, only what is as this run would make it is skipped.
        """
        if not any(is_there(path) for path in (job.target, *job.extras)):
            return replace(job, may_replace=False)
        if self.options.skip_existing:
            return self.resolve_existing(replace(job, may_replace=False), notify)
        return replace(job, skip=self._is_current(job, self.recorded(job.target)))

    def _is_current(self, job: "Job", recorded: str | None) -> bool:
        """Return whether all outputs of a job exist and would be made the same again, by the record of its target."""
        photo_sha256 = known_sha256(job.target, job.source) or sha256_of(job.source)
        known = photo_sha256 is not None and self.has_all_hashes() and all(path.exists() for path in job.extras)
        current = self._up_to_date({"photo": photo_sha256}) if known else []
        return recorded in [*current, *map(hashed, current)]

    def _up_to_date(self, inputs: Inputs) -> list[str]:
        """Return the records of outputs that are up to date; with --budget every size that it may have chosen."""
        alternatives: list[CommandOptions] = [self.options]
        if isinstance(self.options, LightCommandOptions) and self.options.budget is not None:
            alternatives = [replace(self.options, max_side=side, budget=None) for side in (None, *LADDER)]
        return [self.provenance(inputs, options).parameters() for options in alternatives]

    def marks(self, job: "Job", inputs: Inputs) -> dict[str, str]:
        """Return the metadata by which the outputs of a job in a bucket are recognised; none for files."""
        if not isinstance(job.target, ObjectPath):
            return {}
        return marks_for(self.provenance(inputs).parameters(), inputs.get("photo"), job.source)

    def report_facts(self, job: "Job", inputs: Inputs) -> "ReportEntry":
        """Return what a report records about a job's files, so that a later run recognises them."""
        if self.options.report is None or job.target == STDIO:
            return {}
        parameters = self.provenance(inputs).parameters()
        extras = [output_entry(path, parameters) for path in job.extras]
        return {**output_entry(job.target, parameters), **({"more_outputs": extras} if extras else {})}

    def facts_of_outputs(self, job: "Job") -> "ReportEntry":
        """Return what a report records about the files that a job has already."""
        return self.report_facts(job, {"photo": sha256_of(job.source)})

    def reported_options(self) -> dict[str, object]:
        """Return what a report records besides `options`."""
        return {**self.more, **{name: str(path) for name, path in self.files.items()}}

    @cached_property
    def _hashes(self) -> dict[str, str | None]:
        return {name: sha256_of(path) for name, path in self.files.items()}

    @cached_property
    def _reports(self) -> ReportedOutputs:
        return ReportedOutputs(self.options.report)

    def _record(self, output: Path) -> str | None:
        from relight_cli.photos.header import read_record

        return (self.read_record or read_record)(output)

    def _is_foreign(self, path: Path) -> bool:
        from relight_cli.photos.header import made_by_relight_cli

        return path.exists() and not made_by_relight_cli(path) and self._reports.parameters(path) is None
