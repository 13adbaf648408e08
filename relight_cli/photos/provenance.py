"""How a picture was made, said in its own metadata: the Software tag of EXIF and an entry in the history of XMP.

No time is noted, so that the same work gives the same bytes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from relight_cli.photos.exif_signature import sign_exif
from relight_cli.photos.metadata import SOFTWARE, Metadata

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XMP_MM = "http://ns.adobe.com/xap/1.0/mm/"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">\n</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
).encode()
_END_OF_HISTORY = re.compile(rb"</(?:[\w.-]+:)?Seq\s*>\s*</(?:[\w.-]+:)?History\s*>")
_END = re.compile(rb"</(?:[\w.-]+:)?RDF\s*>")
_ABOUT = re.compile(rb"[\w.-]+:about\s*=\s*(\"[^\"]*\"|'[^']*')")


@dataclass(frozen=True)
class Provenance:
    """How a picture was made."""

    task: str  # "relit", "deshadowed" ...
    model: str
    revision: str | None
    sha256: str | None  # of the model's file
    options: Mapping[str, object]  # those that shape the picture; of files only the names, for folders are private

    def parameters(self) -> str:
        """Give it as JSON, in ASCII without control characters."""
        facts = {"task": self.task, "model": self.model, "revision": self.revision, "sha256": self.sha256}
        known = {name: fact for name, fact in facts.items() if fact is not None}
        return json.dumps({**known, "options": dict(self.options)}, default=str)


def sign(metadata: Metadata, made: Provenance) -> tuple[Metadata, tuple[str, ...]]:
    """Add the Software tag and the history entry, and take the EXIF thumbnail out; note what could not be added."""
    notes = []
    try:
        metadata = replace(metadata, exif=sign_exif(metadata.exif, SOFTWARE))
    except ValueError as error:
        notes.append(f"its EXIF takes no Software tag: {error}")
    xmp = with_history(metadata.xmp, made)
    if xmp is None:
        notes.append("its XMP takes no history entry")
    return replace(metadata, xmp=xmp or metadata.xmp), tuple(notes)


def strip_metadata(metadata: Metadata) -> Metadata:
    """Leave the profile alone, which the colours need."""
    return Metadata(icc=metadata.icc)


def with_history(xmp: bytes | None, made: Provenance) -> bytes | None:
    """Add an entry to xmpMM:History of an XMP packet or of a new one; None where the packet takes none.

    All other bytes stay (XMP, ISO 16684-1; ResourceEvent is of part 2 of Adobe's specification, section 1.2.3).
    """
    packet = xmp or _EMPTY
    entry = (
        f'<rdf:li xmlns:rdf="{_RDF}" xmlns:stEvt="{_EVENT}" stEvt:action="edited" stEvt:changed="/" '
        f"stEvt:softwareAgent={quoteattr(SOFTWARE)} stEvt:parameters={quoteattr(made.parameters())}/>"
    ).encode()
    if begun := _last(_END_OF_HISTORY, packet):
        grown = packet[: begun.start()] + entry + packet[begun.start() :]
    elif end := _last(_END, packet):
        about = _ABOUT.search(packet)
        described = b'<rdf:Description xmlns:rdf="%b" xmlns:xmpMM="%b" rdf:about=%b><xmpMM:History><rdf:Seq>%b' % (
            _RDF.encode(),
            _XMP_MM.encode(),
            about[1] if about else b'""',
            entry,
        )
        described += b"</rdf:Seq></xmpMM:History></rdf:Description>\n"
        grown = packet[: end.start()] + described + packet[end.start() :]
    else:
        return None
    return grown if _has_entry(grown, made) else None


def history(xmp: bytes) -> list[dict[str, str]]:
    """Read the entries of xmpMM:History, oldest first; none where the packet cannot be read."""
    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:
        return []  # no XMP has them, and entities can grow without end
    try:
        root = ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return []
    found = root.findall(f".//{{{_XMP_MM}}}History")
    entries = found[0].findall(f"{{{_RDF}}}Seq/{{{_RDF}}}li") if len(found) == 1 else []
    return [{name.removeprefix(f"{{{_EVENT}}}"): value for name, value in entry.attrib.items()} for entry in entries]


def _has_entry(xmp: bytes, made: Provenance) -> bool:
    return any(entry.get("parameters") == made.parameters() for entry in history(xmp)[-1:])


def _last(pattern: re.Pattern[bytes], data: bytes) -> re.Match[bytes] | None:
    found = None
    for found in pattern.finditer(data):  # noqa: B007  the last is wanted
        pass
    return found
