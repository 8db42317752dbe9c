"""A small driver for tests: its own root, guests that are a QEMU without devices (-M none or a hand-made command line)."""

from __future__ import annotations

import shutil
from typing import Any

from kvasir.daemon.config import load_qemu
from kvasir.daemon.paths import Paths
from kvasir.qemu import admit, commandline, live
from kvasir.qemu.driver import QemuDriver

CAPS: dict[str, Any] = {}
"""One probe of the emulators serves all drivers of a test run."""
QEMU = shutil.which("qemu-system-x86_64") or ""


def argv(vm: Any, *more: str) -> list[str]:
    domain = vm.domain
    fd = vm.fd("monitor")
    line = [QEMU, "-name", f"guest={domain.name},debug-threads=on", "-S", "-uuid", str(domain.uuid)]
    line += [
        "-M",
        "pc",
        "-accel",
        "tcg",
        "-m",
        "16",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-shutdown",
    ]
    line += [
        "-chardev",
        f"socket,id=charmonitor,fd={fd},server=on,wait=off",
        "-mon",
        "chardev=charmonitor,mode=control",
    ]
    return [*line, *more]


def xml(name: str, uuid: str = "", more: str = "") -> str:
    return (
        f"<domain type='qemu'>\n  <name>{name}</name>\n{f'  <uuid>{uuid}</uuid>' if uuid else ''}\n"
        "  <memory unit='KiB'>16384</memory>\n  <vcpu>1</vcpu>\n"
        f"  <os><type arch='x86_64' machine='pc'>hvm</type></os>{more}\n</domain>\n"
    )


def patch(monkeypatch: Any, *more: str) -> None:
    """Stand in for the builder of command lines: a QEMU without devices."""

    async def from_user(driver: Any, text: str, *, validate: bool = False) -> Any:
        import uuid as uuids

        from kvasir.model.domain import Domain

        domain = Domain.from_xml(text)
        admit.check_name(domain.name)
        domain.uuid = domain.uuid or str(uuids.uuid4())
        return domain

    async def prepare(guest: Any, domain: Any, vm: Any) -> None:
        return None

    monkeypatch.setattr(admit, "from_user", from_user)
    monkeypatch.setattr(live, "prepare", prepare)
    monkeypatch.setattr(commandline, "arguments", lambda vm: [])
    monkeypatch.setattr(commandline, "words", lambda vm, args: argv(vm, *more))


async def make(root: str) -> tuple[QemuDriver, list[Any]]:
    """A started driver and the list that its events go to."""
    driver = QemuDriver(Paths.system(root), load_qemu(f"{root}/qemu.conf"))
    driver.caps = CAPS.setdefault("caps", driver.caps)
    seen: list[Any] = []
    driver.bus.subscribe(seen.append)
    await driver.start()
    return driver, seen


def lifecycle(seen: list[Any]) -> list[tuple[str, int, int]]:
    from kvasir.events import Lifecycle

    return [(e.dom.name, e.event, e.detail) for e in seen if isinstance(e, Lifecycle)]
