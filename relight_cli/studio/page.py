"""The studio's page: its controls, in the order in which they are read."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import gradio as gr

from relight_cli.jobs.light_files import preset_names
from relight_cli.studio.looks import look_names
from relight_cli.studio.options import StudioOptions
from relight_cli.studio.screen import (
    DEPTH,
    DEPTH_MODELS,
    EXTRA_MAPS,
    MAP_SUFFIXES,
    RELIGHT,
    TASKS,
    TIMELAPSE,
    Change,
    LightKind,
    MaskKind,
    Result,
    Screen,
)

HERE = Path(__file__).parent
TITLE = "relight-cli studio"
DEPTH_HELP = (
    "`tiny` with 0 steps needs nothing else: it is in the package. `small`, `base` and `large` are Depth Anything V2, "
    "and more than 0 steps need Stable Diffusion 1.5 as well (2.2 GB in all, and in practice a GPU): "
    "`relight-cli weights fetch refine-depth` fetches them, the studio itself downloads nothing."
)
# Parts that a script draws, and all that was seen once, stay on the page: one that is put there anew can miss a change.
HIDDEN: Final = "hidden"
_START = Screen()


@dataclass
class Page:
    """The components that events read and write."""

    blocks: gr.Blocks
    screen: dict[str, Any] = field(default_factory=dict)  # by the names of Screen's fields
    boxes: dict[str, Any] = field(default_factory=dict)  # parts that are seen with some choices only
    photos: Any = None
    reference: Any = None
    map: Any = None
    mask: Any = None
    index: Any = None
    slider: Any = None
    gallery: Any = None
    ball: Any = None
    dial: Any = None
    painter: Any = None
    tick: Any = None  # counts the changes of the screen
    painted: Any = None  # counts the paintings
    made: Any = None  # what is said about the full size
    saved: Any = None  # what is said about a saved look
    look_name: Any = None
    save_look: Any = None
    status: Any = None
    make: Any = None
    cancel: Any = None
    results: Any = None
    command: Any = None

    @property
    def inputs(self) -> list[Any]:
        """What is read for every preview: files first, then the values of Screen."""
        values = [self.screen[one.name] for one in fields(Screen)]
        return [self.tick, self.photos, self.reference, self.map, self.mask, self.index, *values]

    def seen(self, now: Screen) -> dict[Any, bool]:
        """Return which parts of the page are seen with a screen; as `make_page` makes it with a new one."""
        relights, by_mask, light = now.task == RELIGHT, now.changes_light, now.light
        refined, between = now.steps > 0, now.change == Change.BETWEEN
        return {
            self.boxes[RELIGHT]: relights,
            self.screen["preset"]: light == LightKind.PRESET,
            self.boxes[LightKind.SUN]: light == LightKind.SUN,
            self.boxes["reference"]: light == LightKind.REFERENCE,
            self.boxes["map"]: light == LightKind.MAP,
            self.screen["look"]: light == LightKind.LOOK,
            self.boxes["turn"]: light != LightKind.REFERENCE,
            self.screen["rotate"]: light != LightKind.SUN,
            self.boxes["ball"]: light != LightKind.REFERENCE,
            self.boxes["change"]: by_mask,
            self.boxes["mask"]: now.mask == MaskKind.FILE,
            self.boxes[MaskKind.PAINTED]: now.mask == MaskKind.PAINTED,
            self.screen["invert"]: now.mask != MaskKind.NONE,
            self.boxes[DEPTH]: now.task == DEPTH,
            self.screen["ensemble"]: refined,
            self.screen["fast"]: refined,
            self.boxes[TIMELAPSE]: now.task == TIMELAPSE,
            self.screen["between"]: between,
            self.screen["mode"]: between,
            self.screen["window"]: not between,
            self.gallery: now.task == TIMELAPSE,
            self.slider: now.task != TIMELAPSE,
        }


def make_page(options: StudioOptions) -> Page:
    """Return the page, without its events."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        page = Page(blocks)
        page.tick, page.painted = gr.Number(0, visible=False), gr.Number(0, visible=False)
        gr.HTML(f"<h1>{TITLE}</h1>")
        page.photos = gr.File(label="Photos", elem_id="photos", file_count="multiple", height=150)
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                _result(page)
            with gr.Column(scale=2, min_width=320):
                _add(page, "task", gr.Radio(list(TASKS), value=_START.task, label="Task"))
                _light(page, options)
                _mask(page)
                _depth(page)
                _timelapse(page)
    return page


def _add(page: Page, name: str, component: Any) -> None:
    page.screen[name] = component


