"""Colour spaces of a configuration of OpenColorIO; needs the extra [ocio]."""

import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import MissingExtraError, UsageError, one_line
from relight_cli.photos.working_space import BUILT_IN, Convert, WorkingSpace, named_primaries, near_names

DEFAULT = "ocio://default"
_REC709 = "lin_rec709_srgb"  # linear light of sRGB in the configurations that are part of the library
# Colours whose conversion says whether a space is linear in light: what it makes of sums and multiples.
_PROBE = np.array(((0, 0, 0), (0.18, 0.18, 0.18), (2, 0.5, 0.25), (-0.1, 0, 0.3), (40, 50, 60)), np.float32)


def config_name(config: str | None) -> str:
    """Return the configuration that is read: the one that is given, else that of $OCIO, else the library's own."""
    return config or os.environ.get("OCIO") or DEFAULT


def ocio_space(name: str, config: str | None) -> WorkingSpace:
    """Return a colour space of a configuration by its name, an alias or a role; see `working_space`.

    Raises MissingExtraError, and UsageError for a configuration or a name that cannot be used.
    """
    if not find_spec("PyOpenColorIO"):
        raise MissingExtraError(
            f"{name}: colour spaces of a configuration, which are all but {', '.join(BUILT_IN)}, need an extra: "
            "pip install 'relight-cli[ocio]'"
        )
    return _space(name, config_name(config), () if config else BUILT_IN)


@lru_cache(maxsize=16)
def _space(name: str, file: str, others: tuple[str, ...]) -> WorkingSpace:
    """Return a colour space of a configuration; `others` are names that could have been meant, too."""
    import PyOpenColorIO

    try:
        loaded = PyOpenColorIO.Config.CreateFromFile(file)
    except (PyOpenColorIO.Exception, PyOpenColorIO.ExceptionMissingFile, RuntimeError) as error:  # of a long name
        raise UsageError(
            f"{file}: the OpenColorIO configuration cannot be read ({one_line(error).rstrip('.')})."
        ) from error
    space = loaded.getColorSpace(name)
    if space is None or space.isData():
        reason = "holds data, not colours" if space else "is no colour space"
        near = near_names(name, [*loaded.getColorSpaceNames(), *others])
        raise UsageError(f"{name} {reason} of {file}; {near or 'name another one.'}")
    try:
        there = PyOpenColorIO.Config.GetProcessorFromBuiltinColorSpace(_REC709, loaded, space.getName())
        back = PyOpenColorIO.Config.GetProcessorToBuiltinColorSpace(loaded, space.getName(), _REC709)
        to_rec709, from_rec709 = (_convert_by(processor, PyOpenColorIO) for processor in (back, there))
    except PyOpenColorIO.Exception as error:
        raise UsageError(f"{name} cannot be used, by {file} ({one_line(error).rstrip('.')}).") from error
    matrix = _matrix(from_rec709)
    primaries, interop_id = (None, "") if matrix is None else named_primaries(matrix)
    return WorkingSpace(
        space.getName(), to_rec709, from_rec709, primaries, getattr(space, "getInteropID", str)() or interop_id
    )


def _convert_by(processor: Any, library: Any) -> Convert:
    cpu = processor.getOptimizedCPUProcessor(library.OPTIMIZATION_LOSSLESS)

    def convert(colours: NDArray[np.float32]) -> NDArray[np.float32]:
        converted = np.array(colours, np.float32, order="C")
        cpu.applyRGB(converted)
        return converted

    return convert


def _matrix(from_rec709: Convert) -> NDArray[np.float64] | None:
    """Return the matrix (3, 3) that a conversion from linear light is; None if it is none."""
    matrix = from_rec709(np.eye(3, dtype=np.float32)).T.astype(np.float64)
    expected = _PROBE @ matrix.T
    same = np.allclose(from_rec709(_PROBE), expected, rtol=1e-4, atol=1e-5)
    return matrix if same and abs(np.linalg.det(matrix)) > 1e-6 else None
