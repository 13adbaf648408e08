"""The protocols by name, one file each."""

from relight_cli.evaluation.protocol import Protocol
from relight_cli.evaluation.protocols import (
    arap,
    co3d,
    eth3d,
    iiw,
    istd,
    kitti,
    leave_one_out,
    maw,
    mit,
    multishot,
    multishot_pairs,
    nyu,
    sintel,
    srd,
    uiuc,
    wildrelight,
    wsrd,
)

PROTOCOLS: tuple[Protocol, ...] = (  # of each task in the order in which layouts are recognised
    *(module.PROTOCOL for module in (istd, srd, wsrd, uiuc, multishot)),
    *(iiw.PROTOCOL, iiw.TEST),
    *(module.PROTOCOL for module in (mit, sintel, arap, maw)),
    *(multishot_pairs.PROTOCOL, wildrelight.PROTOCOL, leave_one_out.PROTOCOL),
    *(module.PROTOCOL for module in (kitti, eth3d, nyu, co3d)),
)


def protocols_of(task: str) -> dict[str, Protocol]:
    """Return the protocols of a task by name."""
    return {protocol.name: protocol for protocol in PROTOCOLS if protocol.task == task}
