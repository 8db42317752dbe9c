"""Ports of Open vSwitch, through ``ovs-vsctl``."""

from __future__ import annotations

import subprocess
from typing import Any

from kvasir.errors import InternalError, Origin

TIMEOUT = 5
"""Seconds that the switch's daemon has to answer."""


def _run(*words: str) -> None:
    command = ["ovs-vsctl", f"--timeout={TIMEOUT}", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT + 10)
    except FileNotFoundError:
        raise InternalError("Cannot find 'ovs-vsctl' in path: No such file or directory", origin=Origin.NONE,
                            hint="apt-get install openvswitch-switch") from None  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InternalError("ovs-vsctl does not answer", origin=Origin.NONE) from None
    if done.returncode:
        raise InternalError(f"Child process ({' '.join(command)}) unexpected exit status {done.returncode}: {done.stderr}",
                            origin=Origin.NONE)  # fmt: skip


def add_port(bridge: str, name: str, mac: str, guest_uuid: str, port: Any, vlan: Any) -> None:
    """Plug a tap into a switch. Raises InternalError with the tool's words."""
    words = ["--", "--if-exists", "del-port", name, "--", "add-port", bridge, name, *_vlan(vlan)]
    ids = [("attached-mac", mac), ("iface-id", port.interfaceid), ("vm-id", guest_uuid), ("iface-status", "active")]
    if port.profileid:
        ids.insert(3, ("port-profile", port.profileid))
    for key, value in ids:
        words += ["--", "set", "Interface", name, f'external-ids:{key}="{value}"' if key != "iface-status" else
                  f"external-ids:{key}={value}"]  # fmt: skip
    _run(*words)


def _vlan(vlan: Any) -> list[str]:
    if vlan is None:
        return []
    native = next((tag for tag in vlan.tags if tag.native), None)
    words = []
    if native is not None:
        words += [f"vlan_mode=native-{native.native}", f"tag={native.id}"]
    if vlan.trunk or len(vlan.tags) > 1:
        words.append("trunk=" + ",".join(str(tag.id) for tag in vlan.tags))
    elif native is None:
        words.append(f"tag={vlan.tags[0].id}")
    return words


def remove_port(name: str) -> None:
    """Unplug it. Raises InternalError."""
    _run("--", "--if-exists", "del-port", name)
