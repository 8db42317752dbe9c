"""domiftune, domif-setlink and domif-getlink in four cells; limits in the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DaemonHandle
from tests.virsh.cells import four

from .conftest import NetDaemon

GUEST = """<domain type='qemu'><name>tuned</name><uuid>7b0a57c5-9a0e-4d0c-8f6e-3c1d5a2b9e12</uuid><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:60:00:01'/><source network='limits'/><model type='virtio'/>
<bandwidth><inbound average='100' peak='200' burst='64'/></bandwidth></interface>
<interface type='user'><mac address='52:54:00:60:00:02'/></interface></devices></domain>"""
SCRIPT = """
define {folder}/tuned.xml
domiftune tuned 52:54:00:60:00:01
domiftune tuned vnet9
domiftune tuned 52:54:00:60:00:09
domiftune tuned 52:54:00:60:00:01 --inbound 1000,2000,128 --outbound 50
domiftune tuned 52:54:00:60:00:01 --config
domiftune tuned 52:54:00:60:00:01 --live
domiftune tuned 52:54:00:60:00:01 --inbound 0 --config
domiftune tuned 52:54:00:60:00:01
domiftune tuned 52:54:00:60:00:01 --inbound 10,,3 --config
domiftune tuned 52:54:00:60:00:01 --outbound 0 --config
domiftune tuned 52:54:00:60:00:01 --inbound 0,5
domiftune tuned 52:54:00:60:00:01 --inbound a
domiftune tuned 52:54:00:60:00:01 --inbound 1,2,3,4,5
domiftune tuned 52:54:00:60:00:01 --outbound 1,2,3,4
domiftune tuned 52:54:00:60:00:01 --outbound 0,1
domiftune tuned 52:54:00:60:00:02 --inbound 77 --config
dumpxml tuned --inactive
domif-getlink tuned 52:54:00:60:00:01
domif-getlink tuned 52:54:00:60:00:01 --config
domif-setlink tuned 52:54:00:60:00:01 down --config
domif-getlink tuned 52:54:00:60:00:01 --config
domif-setlink tuned 52:54:00:60:00:01 sideways
domif-setlink tuned 52:54:00:60:00:09 up
domif-getlink tuned vnet9
domiflist tuned
domiflist tuned --inactive
domifstat tuned vnet0
undefine tuned
"""


def prepare(daemon: DaemonHandle) -> None:
    daemon.virsh("undefine", "tuned")
    (Path(daemon.folder) / "tuned.xml").write_text(GUEST)


@pytest.mark.guide(
    *("virsh-domiftune", "virsh-domiftune-opt-inbound", "virsh-domiftune-opt-outbound", "virsh-domiftune-opt-config"),
    *(
        "virsh-domiftune-opt-live",
        "virsh-domiftune-opt-current",
        "virsh-domif-setlink-opt-config",
        "virsh-domif-getlink",
    ),
    *(
        "virsh-domif-getlink-opt-config",
        "virsh-domif-setlink-arg-interface",
        "virsh-domiflist-opt-inactive",
        "virsh-domiflist",
    ),
)
def test_commands_of_cards(netd: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    four((("libvirtd", real_libvirtd), ("kvasird", netd)), SCRIPT, prepare=prepare)
