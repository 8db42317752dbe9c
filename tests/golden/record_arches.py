"""Record what the real libvirt 9.0 makes of documents of other architectures, into ``arches.json``.

    python -m tests.golden.record_arches SOCKET [FILE.xml ...]

SOCKET is that of a libvirtd which was started beside the emulators:

    scripts/peers .cache/peers-of/arches --with qemu-system-arm qemu-system-ppc qemu-system-misc qemu-efi-aarch64
    KVASIR_PEERS=.cache/peers-of/arches scripts/peer libvirtd --dir D --background

Documents given are added by their guest's name; without any, those that are there are recorded anew.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import kvasir.client as libvirt

FILE = Path(__file__).with_name("arches.json")


def record(connection: Any, text: str) -> dict[str, str]:
    """The document with what became of it: ``out`` and ``again``, ``args``, or ``error``."""
    found = {"document": text}
    full = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    try:
        domain = connection.defineXML(text)
    except libvirt.libvirtError as error:
        return found | {"error": error.get_error_message()}
    found["out"] = domain.XMLDesc(full)
    domain = connection.defineXML(found["out"])
    again = domain.XMLDesc(full)
    if again != found["out"]:
        found["again"] = again
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    try:
        found["args"] = connection.domainXMLToNative("qemu-argv", text, 0)
    except libvirt.libvirtError as error:
        found["args_error"] = error.get_error_message()
    return found


def main() -> int:
    connection = libvirt.open(f"qemu+unix:///system?socket={sys.argv[1]}")
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    given = [Path(name).read_text() for name in sys.argv[2:]]
    for text in given or [case["document"] for case in known.values()]:
        named = re.search("<name>(.*)</name>", text)
        assert named, text
        known[named[1]] = record(connection, text)
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
