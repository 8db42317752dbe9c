"""Record what the real daemon makes of the guide's pieces (``figures.py``), into ``figures.json``.

    scripts/peer run -- python3 tests/golden/record_figures.py SOCKET

The documents come on standard input as JSON {key: [kind, document]}; the answers leave on standard output.
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
    for key, (kind, text) in json.load(sys.stdin).items():
        try:
            made = connection.defineXML(text) if kind == "domain" else connection.storagePoolDefineXML(text)
        except libvirt.libvirtError as error:
            words = str(error.get_error_message()).rstrip()
            found[key] = {"error": words, "code": [error.get_error_code(), error.get_error_domain()]}
            continue
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
        found[key] = {"document": made.XMLDesc(flags if kind == "domain" else libvirt.VIR_STORAGE_XML_INACTIVE)}
        made.undefine()
        if kind == "domain":
            try:
                connection.defineXML(found[key]["document"]).undefine()
            except libvirt.libvirtError as error:  # libvirt 9.0 refuses what it wrote itself
                words = str(error.get_error_message()).rstrip()
                found[key]["again"] = {"error": words, "code": [error.get_error_code(), error.get_error_domain()]}
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
