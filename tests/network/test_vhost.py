"""vhost-net: the kernel moves the packets of KVM guests' virtio cards where it is there. The device is a stand-in: no KVM here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kvasir.devices import interface_host, interface_qemu
from kvasir.errors import Error
from kvasir.qemu import define
from tests.golden.harness import complete

GUEST = """<domain type='{virt}'><name>v</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<interface type='bridge'><source bridge='br0'/><model type='{model}'/>{driver}<backend vhost='{path}'/></interface></devices></domain>"""


class Host:
    """Takes the descriptors as a start does."""

    def __init__(self, vm: Any) -> None:
        self.vm = vm

    def pass_fd(self, name: str, fd: int) -> int:
        self.vm.fds[name] = fd
        return fd


def backend(virt: str = "kvm", model: str = "virtio", driver: str = "", path: str = "/dev/null") -> dict[str, Any]:
    vm = complete(GUEST.format(virt=virt, model=model, driver=driver, path=path))
    asyncio.run(define.prepare_live(vm.domain, vm))
    net = vm.domain.interfaces[0]
    vm.fds["net0"] = 30
    interface_host._vhost(net, Host(vm), 1)
    (arg,) = interface_qemu.backend(net, vm)
    props: dict[str, Any] = arg.props
    return props


@pytest.mark.guide("net-vhost-default-on")
def test_default_is_on_for_virtio_under_kvm() -> None:
    assert backend()["vhost"] is True and "vhostfd" in backend()
    assert "vhost" not in backend(model="e1000") and "vhost" not in backend(virt="qemu")
    assert "vhost" not in backend(path="/nonexistent/vhost-net"), "without the module QEMU does it"


@pytest.mark.guide("xml-interface-driver-qemu", "trouble-dhcp-checksum-fix")
def test_driver_name_decides() -> None:
    assert "vhost" not in backend(driver="<driver name='qemu'/>")
    assert backend(driver="<driver name='vhost'/>")["vhost"] is True
    with pytest.raises(Error) as caught:
        backend(driver="<driver name='vhost'/>", path="/nonexistent/vhost-net")
    assert "vhost-net was requested for an interface, but is unavailable" in caught.value.message
