"""Documents and rules of the corpus beside what the real daemon made of them (``record.py``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nwfilter import corpus
from tests.nwfilter.place import Place

NO_NEGATION = "libvirt forgets match='no' of ports, the guide negates every attribute but masks"
DIFFERENT: dict[str, str] = {
    "igmp-ipv6-some": "libvirt does not know igmp-ipv6 and makes a rule without a protocol of it",
    "in-stp": "libvirt gives the chain stp no priority; the guide's table 17.1 says -810",
    "with-chains": "the same",
    "vlan-all": "libvirt gives ebtables the encapsulated protocol in decimal, which ebtables-nft reads as hexadecimal",
    "stp-all": "rules of BPDUs go to nftables, see nwfilter/nftables.py",
    "stp-inout": "the same",
    **{f"{name}-not": NO_NEGATION for name in ("tcp", "udp", "sctp")},
}
"""Filters whose document or rules differ on purpose: why."""


@pytest.fixture(scope="module")
def defined(place: Place) -> Place:
    place.inside("ip", "tuntap", "add", "dev", corpus.PORT, "mode", "tap")
    for name in corpus.needed():
        place.say(f"nwfilter-define {corpus.FILTERS}/{name}.xml")
    return place


@pytest.mark.parametrize("name", corpus.names())
def test_same_document_and_rules(defined: Place, name: str, tmp_path: Path) -> None:
    shown, rules = corpus.rules(defined.say, lambda: defined.inside("sh", "-c", corpus.SAVE), tmp_path, name)
    if name.startswith("stp-"):
        assert rules == []
    elif name in DIFFERENT:
        assert rules and "error" not in rules[0]
    else:
        assert shown == (corpus.FILTERS / f"{name}.shown").read_text()
        assert rules == (corpus.FILTERS / f"{name}.rules").read_text().splitlines()
