"""domdisplay and vncdisplay with all their options: the same bytes by both virsh on both daemons."""

from __future__ import annotations

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh import cells

DEVICES = {
    "both": "<graphics type='vnc' port='16123' autoport='no' passwd='vncword' listen='127.0.0.1'/>"
    "<graphics type='spice' port='16124' autoport='no' passwd='spiceword' listen='127.0.0.1'/>",
    "wide": "<graphics type='vnc' port='16125' autoport='no' listen='0.0.0.0' websocket='16126'/>",
    "six": "<graphics type='vnc' port='16127' autoport='no' listen='::1'/>",
    "socket": "<graphics type='vnc' socket='{folder}/vnc.sock' passwd='vncword'/>",
    "spicesocket": "<graphics type='spice'><listen type='socket' socket='{folder}/spice.sock'/></graphics>",
    "silent": "<graphics type='vnc'><listen type='none'/></graphics>",
    "blind": "",
}
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>"""
OPTIONS = ("", "--all", "--type vnc", "--type spice", "--type rdp", "--type dbus", "--include-password",
           "--all --include-password", "--type spice --include-password")  # fmt: skip
SCRIPT = "".join(f"define {{folder}}/{name}.xml\ndomdisplay {name}\nstart {name}\n" for name in DEVICES)
SCRIPT += "".join(f"domdisplay {name} {option}\n" for name in DEVICES for option in OPTIONS)
SCRIPT += "".join(f"vncdisplay {name}\n" for name in DEVICES)
SCRIPT += "".join(f"destroy {name}\nundefine {name}\n" for name in DEVICES)


@pytest.mark.guide("virsh-domdisplay", "virsh-vncdisplay")
def test_where_displays_are(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    def prepare(daemon: DaemonHandle) -> None:
        daemon.folder.chmod(0o777)  # QEMU makes its sockets there
        for name, devices in DEVICES.items():
            text = GUEST.format(name=name, devices=devices.replace("{folder}", str(daemon.folder)))
            (daemon.folder / f"{name}.xml").write_text(text)

    said = dict(cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), SCRIPT, prepare=prepare))
    assert "vnc://:vncword@127.0.0.1:10223" in said["domdisplay both --include-password"]
    assert "spice://127.0.0.1:16124?password=spiceword" in said["domdisplay both --type spice --include-password"]
    assert "vnc+unix://" in said["domdisplay socket "]
    assert "No graphical display" in said["domdisplay blind "]
