"""Record what the real daemon makes of the guests in ``display_cases.py`` under each setting, into ``displays.json``.

python -m tests.golden.record_displays       (minutes: a daemon that refuses its settings is waited for)
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.golden.display_cases import PIECES, REFUSED, SECRET, SETTINGS, document

HERE = Path(__file__).parent
PEER = str(HERE.parents[1] / "scripts/peer")
PASSED_OVER = ('masterKey0","format"', "charmonitor", "memory-backend")
WANTED = ("-vnc", "-spice", "-k", "-display", "-object", "-chardev", "-blockdev")


def reduced(line: str) -> list[str]:
    """What of a command line speaks of displays and TLS; folders of the guest and ciphers taken out."""
    words = shlex.split(line.replace("\\\n", " "))
    found = [word for word in words if word.startswith("SASL_CONF_PATH=")]
    for option, value in itertools.pairwise(words):
        if option not in WANTED or any(word in value for word in PASSED_OVER):
            continue
        value = re.sub(r"(addr=|unix:)[^,]*/domain-[^/]*/", r"\1LIB/", value)
        found.append(f"{option} " + re.sub(r'"(data|iv)":"[^"]*"', r'"\1":""', value))
    return found


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PEER, *words], capture_output=True, text=True)


def start(folder: Path) -> None:
    done = call("libvirtd", "--dir", str(folder), "--background")
    assert done.returncode == 0, done.stderr
    xml = folder / "secret.xml"
    xml.write_text(
        f"<secret ephemeral='no' private='yes'><uuid>{SECRET}</uuid><usage type='tls'><name>t</name></usage></secret>"
    )
    virsh(folder, "secret-define", str(xml))
    virsh(folder, "secret-set-value", SECRET, "--base64", "aHVzaA==")


def virsh(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return call("virsh", "-c", f"qemu+unix:///system?socket={folder}/libvirt-sock", *words)


def settle(folder: Path, text: str) -> tuple[bool, str]:
    """Give the daemon a qemu.conf and start it anew; whether it serves, and what it wrote to its log."""
    log, conf = folder / "libvirtd.log", folder / "qemu.conf"
    size = log.stat().st_size
    conf.write_text(text)
    assert call("exec", "--dir", str(folder), "--", "cp", str(conf), "/etc/libvirt/qemu.conf").returncode == 0
    served = call("restart", "--dir", str(folder)).returncode == 0
    return served, log.read_text()[size:]


def answer(folder: Path, piece: str) -> Any:
    path = folder / "guest.xml"
    path.write_text(document(piece))
    done = virsh(folder, "domxml-to-native", "qemu-argv", str(path))
    return reduced(done.stdout) if done.returncode == 0 else done.stderr.strip().removeprefix("error: ")


def main() -> None:
    found: dict[str, Any] = {"settings": {}, "refused": {}}
    with tempfile.TemporaryDirectory(prefix="kv-rec-") as name:
        folder = Path(name)
        start(folder)
        try:
            for key, text in SETTINGS.items():
                served, log = settle(folder, text)
                assert served, log
                found["settings"][key] = {piece: answer(folder, piece) for piece in PIECES}
            for key, text in REFUSED.items():
                served, log = settle(folder, text)
                lines = re.findall(r"driver failed: (?:configuration file syntax error|internal error|\S+): (.*)", log)
                found["refused"][key] = "" if served else lines[-1] if lines else log[-400:]
                if not served:
                    call("stop", "--dir", str(folder))
                    start(folder)
        finally:
            call("stop", "--dir", str(folder))
    plain = found["settings"]["plain"]
    for key, answers in found["settings"].items():
        if key != "plain":
            found["settings"][key] = {piece: words for piece, words in answers.items() if words != plain[piece]}
    (HERE / "displays.json").write_text(json.dumps(found, indent=0) + "\n")


if __name__ == "__main__":
    main()
