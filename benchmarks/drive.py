"""One measured phase through libvirt-python: ``drive.py URI PHASE NUMBER``; prints seconds, one repetition a line.

Runs with the real library (in the peers' namespace), so that both daemons are driven by the same client. Standalone on
purpose: nothing of the project is imported but, where there is no real library, our client in its place.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

try:
    import libvirt
except ImportError:
    import kvasir.client as libvirt  # type: ignore[no-redef]

FOLDER = "/tmp"
RUNNING = 1


def document(number: int, folder: str) -> str:
    """A guest as virt-install writes it, small enough to have many."""
    mac = f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"
    return f"""<domain type='qemu'>
  <name>bench-{number}</name>
  <uuid>c0ffee00-0000-4000-8000-{number:012x}</uuid>
  <metadata><b:bench xmlns:b='urn:kvasir:bench' number='{number}'/></metadata>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder}/bench-{number}.img'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='user'><mac address='{mac}'/><model type='virtio'/></interface>
    <serial type='pty'/><console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' port='-1' autoport='yes'/><video><model type='vga'/></video>
    <memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>"""


def repeat(times: int, work: Callable[[], object]) -> None:
    """Do it several times and print how long each took."""
    for _ in range(times):
        began = time.monotonic()
        work()
        print(time.monotonic() - began)


def defined(connection: Any, number: int, folder: str) -> None:
    documents = [document(index, folder) for index in range(number)]
    repeat(1, lambda: [connection.defineXML(text) for text in documents])


def undefined(connection: Any, number: int, folder: str) -> None:
    repeat(1, lambda: [domain.undefine() for domain in connection.listAllDomains()])


def listed(connection: Any, number: int, folder: str) -> None:
    def work() -> None:
        assert len(connection.listAllDomains()) >= number

    repeat(15, work)


def dumped(connection: Any, number: int, folder: str) -> None:
    domains = connection.listAllDomains()
    repeat(5, lambda: [domain.XMLDesc() for domain in domains])


def statistics(connection: Any, number: int, folder: str) -> None:
    def work() -> None:
        assert len(connection.getAllDomainStats()) >= number

    repeat(7, work)


def started(connection: Any, number: int, folder: str) -> None:
    for index in range(number):
        with open(f"{folder}/bench-{index}.img", "wb") as image:
            image.truncate(1 << 20)
        domain = connection.lookupByName(f"bench-{index}")
        repeat(1, domain.create)
        assert domain.state()[0] == RUNNING


def destroyed(connection: Any, number: int, folder: str) -> None:
    for index in range(number):
        repeat(1, connection.lookupByName(f"bench-{index}").destroy)


NETWORK = """<network><name>bench-{0}</name><forward mode='nat'/><bridge name='benchbr{0}' stp='on' delay='0'/>
  <ip address='10.66.{0}.1' netmask='255.255.255.0'><dhcp><range start='10.66.{0}.2' end='10.66.{0}.254'/></dhcp></ip></network>"""


def networks_started(connection: Any, number: int, folder: str) -> None:
    """Networks with NAT, DHCP and names, one after the other, beside those that run already."""
    made = [connection.networkDefineXML(NETWORK.format(index)) for index in range(number)]
    for network in made:
        repeat(1, network.create)


def networks_stopped(connection: Any, number: int, folder: str) -> None:
    for index in range(number):
        network = connection.networkLookupByName(f"bench-{index}")
        repeat(1, network.destroy)
        network.undefine()


LINK = "<network><name>bench-link-{0}</name><bridge name='benchfl{0}' stp='off' delay='0'/></network>"
FILTER = """<filter name='bench-filter'><uuid>c0ffee00-0000-4000-8000-00000000f117</uuid>
  <rule action='return' direction='out' priority='100'><ip srcipaddr='$IP'/></rule>
  <rule action='drop' direction='out' priority='200'><ip/></rule>
  <rule action='accept' direction='in'><tcp dstportstart='{0}'/></rule>
  <rule action='accept' direction='out'><udp dstportstart='53'/></rule>
  <rule action='accept' direction='out'><icmp/></rule>
  <rule action='drop' direction='inout' priority='900'><all/></rule></filter>"""
BINDING = """<filterbinding><owner><name>bench</name><uuid>c0ffee00-0000-4000-8000-00000000beef</uuid></owner><portdev name='benchfl{0}'/>
  <mac address='52:54:00:00:01:{0:02x}'/><filterref filter='bench-filter'><parameter name='IP' value='10.67.0.{0}'/></filterref></filterbinding>"""


def filters_bound(connection: Any, number: int, folder: str) -> None:
    """A filter for each of so many interfaces (bridges stand for them), one after the other; then all is taken away."""
    for index in range(number):
        connection.networkCreateXML(LINK.format(index))
    connection.nwfilterDefineXML(FILTER.format(22))
    for index in range(number):
        repeat(1, lambda index=index: connection.nwfilterBindingCreateXML(BINDING.format(index), 0))  # type: ignore[misc]
    filters_gone(connection, number)


def filters_changed(connection: Any, number: int, folder: str) -> None:
    """Other ports in the filter that all of so many interfaces have."""
    connection.nwfilterDefineXML(FILTER.format(22))
    for index in range(number):
        connection.networkCreateXML(LINK.format(index))
        connection.nwfilterBindingCreateXML(BINDING.format(index), 0)
    for port in (23, 24, 25):
        repeat(1, lambda port=port: connection.nwfilterDefineXML(FILTER.format(port)))  # type: ignore[misc]
    filters_gone(connection, number)


def filters_gone(connection: Any, number: int) -> None:
    for binding in connection.listAllNWFilterBindings():
        binding.delete()
    for index in range(number):
        connection.networkLookupByName(f"bench-link-{index}").destroy()
    connection.nwfilterLookupByName("bench-filter").undefine()


def ready(uri: str, number: int) -> None:
    """After a line on standard input: poll until the daemon answers with all guests; prints the moment."""
    print("waiting", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if len(libvirt.open(uri).listAllDomains()) >= number:
                print(time.monotonic())
                return
        except libvirt.libvirtError:
            pass
        time.sleep(0.005)
    raise SystemExit("the daemon did not come back")


PHASES = {
    "define": defined,
    "undefine": undefined,
    "list": listed,
    "dumpxml": dumped,
    "domstats": statistics,
    "start": started,
    "destroy": destroyed,
    "filter-bind": filters_bound,
    "filter-change": filters_changed,
    "net-start": networks_started,
    "net-stop": networks_stopped,
}


def main() -> None:
    uri, phase, number, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    if hasattr(libvirt, "registerErrorHandler"):
        libvirt.registerErrorHandler(lambda *_: None, None)
    if phase == "ready":
        ready(uri, number)
    elif phase.startswith("wire-"):
        import drive_transports  # type: ignore[import-not-found]  # beside this script

        drive_transports.run(uri, phase, number, folder)
    elif phase.startswith("vol-"):
        import drive_storage  # type: ignore[import-not-found]  # beside this script

        drive_storage.PHASES[phase](libvirt.open(uri), number, folder)
    else:
        PHASES[phase](libvirt.open(uri), number, folder)


if __name__ == "__main__":
    main()
