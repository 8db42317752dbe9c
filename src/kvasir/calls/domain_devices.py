"""Devices that come, go and change: in the running guest, in its definition, or in both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest, impact
from kvasir.errors import InternalError
from kvasir.qemu import statusdoc
from kvasir.qemu.hotplug import attach, compatible, config, detach, fragment, update
from kvasir.qemu.hotplug.session import config_vm, live_vm
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

FORCE = 4


@asynccontextmanager
async def _change(found: Any, flags: int) -> AsyncIterator[tuple[bool, Any]]:
    """A guest's job: whether the running guest is meant, and, where the definition is, a copy that replaces it at a good end."""
    async with found.jobs.normal(Kind.MODIFY):
        in_live, in_config = impact(found, flags)
        domain = found.config.copy() if in_config else None
        yield in_live, domain
        if domain is not None:
            await found.driver.rewrite(found, domain)


async def domain_attach_device(session: Session, dom: Any, xml: str) -> None:
    """Plug a device into the running guest."""
    await domain_attach_device_flags(session, dom, xml, LIVE)


async def domain_attach_device_flags(session: Session, dom: Any, xml: str, flags: int) -> None:
    """Add a device to the running guest (1), the definition (2), or both."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainAttachDeviceLiveAndConfig")
    found = guest(session, dom)
    async with _change(found, flags) as (in_live, domain):
        device = await _attach_config(found, domain, xml) if domain is not None else None
        if in_live:
            await _attach_live(found, xml, device)


async def _attach_config(found: Any, domain: Any, xml: str) -> Any:
    vm = await config_vm(found, domain)
    device = fragment.parse(xml, vm, live=False)
    compatible.check(domain, device, None, live=False)
    config.attach(domain, device, vm)
    return device


async def _attach_live(found: Any, xml: str, in_config: Any) -> None:
    vm = await live_vm(found)
    device = fragment.parse(xml, vm, live=True)
    compatible.check_alias(found.live, device)
    compatible.check(found.live, device, None, live=True)
    if in_config is not None and device.TAG == "interface":
        device.mac = in_config.mac
    await attach.attach(found, device, vm)


async def domain_detach_device(session: Session, dom: Any, xml: str) -> None:
    """Unplug a device from the running guest."""
    await domain_detach_device_flags(session, dom, xml, LIVE)


async def domain_detach_device_flags(session: Session, dom: Any, xml: str, flags: int) -> None:
    """Remove a device from the running guest (1), the definition (2), or both."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainDetachDeviceLiveAndConfig")
    found = guest(session, dom)
    async with _change(found, flags) as (in_live, domain):
        if domain is not None:
            vm = await config_vm(found, domain)
            beside = await live_vm(found) if found.active else vm
            config.detach(domain, fragment.parse(xml, beside, live=in_live, checked=False), vm)
        if in_live:
            vm = await live_vm(found)
            await detach.detach(found, fragment.parse(xml, vm, live=True, checked=False))
            statusdoc.save(found)


async def domain_detach_device_alias(session: Session, dom: Any, alias: str, flags: int) -> None:
    """Ask for the removal of the device of an alias; the removal ends by an event."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainDetachDeviceAliasLiveAndConfig")
    found = guest(session, dom)
    async with _change(found, flags) as (in_live, domain):
        if domain is not None:
            vm = await config_vm(found, domain)
            device = detach.by_alias(domain, alias)
            if device is None:
                raise InternalError(f"no device found with alias {alias}")
            config.remove(domain, device, vm)
        if in_live:
            await detach.detach_alias(found, alias)


async def domain_update_device_flags(session: Session, dom: Any, xml: str, flags: int) -> None:
    """Change a device of the running guest (1), the definition (2), or both; 4 forces what the guest holds."""
    check_flags(flags, LIVE | CONFIG | FORCE, "qemuDomainUpdateDeviceFlags")
    found = guest(session, dom)
    async with _change(found, flags & ~FORCE) as (in_live, domain):
        if domain is not None:
            vm = await config_vm(found, domain)
            device = fragment.parse(xml, vm, live=False)
            update.update_config(domain, device, vm)
        if in_live:
            vm = await live_vm(found)
            await update.update_live(found, fragment.parse(xml, vm, live=True), vm, force=bool(flags & FORCE))
            statusdoc.save(found)
