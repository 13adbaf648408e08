"""The commands of the Typer app, each as a page of the reference.

The site's build renders these pages (site_hooks.py), man_pages.py renders the same commands as man pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

import typer

from relight_cli.cli import app

PROGRAM = "relight-cli"


@dataclass(frozen=True)
class Entry:
    """An argument, an option or a subcommand, as --help shows it."""

    name: str  # "-o, --output FILE|DIR|TEMPLATE|-"
    text: str


@dataclass(frozen=True)
class CommandPage:
    """What --help shows of one command."""

    name: str  # "relight-cli weights list"
    usage: str
    summary: str  # one line, for lists of commands
    description: tuple[str, ...]  # paragraphs
    arguments: tuple[Entry, ...]
    options: tuple[Entry, ...]
    commands: tuple[Entry, ...]

    @property
    def slug(self) -> str:
        """The name of its file: "relight-cli-weights-list"."""
        return self.name.replace(" ", "-")


def command_pages() -> list[CommandPage]:
    """Return a page for the program and for each of its commands, in the order of --help."""
    program = typer.main.get_command(app)
    return list(_pages(program, program.make_context(PROGRAM, [], resilient_parsing=True)))


def _pages(command: Any, context: Any) -> Iterator[CommandPage]:
    children = getattr(command, "commands", {})
    yield _page(command, context, children)
    for name, child in children.items():
        yield from _pages(child, child.make_context(name, [], parent=context, resilient_parsing=True))


def _page(command: Any, context: Any, children: dict[str, Any]) -> CommandPage:
    arguments, options = [], []
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) is not None:
            kind = arguments if parameter.param_type_name == "argument" else options
            kind.append(Entry(record[0], " ".join(record[1].split())))
    paragraphs = cleandoc(command.help or "").split("\n\n")
    return CommandPage(
        name=context.command_path,
        usage=context.get_usage().removeprefix("Usage: "),
        summary=command.get_short_help_str(limit=200),
        description=tuple(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph),
        arguments=tuple(arguments),
        options=tuple(options),
        commands=tuple(Entry(name, child.get_short_help_str(limit=200)) for name, child in children.items()),
    )


def markdown(page: CommandPage) -> str:
    """Render a page of the reference."""
    parts = [f"# {page.name}", *map(_escaped, page.description), f"```text\n{page.usage}\n```"]
    if page.commands:
        links = [f"- [`{e.name}`]({page.slug}-{e.name}.md): {_escaped(e.text)}" for e in page.commands]
        parts += ["## Commands", "\n".join(links)]
    for heading, entries in (("Arguments", page.arguments), ("Options", page.options)):
        if entries:
            parts += [f"## {heading}", *(f"`{entry.name}`\n:   {_escaped(entry.text)}" for entry in entries)]
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    """Keep Markdown from reading markup into plain text."""
    for mark in "\\`*_{}[]":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace(">", "&gt;")
