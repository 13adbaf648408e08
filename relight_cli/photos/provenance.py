"""How a picture was made, recorded in its metadata: the Software tag of EXIF and an entry in the history of XMP.

No time is recorded, so that the same run gives the same bytes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from relight_cli.photos.exif_signature import sign_exif
from relight_cli.photos.fingerprints import with_fingerprint
from relight_cli.photos.metadata import SOFTWARE, Metadata
from relight_cli.photos.shape import with_aspect

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
    options: Mapping[str, object]  # that affect the picture; of files only the names, because folders are private

    def parameters(self) -> str:
        """Return the record as JSON, in ASCII without control characters."""
        facts = {"task": self.task, "model": self.model, "revision": self.revision, "sha256": self.sha256}
        known = {name: fact for name, fact in facts.items() if fact is not None}
        return json.dumps({**known, "options": dict(self.options)}, default=str)

    def record(self) -> str:
        """Return the parameters with a place for the fingerprint, which is known when the pixels are written."""
        return with_fingerprint(self.parameters())


def sign(metadata: Metadata, provenance: Provenance) -> tuple[Metadata, tuple[str, ...]]:
    """Add the Software tag and a history entry, remove the EXIF thumbnail; return notes on what could not be added."""
    notes = []
    try:
        metadata = replace(metadata, exif=sign_exif(metadata.exif, SOFTWARE))
    except ValueError as error:
        notes.append(f"the Software tag cannot be added to its EXIF data: {error}")
    xmp = with_history(metadata.xmp, provenance)
    if xmp is None:
        notes.append("the history entry cannot be added to its XMP data")
    texts = tuple(text for text in metadata.extras.texts if not text[1].startswith(b"Software\0"))  # EXIF names ours
    return replace(metadata, xmp=xmp or metadata.xmp, extras=replace(metadata.extras, texts=texts)), tuple(notes)


def strip_metadata(metadata: Metadata) -> Metadata:
    """Return only the colour profile, which the colours need, and the shape of the picture."""
    return Metadata(icc=metadata.icc, shape=with_aspect(metadata), colour=metadata.colour)


def with_history(xmp: bytes | None, provenance: Provenance) -> bytes | None:
    """Add an entry to xmpMM:History of an XMP packet, or of a new one; return None if it cannot be added.

    All other bytes stay (XMP, ISO 16684-1; ResourceEvent is in part 2 of Adobe's specification, section 1.2.3).
    """
    packet = xmp or _EMPTY
    entry = (
        f'<rdf:li xmlns:rdf="{_RDF}" xmlns:stEvt="{_EVENT}" stEvt:action="edited" stEvt:changed="/" '
        f"stEvt:softwareAgent={quoteattr(SOFTWARE)} stEvt:parameters={quoteattr(provenance.record())}/>"
    ).encode()
    if history_end := _last(_END_OF_HISTORY, packet):
        extended = packet[: history_end.start()] + entry + packet[history_end.start() :]
    elif end := _last(_END, packet):
        about = _ABOUT.search(packet)
        description = b'<rdf:Description xmlns:rdf="%b" xmlns:xmpMM="%b" rdf:about=%b><xmpMM:History><rdf:Seq>%b' % (
            _RDF.encode(),
            _XMP_MM.encode(),
            about[1] if about else b'""',
            entry,
        )
        description += b"</rdf:Seq></xmpMM:History></rdf:Description>\n"
        extended = packet[: end.start()] + description + packet[end.start() :]
    else:
        return None
    return extended if _has_entry(extended, provenance) else None


def history(xmp: bytes) -> list[dict[str, str]]:
    """Return the entries of xmpMM:History, oldest first; an empty list if the packet cannot be read."""
    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:
        return []  # XMP has neither, and entities can expand without limit
    try:
        root = ElementTree.fromstring(xmp.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return []
    found = root.findall(f".//{{{_XMP_MM}}}History")
    entries = found[0].findall(f"{{{_RDF}}}Seq/{{{_RDF}}}li") if len(found) == 1 else []
    return [{name.removeprefix(f"{{{_EVENT}}}"): value for name, value in entry.attrib.items()} for entry in entries]


def _has_entry(xmp: bytes, provenance: Provenance) -> bool:
    return any(entry.get("parameters") == provenance.record() for entry in history(xmp)[-1:])


def _last(pattern: re.Pattern[bytes], data: bytes) -> re.Match[bytes] | None:
    found = None
    for found in pattern.finditer(data):  # noqa: B007  only the last is returned
        pass
    return found
