"""Extension of griffe: the comment behind a field of a dataclass is its description."""

from typing import Any

from griffe import Attribute, Docstring, Extension


class FieldComments(Extension):
    """Give each attribute without a docstring the comment that stands on its line."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Read the comment of one attribute."""
        if attr.docstring is None and attr.lineno is not None and attr.parent is not None and attr.parent.is_class:
            line = attr.lines_collection[attr.filepath][(attr.endlineno or attr.lineno) - 1]
            if comment := line.partition("  # ")[2]:
                attr.docstring = Docstring(f"{comment[0].upper()}{comment[1:]}.", parent=attr)
