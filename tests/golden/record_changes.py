"""Ask the real daemon anew for every line of ``changes.jsonl`` (see ``test_changes.py``), and write its answers there.

    KVASIR_SOCKET=SOCKET scripts/peer run -- .venv/bin/python -m tests.golden.record_changes

Lines whose answer is not yet known may leave it out: {"of": "disk-more-07", "at": "/domain/devices/disk", "remove": "source"}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from . import harness
from .test_changes import answer, changed

ASK = """
import json, libvirt, sys
libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open(f"qemu+unix:///system?socket={sys.argv[1]}")
for text in json.load(sys.stdin):
    try:
        domain = connection.defineXML(text)
        said = {"document": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)}
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
    except libvirt.libvirtError as error:
        said = {"error": f"{error.get_error_code()} {error.get_error_domain()} {error.get_error_message()}"}
    print(json.dumps(said))
"""


def main() -> int:
    path = harness.HERE / "changes.jsonl"
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    words = json.dumps([changed(line) for line in lines])
    command = ["/usr/bin/python3", "-c", ASK, os.environ["KVASIR_SOCKET"]]
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=True)
    for line, said in zip(lines, map(json.loads, done.stdout.splitlines()), strict=True):
        line.pop("error", None)
        line.pop("diff", None)
        line |= {"diff": answer(line, said["document"])} if "document" in said else said
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
