"""Hooks of mkdocs: pages and pictures that stand outside docs/, the command reference, and diagrams.

The Markdown files in docs/ can be read as they are; their links lead to the files of the repository. The site holds
copies of these files, so the links are rewritten.
"""

import re
from pathlib import Path
from typing import Any

import mermaidx
from command_pages import command_pages, markdown
from container_tables import with_container_tables
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
COPIED = {  # a file of the repository, and the page that it becomes
    "benchmarks/README.md": "benchmarks.md",
    "relight_cli/training/README.md": "training-tiny.md",
    "integrations/blender/README.md": "blender.md",
    "integrations/comfyui/README.md": "comfyui.md",
    "integrations/darktable/README.md": "darktable.md",
    "CHANGELOG.md": "changelog.md",
}
MERMAID = re.compile(r"^```mermaid\n(.+?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^\[[^]]+\]\(\.\./README\.md#([\w-]+)\)$", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the reference, the copied pages and the example pictures."""
    pages = {f"reference/{page.slug}.md": markdown(page) for page in command_pages()}
    pages |= {page: (ROOT / path).read_text(encoding="utf-8") for path, page in COPIED.items()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for path in sorted((ROOT / "examples").glob("*.[jp][pn]g")):
        files.append(File.generated(config, f"examples/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(text: str, **_: Any) -> str:
    """Lead links to the copies, draw diagrams, put tables and sections of the README in."""
    text = with_container_tables(SECTION.sub(lambda link: readme_section(link[1]), text))
    text = text.replace("](../../", "](../").replace("](../examples/", "](examples/").replace("](../docs/", "](")
    for path, page in COPIED.items():
        text = text.replace(f"](../{path}", f"]({page}")
    return MERMAID.sub(lambda found: svg(found[1]), text)


def readme_section(anchor: str) -> str:
    """Return a section of the README without its heading, its links as from docs/."""
    sections = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")
    found = next(s for s in sections if s.partition("\n")[0].lower().replace(" ", "-") == anchor)
    return found.partition("\n")[2].strip().replace("](docs/", "](")


def svg(diagram: str) -> str:
    """Draw a Mermaid diagram without a browser and without the network."""
    return f'<figure style="width: 100%">{mermaidx.render(diagram).svg()}</figure>\n'
