"""Ports of Open vSwitch and their limits, through ``ovs-vsctl``, with the calls that libvirt makes. Everything blocks."""

from __future__ import annotations

import logging
import subprocess
from typing import Any

from kvasir.errors import InternalError, Origin

from .tc import need_root

log = logging.getLogger(__name__)
TIMEOUT = 5
"""Seconds that the switch's daemon has to answer."""
BIT = 8000
BURST = 8192
"""The switch counts bits: of a KiB a second as of a thousand octets, of a burst's KiB as of 1024."""
Limit = tuple[int | None, int | None, int | None]


def _run(words: list[str], failed: str) -> str:
    command = ["ovs-vsctl", f"--timeout={TIMEOUT}", *words]
    hint = ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT + 10)
        if not done.returncode:
            return done.stdout
        why = done.stderr.strip()
    except FileNotFoundError:
        why, hint = "there is no ovs-vsctl", "apt-get install openvswitch-switch"
    except subprocess.TimeoutExpired:
        why = "ovs-vsctl does not answer"
    log.error("%s: %s", failed, why)
    raise InternalError(failed, origin=Origin.NONE, hint=hint or why)


def add_port(bridge: str, name: str, mac: str, guest_uuid: str, port: Any, vlan: Any) -> None:
    """Plug a tap into a switch, or say again what a port of it is. Raises InternalError."""
    ids = [("attached-mac", mac), ("iface-id", port.interfaceid), ("vm-id", guest_uuid)]
    if port.profileid:
        ids += [("port-profile", port.profileid), ("ifname", name)]
    words = ["--", "--may-exist", "add-port", bridge, name, *_vlan(vlan)]
    for key, value in ids:
        words += ["--", "set", "Interface", name, f'external-ids:{key}="{value}"']
    words += ["--", "set", "Interface", name, "external-ids:iface-status=active"]
    _run(words, f"Unable to add port {name} to OVS bridge {bridge}")


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


def change_vlan(name: str, vlan: Any) -> None:
    """Other tags for a port; None takes them off. Raises InternalError."""
    words = []
    for column in ("tag", "trunk", "vlan_mode"):
        words += ["--", "--if-exists", "clear", "Port", name, column]
    if vlan is not None:
        words += ["--", "--if-exists", "set", "Port", name, *_vlan(vlan)]
    _run(words, f"Unable to set vlan configuration on port {name}")


def remove_port(name: str) -> None:
    """Unplug it. Raises InternalError."""
    _run(["--", "--if-exists", "del-port", name], f"Unable to delete port {name} from OVS")


# --- limits


def shape(name: str, guest_uuid: str, sent: Limit | None, received: Limit | None) -> None:
    """Limit what the switch sends to the port (a queue of linux-htb) and takes from it (policing); None takes a limit off.

    Rates are in KiB a second, bursts in KiB. Raises InternalError.
    """
    need_root()
    marks = [f'external-ids:vm-id="{guest_uuid}"', f'external-ids:ifname="{name}"']
    if sent is not None and sent[0]:
        _send(name, marks, sent)
    else:
        _send_freely(name, marks)
    _receive(name, received)


def _find(name: str, marks: list[str]) -> tuple[list[str], list[str]]:
    """The queues and the qos rows that were made for the port."""
    tables = ("queue", "qos")
    queue, qos = (_run(["--no-heading", "--columns=_uuid", "find", table, *marks], f"Unable to find {table} on port {name}").split()
                  for table in tables)  # fmt: skip
    return queue, qos


def _send(name: str, marks: list[str], limit: Limit) -> None:
    average, peak, burst = limit
    rates = [f"other_config:min-rate={(average or 0) * BIT}"]
    rates += [f"other_config:burst={burst * BURST}"] if burst else []
    rates += [f"other_config:max-rate={peak * BIT}"] if peak else []
    queue, qos = _find(name, marks)
    failed = f"Unable to set queue configuration on port {name}"
    if queue:
        _run(["set", "queue", queue[0], *rates, *marks], failed)
    if qos:
        _run(["set", "qos", qos[0], *rates, *marks], f"Unable to set qos configuration on port {name}")
    if not queue and not qos:
        _run(["set", "port", name, "qos=@qos1", *marks,
              "--", "--id=@qos1", "create", "qos", "type=linux-htb", *rates, "queues:0=@queue0", *marks,
              "--", "--id=@queue0", "create", "queue", *rates, *marks], failed)  # fmt: skip


def _send_freely(name: str, marks: list[str]) -> None:
    failed = f"Unable to remove qos configuration on port {name}"
    queue, qos = _find(name, marks)
    for one in qos:
        words = ["--no-heading", "--columns=_uuid", "--if-exists", "list", "port", name, "qos"]
        if _run(words, failed).strip():
            _run(["remove", "port", name, "qos", one], failed)
        _run(["destroy", "qos", one], failed)
    for one in queue:
        _run(["destroy", "queue", one], failed)


def _receive(name: str, limit: Limit | None) -> None:
    average, _, burst = limit if limit is not None else (0, 0, 0)
    words = ["set", "Interface", name, f"ingress_policing_rate={(average or 0) * 8}"]
    if burst or not average:
        words.append(f"ingress_policing_burst={(burst or 0) * 8}")
    _run(words, f"Unable to set policing of port {name}")
