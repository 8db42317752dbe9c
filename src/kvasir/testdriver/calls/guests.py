"""Life of the test driver's guests."""

from __future__ import annotations

import struct
from typing import Any

from kvasir.calls.filters import FILTERS
from kvasir.calls.flags import check_flags
from kvasir.errors import (
    Code,
    Error,
    InternalError,
    NoDomain,
    OperationInvalid,
    OperationUnsupported,
    Origin,
    SystemFailure,
    XmlError,
)
from kvasir.model.domain import Domain
from kvasir.qemu.states import Paused, Running, Shutoff, State
from kvasir.testdriver.reach import guest, selected
from kvasir.xml.form import Form

MOST_TEXT = 8192
MAGIC = b"TestGuestMagic\0"


def connect_list_all_domains(session: Any, need_results: int, flags: int) -> tuple[list[Any], int]:
    """Those that the filters let pass."""
    check_flags(flags, FILTERS, "testConnectListAllDomains", Origin.TEST)
    found = [one for one in session.driver.guests.by_uuid.values() if selected(one, flags)]
    return (found if need_results else []), len(found)


def connect_num_of_domains(session: Any) -> int:
    return len(session.driver.guests.by_id)


def connect_list_domains(session: Any, maxids: int) -> list[int]:
    return sorted(session.driver.guests.by_id)[:maxids]


def connect_num_of_defined_domains(session: Any) -> int:
    return sum(not one.active for one in session.driver.guests.by_uuid.values())


def connect_list_defined_domains(session: Any, maxnames: int) -> list[str]:
    return [one.name for one in session.driver.guests.by_uuid.values() if not one.active][:maxnames]


def domain_lookup_by_id(session: Any, id: int) -> Any:
    return session.driver.lookup_id(id)


def domain_lookup_by_name(session: Any, name: str) -> Any:
    return session.driver.lookup_name(name)


def domain_lookup_by_uuid(session: Any, uuid: bytes) -> Any:
    try:
        return session.driver.lookup_uuid(uuid)
    except NoDomain:
        raise NoDomain(origin=Origin.TEST) from None


def domain_is_active(session: Any, dom: Any) -> int:
    return int(guest(session, dom).active)


def domain_is_persistent(session: Any, dom: Any) -> int:
    return int(guest(session, dom).persistent)


def domain_is_updated(session: Any, dom: Any) -> int:
    return 0


def domain_define_xml(session: Any, xml: str) -> Any:
    return session.driver.define(xml)


def domain_define_xml_flags(session: Any, xml: str, flags: int) -> Any:
    check_flags(flags, 1, "testDomainDefineXMLFlags", Origin.TEST)
    return session.driver.define(xml)


def domain_create_xml(session: Any, xml_desc: str, flags: int) -> Any:
    check_flags(flags, 16, "testDomainCreateXML", Origin.TEST)
    return session.driver.create(xml_desc)


def domain_create(session: Any, dom: Any) -> None:
    domain_create_with_flags(session, dom, 0)


def domain_create_xml_with_files(session: Any, xml_desc: str, flags: int) -> Any:
    """The files are not used."""
    return domain_create_xml(session, xml_desc, flags)


def domain_create_with_files(session: Any, dom: Any, flags: int) -> Any:
    """The files are not used."""
    return domain_create_with_flags(session, dom, flags)


def domain_create_with_flags(session: Any, dom: Any, flags: int) -> Any:
    """Start."""
    check_flags(flags, 0, "testDomainCreateWithFlags", Origin.TEST)
    one = guest(session, dom)
    if one.active:
        raise InternalError(f"Domain '{one.name}' is already running", origin=Origin.TEST)
    one.begin()
    one.saved = False
    session.driver.event(one, 2, 0)
    return one


def domain_undefine(session: Any, dom: Any) -> None:
    domain_undefine_flags(session, dom, 0)


def domain_undefine_flags(session: Any, dom: Any, flags: int) -> None:
    """Forget the definition."""
    check_flags(flags, 0x7F, "testDomainUndefineFlags", Origin.TEST)
    one = guest(session, dom)
    if one.saved and not flags & 1:
        raise OperationInvalid("Refusing to undefine while domain managed save image exists", origin=Origin.TEST)
    if not one.active and session.driver.snapshot_trees.get(one).known and not flags & 2:
        count = len(session.driver.snapshot_trees.get(one).known)
        raise OperationInvalid(f"cannot delete inactive domain with {count} snapshots", origin=Origin.TEST)
    one.saved = False
    session.driver.event(one, 1, 0)
    if one.active:
        one.persistent = False
    else:
        session.driver.forget(one)


