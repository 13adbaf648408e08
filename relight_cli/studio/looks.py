"""Saved lights."""

from pathlib import Path

from relight_cli.errors import UsageError
from relight_cli.jobs.light_files import save_light
from relight_cli.jobs.light_options import LightOptions, light_of
from relight_cli.relighting.lights.light import Light
from relight_cli.studio.screen import Files, Given, LightKind, Screen, light_words, look_path


def look_names(looks: Path) -> list[str]:
    """Return the names of the saved looks, sorted."""
    try:
        return sorted(path.stem for path in looks.glob("*.toml") if path.is_file())
    except OSError:
        return []


def light_of_screen(screen: Screen, files: Files, looks: Path) -> Light:
    """Return the light of a screen. Raises UsageError for a reference, which is a photo, and what `light_of` raises."""
    if screen.light == LightKind.REFERENCE:
        raise UsageError(
            "The light of a reference belongs to each photo: 'relight-cli relight PHOTO --light REFERENCE --save-light "
            "look.toml' saves it."
        )
    words = [str(word.path) if isinstance(word, Given) else word for word in light_words(screen, files, looks)]
    given = dict(zip(words[::2], words[1::2], strict=True))
    name = given.pop("--light", None)
    texts = {"sun": given.pop("--sun")} if "--sun" in given else {}
    numbers = {option.removeprefix("--"): float(value) for option, value in given.items()}
    return light_of(name, LightOptions(**texts, **numbers))  # type: ignore[arg-type]


def save_look(screen: Screen, files: Files, looks: Path, name: str) -> Path:
    """Save the light of a screen; a name that is taken is an error. Raises UsageError, OutputUnwritableError."""
    path = look_path(looks, name)
    light = light_of_screen(screen, files, looks)
    if path.exists():
        raise UsageError(f"There is a look called {name.strip()!r} already: choose another name.")
    save_light(light, path)
    return path
