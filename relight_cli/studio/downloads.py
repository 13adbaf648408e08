"""The files of a job, as the command has written them, to be downloaded."""

import html
import zipfile
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from relight_cli.errors import OutputUnwritableError
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.serving.errors import ProblemError, problem_of
from relight_cli.serving.jobs import Job
from relight_cli.serving.uploads import media_type
from relight_cli.serving.worker import Worker
from relight_cli.studio.work import OUT

ALL = "all.zip"


def links_to(job: Job, made: list[Path]) -> str:
    """Return a list of links to files of a job, and to all of them as one, as HTML in which names are text."""
    folder = job.folder / OUT
    names = [path.relative_to(folder).as_posix() for path in made]
    links = [_link(f"results/{job.id}/file/{quote(name)}", name, path) for name, path in zip(names, made, strict=True)]
    if len(made) > 1:
        links.append(f'<li><a href="results/{job.id}/{ALL}" download>All as a ZIP file</a></li>')
    return f'<h2>Results</h2><ul data-job="{job.id}">{"".join(links)}</ul>'


def _link(address: str, name: str, path: Path) -> str:
    text = html.escape(name)
    return f'<li><a href="{html.escape(address)}" download>{text}</a> ({path.stat().st_size / 1000:,.0f} kB)</li>'


def add_downloads(app: FastAPI, worker: Worker) -> None:
    """Add the addresses of the files."""

    def folder_of(number: str) -> Path:
        job = worker.kept.get(number)
        if not (job and job.is_final and (job.folder / OUT).is_dir()):
            raise ProblemError(404, "this result is not kept any more: make it again.")
        return job.folder / OUT

    @app.get("/results/{number}/file/{name:path}")
    def one(number: str, name: str) -> FileResponse:
        folder = folder_of(number)
        path = next((path for path in folder.rglob("*") if path.relative_to(folder).as_posix() == name), None)
        if path is None or not path.is_file():
            raise ProblemError(404, "there is no such file.")
        return FileResponse(path, media_type=media_type(path), filename=path.name)

    @app.get(f"/results/{{number}}/{ALL}")
    async def everything(number: str) -> FileResponse:
        folder = folder_of(number)
        archive = folder.parent / ALL
        await run_in_threadpool(_pack, folder, archive)
        return FileResponse(archive, media_type="application/zip", filename="relit.zip")


def _pack(folder: Path, archive: Path) -> None:
    """Write the files of a folder into an archive, not compressed: pictures are already. Raises a ProblemError.

    The archive appears when it is whole, since it may be asked for again meanwhile.
    """
    if archive.exists():
        return
    try:
        with (
            atomic_file(archive, overwrite=True) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file,
        ):
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                file.write(path, path.relative_to(folder).as_posix())
    except OutputUnwritableError as error:
        raise problem_of(error) from error