def _light(page: Page, options: StudioOptions) -> None:
    kinds, looks = [kind.value for kind in LightKind], look_names(options.looks_folder)
    with gr.Column(visible=True) as page.boxes[RELIGHT]:
        _add(page, "light", gr.Radio(kinds, value=kinds[0], label="Light"))
        _add(page, "preset", gr.Dropdown(preset_names(), value=_START.preset, label="Preset"))
        with gr.Column(visible=HIDDEN) as page.boxes[LightKind.SUN]:
            page.dial = _drawn("dial", {"azimuth": _START.azimuth, "elevation": _START.elevation}, "Sun")
            _sun_sliders(page)
        page.reference = _hidden_box(page, "Reference photo", "reference")
        page.map = _hidden_box(page, f"Environment map ({', '.join(MAP_SUFFIXES)}, twice as wide as high)", "map")
        _add(page, "look", gr.Dropdown(looks, value=next(iter(looks), None), label="Look", visible=False))
        with gr.Accordion("Turn and expose the light", open=False) as page.boxes["turn"]:
            _add(page, "rotate", gr.Slider(-180, 180, _START.rotate, step=1, label="Turn the light (degrees)"))
            _add(page, "exposure", gr.Slider(-3, 3, _START.exposure, step=0.1, label="Brighter or darker (stops)"))
        with gr.Column() as page.boxes["ball"]:
            page.ball = gr.HTML(elem_classes="studio-ball")
            with gr.Row():
                page.look_name = gr.Textbox(label="Save this light as", max_lines=1, max_length=80, scale=3)
                page.save_look = gr.Button("Save look", scale=1)
            page.saved = gr.HTML(elem_classes="studio-saved")


def _hidden_box(page: Page, label: str, name: str) -> Any:
    with gr.Column(visible=False) as page.boxes[name]:
        return gr.File(label=label, elem_id=name, file_count="single", height=110)


def _drawn(name: str, value: dict[str, Any], label: str) -> Any:
    """Return a control of this project's own: NAME.html, with its style and its script."""
    read = {kind: (HERE / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")}
    return gr.HTML(value, html_template=read["html"], css_template=read["css"], js_on_load=read["js"], label=label)


def _sun_sliders(page: Page) -> None:
    left_right = "Direction (degrees; 0 from the camera, 90 right, -90 left, 180 from behind)"
    _add(page, "azimuth", gr.Slider(-180, 180, _START.azimuth, step=1, label=left_right))
    _add(page, "elevation", gr.Slider(-10, 90, _START.elevation, step=1, label="Height above the horizon (degrees)"))
    _add(page, "kelvin", gr.Slider(1800, 12000, _START.kelvin, step=50, label="Colour (kelvin; less is warmer)"))
    _add(page, "soft", gr.Slider(0.27, 45, _START.soft, step=0.01, label="Softness (radius in degrees; sun 0.27)"))
    _add(page, "ambient", gr.Slider(0, 1, _START.ambient, step=0.01, label="Share of light from all sides"))


def _mask(page: Page) -> None:
    kinds = [kind.value for kind in MaskKind]
    with gr.Column() as page.boxes["change"]:
        _add(page, "strength", gr.Slider(0, 1.5, _START.strength, step=0.05, label="Strength"))
        _add(page, "mask", gr.Radio(kinds, value=kinds[0], label="Change the photo"))
        page.mask = _hidden_box(page, "Mask file (white: change)", "mask")
        with gr.Column(visible=HIDDEN) as page.boxes[MaskKind.PAINTED]:  # drawn by a script, which wants it there
            page.painter = _drawn("painter", {}, "Mask")
        _add(page, "invert", gr.Checkbox(_START.invert, label="The other way round", visible=False))


def _depth(page: Page) -> None:
    with gr.Column(visible=False) as page.boxes["refine-depth"]:
        gr.Markdown(DEPTH_HELP)
        _add(page, "depth_model", gr.Radio(list(DEPTH_MODELS), value=_START.depth_model, label="Depth network"))
        _add(page, "steps", gr.Slider(0, 1000, _START.steps, step=10, label="Steps of refinement"))
        _add(page, "ensemble", gr.Slider(1, 20, _START.ensemble, step=1, label="Runs to average", visible=False))
        _add(page, "fast", gr.Checkbox(_START.fast, label="Fast (TAESD; 300 steps are usual)", visible=False))
        _add(page, "maps", gr.CheckboxGroup(list(EXTRA_MAPS), value=[], label="Further files"))


def _timelapse(page: Page) -> None:
    changes, results = [one.value for one in Change], [one.value for one in Result]
    with gr.Column(visible=False) as page.boxes["interpolate-timelapse"]:
        _add(page, "change", gr.Radio(changes, value=changes[0], label="Make"))
        _add(page, "between", gr.Slider(1, 30, _START.between, step=1, label="New frames between every two"))
        _add(
            page, "window", gr.Slider(3, 99, _START.window, step=2, label="Smooth the light over frames", visible=False)
        )
        _add(page, "mode", gr.Radio(["auto", "latent", "image"], value=_START.mode, label="Blend"))
        _add(page, "result", gr.Radio(results, value=results[0], label="Write"))


def _result(page: Page) -> None:
    page.slider = gr.ImageSlider(
        label="Preview: before and after", interactive=False, buttons=["fullscreen"], height="min(520px, 60vh)"
    )
    page.gallery = gr.Gallery(
        label="Preview: frames", interactive=False, visible=False, buttons=["fullscreen"], height="min(520px, 60vh)"
    )
    page.index = gr.Number(1, precision=0, label="Number of the photo in the preview", visible=False)
    page.status = gr.HTML(value="", elem_classes=["studio-status", "studio-preview"])
    with gr.Row():
        page.make = gr.Button("Make full size", variant="primary")
        page.cancel = gr.Button("Cancel")
    page.made = gr.HTML(value="", elem_classes=["studio-status", "studio-made"])
    page.results = gr.HTML(value="", elem_id="results")
    page.command = gr.Textbox(
        label="Command line", lines=2, max_lines=8, interactive=False, buttons=["copy"], elem_classes="studio-command"
    )
