"""Record with the real daemon's Python bindings what ``record.py`` does with virsh, and the codes of its refusals.

    scripts/peer run -- python3 tests/golden/record_codes.py SOCKET FILE.xml ...

For each document: NAME.out.xml and NAME.args, or NAME.error (its words) and NAME.code ("code domain"). A document whose
completed form differs from one definition to the next (made-up identities) is not recorded. Network cards with settings of
their own have no NAME.args worth keeping: domxml-to-native makes them anew as plain tap cards.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def completed(connection: Any, text: str, form: int) -> str:
    domain = connection.defineXML(text)
    try:
        document: str = domain.XMLDesc(form)
        return document
    finally:
        domain.undefine()


def record(connection: Any, libvirt: Any, path: Path) -> str:
    """Record one document; returns a word for the screen."""
    text = path.read_text()
    form = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE
    targets = {kind: path.with_name(f"{path.stem}.{kind}") for kind in ("out.xml", "args", "error", "code")}
    try:
        document = completed(connection, text, form)
    except libvirt.libvirtError as error:
        for kind in ("out.xml", "args"):
            targets[kind].unlink(missing_ok=True)
        targets["error"].write_text(f"error: {error.get_error_message().rstrip()}\n")
        targets["code"].write_text(f"{error.get_error_code()} {error.get_error_domain()}\n")
        return "refused"
    if completed(connection, text, form) != document:
        return "not recorded: differs each time"
    for kind in ("error", "code"):
        targets[kind].unlink(missing_ok=True)
    targets["out.xml"].write_text(document + "\n")
    if "<interface" in text and not targets["args"].exists():
        return "recorded, no command line"
    try:
        targets["args"].write_text(connection.domainXMLToNative("qemu-argv", document))
    except libvirt.libvirtError:
        targets["args"].unlink(missing_ok=True)
        return "recorded, no command line"
    return "recorded"


def main() -> int:
    import libvirt  # type: ignore[import-not-found]  # one of the peers

    libvirt.registerErrorHandler(lambda context, error: None, None)
    connection = libvirt.open(f"qemu+unix:///system?socket={sys.argv[1]}")
    for name in sys.argv[2:]:
        print(f"{Path(name).stem}: {record(connection, libvirt, Path(name))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