def domain_suspend(session: Any, dom: Any) -> None:
    one = guest(session, dom)
    if one.state is not State.RUNNING:
        raise InternalError(f"domain '{one.name}' not running", origin=Origin.TEST)
    one.state, one.reason = State.PAUSED, int(Paused.USER)
    session.driver.event(one, 3, 0)


def domain_resume(session: Any, dom: Any) -> None:
    one = guest(session, dom)
    if one.state is not State.PAUSED:
        raise InternalError(f"domain '{one.name}' not paused", origin=Origin.TEST)
    one.state, one.reason = State.RUNNING, int(Running.UNPAUSED)
    session.driver.event(one, 4, 0)


def domain_shutdown(session: Any, dom: Any) -> None:
    domain_shutdown_flags(session, dom, 0)


def domain_shutdown_flags(session: Any, dom: Any, flags: int) -> None:
    """It obeys at once."""
    check_flags(flags, 0, "testDomainShutdownFlags", Origin.TEST)
    one = guest(session, dom)
    if one.state is State.SHUTOFF:
        raise InternalError(f"domain '{one.name}' not running", origin=Origin.TEST)
    one.end(Shutoff.SHUTDOWN)
    session.driver.event(one, 5, 0)


def domain_reboot(session: Any, dom: Any, flags: int) -> None:
    """By its on_reboot."""
    one = guest(session, dom)
    one.need_active()
    action = one.now.on_reboot
    if action in ("restart", "rename-restart"):
        one.state, one.reason = State.RUNNING, int(Running.BOOTED)
    elif action != "preserve":
        one.end(Shutoff.SHUTDOWN)
        session.driver.event(one, 5, 0)


def domain_reset(session: Any, dom: Any, flags: int) -> None:
    guest(session, dom).need_active()


def domain_destroy(session: Any, dom: Any) -> None:
    domain_destroy_flags(session, dom, 0)


def domain_destroy_flags(session: Any, dom: Any, flags: int) -> None:
    check_flags(flags, 1, "testDomainDestroyFlags", Origin.TEST)
    one = guest(session, dom)
    one.need_active()
    one.end(Shutoff.DESTROYED)
    session.driver.event(one, 5, 1)


def domain_get_state(session: Any, dom: Any, flags: int) -> tuple[int, int]:
    one = guest(session, dom)
    return int(one.state), one.reason


def domain_get_autostart(session: Any, dom: Any) -> int:
    return int(guest(session, dom).autostart)


def domain_set_autostart(session: Any, dom: Any, autostart: int) -> None:
    guest(session, dom).autostart = bool(autostart)


def domain_rename(session: Any, dom: Any, new_name: str | None, flags: int) -> int:
    """Another name."""
    check_flags(flags, 0, "testDomainRename", Origin.TEST)
    one = guest(session, dom)
    if one.active:
        raise OperationInvalid("cannot rename active domain", origin=Origin.TEST)
    if "/" in str(new_name):
        raise XmlError(f"name {new_name} cannot contain '/'", origin=Origin.TEST)
    if one.name == new_name:
        raise OperationInvalid("Can't rename domain to itself", origin=Origin.DOMAIN)
    if any(other.name == new_name for other in session.driver.guests.by_uuid.values()):
        raise OperationInvalid(f"domain with name '{new_name}' already exists", origin=Origin.DOMAIN)
    session.driver.event(one, 1, 1)
    one.config.name = str(new_name)
    session.driver.event(one, 0, 2)
    return 0


def domain_get_xml_desc(session: Any, dom: Any, flags: int) -> str:
    """The document."""
    check_flags(flags, 0xF, "testDomainGetXMLDesc", Origin.TEST)
    one = guest(session, dom)
    live = one.active and not flags & 2
    return (one.now if live else one.config).xml(Form(live=live, secure=bool(flags & 1)))


# --- saved images


def domain_has_managed_save_image(session: Any, dom: Any, flags: int) -> int:
    return int(guest(session, dom).saved)


def domain_managed_save(session: Any, dom: Any, flags: int) -> None:
    check_flags(flags, 7, "testDomainManagedSave", Origin.TEST)
    one = guest(session, dom)
    one.need_active()
    if not one.persistent:
        raise OperationInvalid("cannot do managed save for transient domain", origin=Origin.TEST)
    one.end(Shutoff.SAVED)
    session.driver.event(one, 5, 4)
    one.saved = True


