"""The default network, made once: at the first start of a system's daemon that has never had networks."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import uuid
from typing import Any

from kvasir.host.files import banner, write_file
from kvasir.model import network_check

TEMPLATE = """\
<network>
  <name>default</name>
  <uuid>{uuid}</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='{mac}'/>
  <ip address='192.168.{number}.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.{number}.2' end='192.168.{number}.254'/>
    </dhcp>
  </ip>
</network>
"""


def free_number() -> int:
    """The third number of a network 192.168.N.0/24 that the host does not use, 122 where it can be."""
    from kvasir.host import netlink

    taken: list[Any] = []
    with contextlib.suppress(OSError):
        taken = [route.network for route in netlink.routes() if route.network.prefixlen]
    numbers: list[int] = [*range(122, 255), *range(1, 122)]
    for number in numbers:
        wanted: Any = ipaddress.ip_network(f"192.168.{number}.0/24")
        if any(wanted.overlaps(network) for network in taken):
            continue
        return number
    return 122


def default_network(files: Any) -> None:
    """Define the network ``default`` where the folder of networks does not exist yet."""
    if os.path.isdir(files.etc):
        return
    text = TEMPLATE.format(uuid=uuid.uuid4(), mac=network_check.random_mac(), number=free_number())
    write_file(files.config("default"), banner("virsh net-edit default") + text)
