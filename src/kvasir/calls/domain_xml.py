"""Documents of guests: in their forms, to and from QEMU's command line; capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import Code, Error, InvalidArg, Origin
from kvasir.qemu import capabilities_xml, domcapabilities, emulators, migratable
from kvasir.xml import Form

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

SECURE, INACTIVE, UPDATE_CPU, MIGRATABLE = 1, 2, 4, 8


def _denied(text: str) -> Error:
    return Error(text, code=Code.OPERATION_DENIED, origin=Origin.NONE, message=f"operation forbidden: {text}")


async def domain_get_xml_desc(session: Session, dom: Any, flags: int) -> str:
    """The guest's document."""
    check_flags(flags, SECURE | INACTIVE | UPDATE_CPU | MIGRATABLE, "qemuDomainGetXMLDesc")
    if session.readonly and flags & (SECURE | MIGRATABLE):
        raise _denied("virDomainGetXMLDesc with secure flag")
    return await _document(guest(session, dom), flags)


async def _document(found: Guest, flags: int) -> str:
    inactive = bool(flags & INACTIVE) or not found.active
    secure = bool(flags & (SECURE | MIGRATABLE))
    if flags & MIGRATABLE:
        return await migratable.text(found, inactive=inactive)
    if inactive and found.text is not None:
        if secure or not _has_secret(found.text):
            return found.text
        domain = found.config
    else:
        domain = found.undefined if inactive and found.undefined is not None else found.current
    return str(domain.xml(Form(live=not inactive, secure=secure, running=inactive and domain is found.live)))


def _has_secret(text: str) -> bool:
    return "passw" in text or "<secret" in text or "launchSecurity" in text


def domain_get_os_type(session: Session, dom: Any) -> str:
    """``hvm``."""
    found = guest(session, dom)
    return str(found.current.os.type or "hvm")


async def connect_domain_xml_to_native(session: Session, nativeFormat: str, domainXml: str, flags: int) -> str:
    """The command line that a document would be started with."""
    check_flags(flags, 0, "qemuConnectDomainXMLToNative")
    if nativeFormat != "qemu-argv":
        raise InvalidArg(f"unsupported config type {nativeFormat}")
    from kvasir.qemu import native

    return await native.command_line(session.driver, domainXml)


def connect_domain_xml_from_native(session: Session, nativeFormat: str, nativeConfig: str, flags: int) -> str:
    """The document of a QEMU that was started by hand. libvirt 9.0 no longer does this; its guide does."""
    from kvasir.model.domain import Domain
    from kvasir.qemu import from_native

    check_flags(flags, 0, "qemuConnectDomainXMLFromNative")
    if nativeFormat != "qemu-argv":
        raise InvalidArg(f"unsupported config type {nativeFormat}")
    return str(Domain.from_xml(from_native.document(nativeConfig)).xml(Form(live=False)))


async def connect_get_capabilities(session: Session) -> str:
    """What the host is and which guests it can run."""
    driver = session.driver
    guests = {}
    for arch, binary in driver.binaries.items():
        guests[arch] = await driver.caps.get(binary)
    identity = capabilities_xml.Identity(_host_uuid(driver), driver.identity.uid, driver.identity.gid)
    return capabilities_xml.render(identity, guests)


def _host_uuid(driver: Any) -> str:
    from kvasir.host import hostuuid

    return hostuuid.host_uuid(driver.paths)


async def connect_get_domain_capabilities(
    session: Session, emulatorbin: str | None, arch: str | None, machine: str | None, virttype: str | None, flags: int
) -> str:
    """What guests of an emulator, architecture and machine type can have."""
    check_flags(flags, 0, "qemuConnectGetDomainCapabilities")
    chosen = await emulators.choose(session.driver, emulatorbin, arch, machine, virttype)
    return domcapabilities.render(chosen.caps, chosen.arch, chosen.machine, chosen.virt_type)