def domain_managed_save_remove(session: Any, dom: Any, flags: int) -> None:
    guest(session, dom).saved = False


def domain_save(session: Any, dom: Any, to: str) -> None:
    """Write the document to a file, in the form of libvirt's own test driver."""
    one = guest(session, dom)
    one.need_active()
    text = one.now.xml(Form(secure=True)).encode()
    _write(to, MAGIC + struct.pack("=i", len(text)) + text, f"saving domain '{one.name}' to '{to}': open failed")
    one.end(Shutoff.SAVED)
    session.driver.event(one, 5, 4)


def _write(path: str, data: bytes, problem: str) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise SystemFailure(problem, error, origin=Origin.TEST) from None


def domain_save_flags(session: Any, dom: Any, to: str, dxml: str | None, flags: int) -> None:
    check_flags(flags, 0, "testDomainSaveFlags", Origin.TEST)
    _no_other(dxml)
    domain_save(session, dom, to)


def _image(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(16 << 20)
    except OSError as error:
        raise SystemFailure(f"cannot read domain image '{path}'", error, origin=Origin.TEST) from None
    if len(data) < len(MAGIC):
        raise _short(f"incomplete save header in '{path}'")
    if not data.startswith(MAGIC):
        raise InternalError("mismatched header magic", origin=Origin.TEST)
    length, rest = data[len(MAGIC) : len(MAGIC) + 4], data[len(MAGIC) + 4 :]
    if len(length) < 4:
        raise _short(f"failed to read metadata length in '{path}'")
    (size,) = struct.unpack("=i", length)
    if not 1 <= size <= MOST_TEXT:
        raise InternalError("length of metadata out of range", origin=Origin.TEST)
    if len(rest) < size:
        raise _short(f"incomplete metadata in '{path}'")
    return rest[:size].decode("utf-8", "surrogateescape")


def _short(text: str) -> SystemFailure:
    """libvirt names the last error of the system, of which there is none."""
    return SystemFailure(text, OSError(0, "Success"), origin=Origin.TEST)


def _no_other(document: str | None) -> None:
    if document is not None:
        text = "xml modification unsupported"
        raise Error(text, code=Code.ARGUMENT_UNSUPPORTED, origin=Origin.TEST, message=f"argument unsupported: {text}")


def domain_save_image_get_xml_desc(session: Any, file: str, flags: int) -> str:
    return Domain.from_xml(_image(file)).xml(Form(secure=bool(flags & 1)))


def domain_save_image_define_xml(session: Any, file: str, dxml: str, flags: int) -> None:
    check_flags(flags, 6, "testDomainSaveImageDefineXML", Origin.TEST)
    _image(file)
    text = session.driver.read_guest(dxml).xml(Form(secure=True)).encode()
    _write(file, MAGIC + struct.pack("=i", len(text)) + text, f"cannot write domain image '{file}'")


def domain_restore(session: Any, from_: str) -> None:
    """Start from a file."""
    driver = session.driver
    domain = driver.read_guest(_image(from_))
    one = driver.admit(domain, live=True)
    if one is None:
        one = driver.make(domain)
        one.persistent = False
    one.live = domain
    one.begin(Running.RESTORED)
    driver.event(one, 2, 2)


def domain_restore_flags(session: Any, from_: str, dxml: str | None, flags: int) -> None:
    check_flags(flags, 0, "testDomainRestoreFlags", Origin.TEST)
    _no_other(dxml)
    domain_restore(session, from_)


def domain_core_dump(session: Any, dom: Any, to: str, flags: int) -> None:
    """A file that says it is a core."""
    check_flags(flags, 1, "testDomainCoreDumpWithFormat", Origin.TEST)
    one = guest(session, dom)
    one.need_active()
    try:
        with open(to, "wb") as file:
            file.write(b"TestCoreMagic")
    except OSError as error:
        raise SystemFailure(f"domain '{one.name}' coredump: failed to open {to}", error, origin=Origin.TEST) from None
    if flags & 1:
        one.end(Shutoff.CRASHED)
        session.driver.event(one, 5, 2)


def domain_core_dump_with_format(session: Any, dom: Any, to: str, dumpformat: int, flags: int) -> None:
    domain_core_dump(session, dom, to, flags if not dumpformat else flags & ~1)
    if dumpformat:
        raise OperationUnsupported("kdump-compressed format is not supported here", origin=Origin.TEST)
