"""From a request to a job: read photo, other files and options; check all that can be checked without decoding."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from relight_cli.serving import uploads
from relight_cli.serving.errors import ProblemError
from relight_cli.serving.jobs import Job
from relight_cli.serving.options import ServeOptions
from relight_cli.serving.tasks import Task, check_values, command_line, result_path

PHOTO = "photo"
_CHUNK = 1 << 20  # bytes
_START = 64  # bytes by which a format is known, or all there are
_FIELDS, _FIELD_BYTES = 64, 1 << 16
_SENDING = 120.0  # seconds in which a client has to send its request


async def take(request: Request, task: Task, command: Any, job: Job, options: ServeOptions) -> None:
    """Fill a job from a request. Raises a ProblemError."""
    values = _only_once(request.query_params.multi_items())
    try:
        async with asyncio.timeout(_SENDING):
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data":
                files = await _take_form(request, task, job.folder, values)
            else:
                files = {PHOTO: await _take_body(request, job.folder)}
    except TimeoutError:
        raise ProblemError(408, f"the request did not arrive within {_SENDING:g} s.") from None
    except ClientDisconnect:
        raise ProblemError(408, "the client closed the connection before it had sent the request.") from None
    check_values(task, values)
    if both := sorted(set(files) & set(values)):
        raise ProblemError(400, f"{both[0]} is given as a file and as a value: give only one of them.")
    for path in files.values():
        await run_in_threadpool(uploads.check_size, path, options.max_pixels)
    job.result = result_path(task, files[PHOTO], values, command)
    job.arguments = command_line(command, files, values, job.result, options)


async def _take_body(request: Request, folder: Path) -> Path:
    """Save a raw body as the photo."""
    media = request.headers.get("content-type", "")
    chunks = (chunk async for chunk in request.stream() if chunk)
    start = b""
    while len(start) < _START and (chunk := await anext(chunks, b"")):
        start += chunk
    if not start:
        raise ProblemError(400, "there is no photo: send one as the body, or as the part 'photo' of a form.")
    path = folder / f"{PHOTO}{uploads.suffix_for(PHOTO, None, media, start)}"
    with path.open("wb") as file:
        file.write(start)
        async for chunk in chunks:
            await run_in_threadpool(file.write, chunk)
    return path


async def _take_form(request: Request, task: Task, folder: Path, values: dict[str, str]) -> dict[str, Path]:
    """Save the files of a form; add its other fields to `values`."""
    try:
        form = await request.form(max_files=4, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
    except HTTPException as error:
        raise ProblemError(400, f"the form cannot be read: {error.detail}") from None
    try:
        return await _save_parts(form, task, folder, values)
    finally:
        await form.close()


async def _save_parts(form: FormData, task: Task, folder: Path, values: dict[str, str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, value in form.multi_items():
        if name in files or name in values:
            raise ProblemError(400, f"{name[:80]} is given twice.")
        if not isinstance(value, UploadFile):
            if name == PHOTO:
                raise ProblemError(415, "photo: send the file itself; names and addresses are not opened.")
            values[name] = value
        elif name == PHOTO or name in task.files:
            files[name] = await _save(name, value, folder)
        else:
            raise ProblemError(400, f"{name[:80]} is no file of {task.name}.")
    if PHOTO not in files:
        raise ProblemError(400, "there is no photo: send one as the body, or as the part 'photo' of a form.")
    return files


async def _save(part: str, upload: UploadFile, folder: Path) -> Path:
    start = await upload.read(_CHUNK)
    if not start:
        raise ProblemError(400, f"{part}: the file is empty.")
    path = folder / f"{part}{uploads.suffix_for(part, upload.filename, upload.content_type or '', start)}"
    with path.open("wb") as file:
        while start:
            await run_in_threadpool(file.write, start)
            start = await upload.read(_CHUNK)
    return path


def _only_once(items: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in items:
        if name in values:
            raise ProblemError(400, f"{name[:80]} is given twice.")
        values[name] = value
    return values


def documented(task: Task, command: Any) -> Mapping[str, Any]:
    """Return how OpenAPI describes the request of a task."""
    from relight_cli.serving.tasks import FORMAT, parameters_of

    known = parameters_of(command)
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": known[name].help,
            "schema": _schema(known[name]),
        }
        for name in sorted(task.options)
    ]
    if FORMAT not in task.options:
        text = "Format of the answer, as a suffix: png, jpg, tif ... Default: that of the photo."
        parameters.append({"name": FORMAT, "in": "query", "description": text, "schema": {"type": "string"}})
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": [PHOTO], "properties": dict.fromkeys((PHOTO, *sorted(task.files)), binary)}
    bodies = {"multipart/form-data": {"schema": form}, "image/*": {"schema": binary}}
    return {"parameters": parameters, "requestBody": {"required": True, "content": bodies}}


def _schema(parameter: Any) -> dict[str, Any]:
    kind, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    if hasattr(kind, "__members__"):
        return {"type": "string", "enum": [one.value for one in kind]}
    schema: dict[str, Any] = {"type": {bool: "boolean", int: "integer", float: "number"}.get(kind, "string")}
    for limit, word in (("min", "minimum"), ("max", "maximum")):
        if getattr(info, limit, None) is not None:
            schema[word] = getattr(info, limit)
    return schema
