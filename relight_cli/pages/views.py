"""What a page is told, as data: each view becomes one piece of JSON, which the page's script turns into elements.

No view holds markup. The script puts every text into the page as text.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Picture:
    """An embedded picture."""

    uri: str
    width: float  # at which one of its pixels is one unit; stretched where pixels are not square
    height: float
    scale: float = 1.0  # pixels of the photo along a side of one of its pixels; 1: full size


@dataclass(frozen=True)
class Legend:
    """What the colours of a map mean."""

    title: str
    unit: str
    low: float
    high: float
    colours: list[str]  # from low to high, "#rrggbb", evenly spaced
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Readings:
    """The numbers of a map, on a coarse grid, to be read at the pointer."""

    title: str
    unit: str
    width: int
    height: int
    step: float  # value = number * step
    numbers: str  # base64 of int8, row by row from the top


@dataclass(frozen=True)
class Layer:
    """A picture that can be compared with the other layers."""

    name: str
    picture: Picture
    legend: Legend | None = None


@dataclass(frozen=True)
class Histogram:
    """Counts of samples in bins from dark to light, of one picture."""

    name: str
    red: list[int]
    green: list[int]
    blue: list[int]


@dataclass(frozen=True)
class Line:
    """A line of a chart."""

    name: str
    style: str  # "strong", "pale", "red", "blue", "pale-red", "pale-blue"
    x: list[float]
    y: list[float]
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis."""

    title: str
    x_title: str
    y_title: str
    lines: list[Line]
    from_zero: bool = False
    whole_x: bool = False  # x counts things


@dataclass(frozen=True)
class Relief:
    """A surface to be turned: heights on a grid, seen from the front."""

    width: int
    height: int
    numbers: str  # base64 of uint8, row by row from the top; 255 is nearest
    aspect: float  # width of the picture divided by its height
    texture: int  # number of the layer that is put on it


@dataclass(frozen=True)
class Fact:
    """A line of the table of files."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    """A photo of the contact sheet."""

    number: int  # in the order of the command's photos, from 1
    name: str
    status: str  # "done", "skipped", "failed"
    note: str = ""
    thumbnail: Picture | None = None


@dataclass(frozen=True)
class Pair:
    """A photo before and after, and what is known about both."""

    number: int
    layers: list[Layer]
    readings: Readings | None = None
    histograms: list[Histogram] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    pictures: list[Layer] = field(default_factory=list)  # shown below, not compared
    relief: Relief | None = None
    facts: list[Fact] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """A frame of a sequence."""

    number: int
    time: float
    keyframe: int | None  # number of the input frame that is shown for comparison
    is_keyframe: bool  # that frame has the same time
    picture: Picture
    name: str = ""


@dataclass(frozen=True)
class Keyframe:
    """An input frame of a sequence."""

    number: int
    name: str
    picture: Picture


@dataclass(frozen=True)
class Head:
    """What is known before the work."""

    title: str
    command: str  # quoted for a shell
    program: str
    facts: list[tuple[str, str]]
    time_unit: str = ""  # of a sequence


@dataclass(frozen=True)
class End:
    """What is known after the work."""

    summary: str
    is_complete: bool
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
