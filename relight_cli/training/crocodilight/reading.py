"""Read the configuration of a training run: a TOML file over the defaults of its stage."""

import difflib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from relight_cli.errors import UsageError
from relight_cli.toml_files import read_toml
from relight_cli.training.crocodilight.config import (
    CropsConfig,
    LogConfig,
    LossConfig,
    MachineConfig,
    NetworkConfig,
    PairsConfig,
    ScheduleConfig,
    TrainConfig,
)
from relight_cli.training.crocodilight.config_checks import fault_of
from relight_cli.training.crocodilight.layouts import LAYOUTS

TABLES = {
    "network": NetworkConfig,
    "schedule": ScheduleConfig,
    "crops": CropsConfig,
    "loss": LossConfig,
    "machine": MachineConfig,
    "log": LogConfig,
}
# CroCo trains as MAE does (He et al., CVPR 2022), whose rate is 1.5e-4 for 256 samples. CroCoDiLight's paper states
# those of the decoder and of the transformers; the mappers, of which it states none, are trained as the transformers.
SCHEDULES = {
    "croco": ScheduleConfig(
        epochs=400, batch=256, rate=1.5e-4, betas=(0.9, 0.95), weight_decay=0.05, warm_up=0.1, decay="cosine"
    ),
    "decoder": ScheduleConfig(epochs=40, batch=96, rate=1e-4),
    "light": ScheduleConfig(),
    "shadow": ScheduleConfig(),
    "albedo": ScheduleConfig(),
}


def load_config(path: Path, stage: str) -> TrainConfig:
    """Read a TOML file over the defaults of a stage; names of files count from its folder.

    Raises UsageError, naming file and key, for a file that cannot be read, unknown keys and values that make no sense.
    """
    stated = read_toml(path)
    known = {"run", "start", "licence", "pairs", *TABLES}
    for key in stated:
        if key not in known:
            raise UsageError(f"{path}: {_unknown(key, known)}")
    given: dict[str, Any] = {}
    for name, kind in TABLES.items():
        base = SCHEDULES[stage] if name == "schedule" else kind()
        given[name] = _table(stated.get(name, {}), base, f"{path}: [{name}] ", path.parent)
    config = TrainConfig(
        stage=stage,
        run=path.parent / _text(stated, "run", path),
        pairs=pairs_of(stated, path),
        start=path.parent / _text(stated, "start", path) if stage != "croco" or "start" in stated else None,
        licence=_text(stated, "licence", path) if "licence" in stated else "",
        **given,
    )
    if fault := fault_of(config):
        raise UsageError(f"{path}: {fault}")
    return config


def pairs_of(stated: dict[str, Any], path: Path) -> tuple[PairsConfig, ...]:
    """Return the folders that a TOML file names. Raises UsageError."""
    tables = stated.get("pairs", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise UsageError(f'{path}: names no pictures: write [[pairs]] and below it folder = "FOLDER".')
    found = []
    for table in tables:
        if "folder" not in table:
            raise UsageError(f'{path}: a table [[pairs]] names no folder: write folder = "FOLDER" in it.')
        pairs = _table(table, PairsConfig(Path()), f"{path}: [[pairs]] ", path.parent)
        if pairs.layout not in ("auto", *LAYOUTS):
            raise UsageError(f"{path}: [[pairs]] layout = {pairs.layout!r}: choose auto, {', '.join(LAYOUTS)}.")
        if pairs.repeat < 1:
            raise UsageError(f"{path}: [[pairs]] repeat = {pairs.repeat}: give 1 or more.")
        found.append(pairs)
    return tuple(found)


def _table(stated: Any, base: Any, where: str, folder: Path) -> Any:
    """Return the dataclass `base` with the values that a table states."""
    hints = get_type_hints(type(base))
    if not isinstance(stated, dict):
        raise UsageError(f"{where}is no table: write it with keys below it.")
    for key in stated:
        if key not in hints:
            raise UsageError(where + _unknown(key, hints))
    return replace(base, **{key: _value(value, hints[key], f"{where}{key}", folder) for key, value in stated.items()})


def _value(value: Any, kind: Any, where: str, folder: Path) -> Any:
    if Path in (kind, *get_args(kind)) and isinstance(value, str):
        return folder / Path(value).expanduser()
    if kind is bool and isinstance(value, bool):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} = {value}: give a finite number.")
    if kind in (int, float) and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return kind(value)
    if kind in (float, str) and isinstance(value, kind):
        return value
    if get_args(kind) and isinstance(value, list) and value:
        return tuple(_value(one, get_args(kind)[0], where, folder) for one in value)
    word = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
    plain = word.get(kind, "a list of numbers" if get_args(kind) and Path not in get_args(kind) else "a name in quotes")
    raise UsageError(f"{where} = {value!r} has the wrong type: write {plain}.")


def _text(stated: dict[str, Any], key: str, path: Path) -> str:
    if key not in stated:
        what = {"run": "the folder of the run", "start": "the file to start from"}[key]
        raise UsageError(f'{path}: names no {key}: write {key} = "..." at the top, {what}.')
    if not isinstance(stated[key], str) or not stated[key]:
        raise UsageError(f"{path}: {key} = {stated[key]!r} has the wrong type: write a text in quotes.")
    return stated[key]


def _unknown(key: str, known: Any) -> str:
    near = difflib.get_close_matches(key, list(known), 1)
    remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}."
    return f"unknown key {key}: {remedy}"
