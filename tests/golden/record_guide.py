"""Record what the real daemon makes of the pieces in ``guide_cases.py``, into ``guide.json``.

    scripts/peer run -- python3 tests/golden/record_guide.py SOCKET     (run beside the project's own lxml: see below)

The documents come on standard input as JSON {key: document}; the answers leave on standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    import libvirt  # type: ignore[import-not-found]  # of the peers

    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    connection = libvirt.open(f"qemu+unix:///system?socket={sys.argv[1]}")
    found: dict[str, Any] = {}
    for key, text in json.load(sys.stdin).items():
        try:
            domain = connection.defineXML(text)
        except libvirt.libvirtError as error:
            words = str(error.get_error_message()).rstrip()
            found[key] = {"error": words, "code": [error.get_error_code(), error.get_error_domain()]}
            continue
        document = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)
        domain.undefine()
        answer: dict[str, Any] = {"document": document}
        try:
            answer["args"] = connection.domainXMLToNative("qemu-argv", document)
        except libvirt.libvirtError as error:
            answer["no_args"] = str(error.get_error_message()).rstrip()
        found[key] = answer
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
