"""What the page says, as HTML in which all text is text."""

import html


def said(text: str, *, bad: bool = False, notes: list[str] | None = None) -> str:
    """Return a message as HTML in which all text is text."""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes or [])
    word = f'<span class="{"bad" if bad else ""}">{html.escape(text)}</span>'
    return f'<div role="status" aria-live="polite">{word}{f"<ul>{items}</ul>" if items else ""}</div>'


def progress_bar(text: str, share: float) -> str:
    """Return a message with a bar, of which a share in [0, 1] is done."""
    bar = f'<progress max="1" value="{share:.3f}" aria-label="Progress"></progress>'
    return f'<div role="status" aria-live="off">{html.escape(text)}{bar}</div>'
