"""From the options of virt-install to a guest and its installer."""

from __future__ import annotations

import argparse
import re
from typing import Any
from xml.etree import ElementTree as ET

from kvasir.install import osinfo, pools, tree
from kvasir.install.disks import DiskMaker
from kvasir.install.grammar import OptionError
from kvasir.install.guest import Guest
from kvasir.install.installer import Installer, Method
from kvasir.install.media import Location
from kvasir.install.options import apply
from kvasir.install.spellings import OPTIONS

from . import virt_common as common
from .virt_common import fail, on_off, say, warn, words_of
from .virt_install_warn import warnings

METHODS = "--location URL, --cdrom CD/ISO, --pxe, --import, --boot hd|cdrom|..."


def build(connection: Any, options: argparse.Namespace) -> Installer:
    """Turn the options into a guest and its installer. Raises OptionError, HostError, kvasir errors."""
    checks = common.Checks(options.check)
    install = (
        words_of("install", options.install, commas=("bootdev", "kernel", "initrd", "kernel_args"))
        if options.install
        else {}
    )
    wanted = Wanted(options.os_variant if options.os_variant is not None else install.get("os"))
    guest = _reinstalled(connection, options.reinstall) if options.reinstall else _begin(connection, options)
    method = _method(options, install, guest)
    maker = DiskMaker(connection, guest, local=guest.local)
    installer = Installer(connection, guest, method, maker)
    _set_system(guest, installer, wanted)
    if options.reinstall:
        installer.before = tree.text(guest.domain)
    else:
        _fill(guest, maker, options, connection)
    actions = common.raw_xml(options.xml)
    installer.finish = lambda root: common.finish(root, actions)
    installer.prepare_guest()
    if not options.reinstall:
        guest.set_defaults()
        _validate(guest, checks)
        _sizes(maker, checks)
    _required(options, guest, method)
    warnings(options, guest, method)
    return installer


def check_name(name: str) -> None:
    """Ends with 1 for a name that cannot be a guest's: letters, digits, ``_ . - +``, not digits alone."""
    if not re.fullmatch(r"[\w.+-]+", name) or name.isdigit():
        fail(f"Guest name '{name}' is not valid: letters, digits, underscore, period and hyphen, and not digits only.")


def _begin(connection: Any, options: argparse.Namespace) -> Guest:
    """A guest with what boots it and its name, before anything that depends on them."""
    guest = Guest(connection)
    for key in ("name", "uuid", "description"):
        if getattr(options, key):
            tree.put(guest.domain, key, getattr(options, key))
    if options.machine:
        tree.put(guest.domain, "os/type/@machine", options.machine)
    for name in ("boot", "metadata"):
        for value in getattr(options, name) or []:
            apply(name, value, guest.domain)
    guest.set_host_defaults(options.virt_type or "", options.arch or "", options.hvm_type or "", options.machine or "")
    return guest


def _reinstalled(connection: Any, word: str) -> Guest:
    from .virt_xml import find_domain

    domain = find_domain(connection, word)
    guest = Guest(connection, tree.parse(domain.XMLDesc(3)))
    guest.system = osinfo.of_document(guest.domain) or guest.system
    return guest


# --- how it is installed


def _method(options: argparse.Namespace, install: dict[str, str | None], guest: Guest) -> Method:
    if sum((bool(options.cdrom), bool(options.location), options.pxe)) > 1:
        fail(f"Only one install method can be used ({METHODS})")
    method = Method(initrd_inject=options.initrd_inject or [], extra_args=list(options.extra_args or []),
                    reinstall=bool(options.reinstall))  # fmt: skip
    method.bootdev, method.kernel, method.initrd = (install.get(k) or "" for k in ("bootdev", "kernel", "initrd"))
    if install.get("kernel_args"):
        if on_off("install", install, "kernel_args_overwrite"):
            method.kernel_args = install["kernel_args"] or ""
        else:
            method.extra_args = [install["kernel_args"] or ""]
    method.no_install = bool(on_off("install", install, "no_install"))
    if options.unattended is not None:
        method.unattended = _answers(options.unattended)
    if options.cloud_init is not None:
        method.cloud_init = _cloud_init(options.cloud_init)
    _medium(options, install, guest, method)
    if method.location is not None:
        method.location.check(local=guest.local)
    if method.extra_args and not method.tree:
        fail("Kernel arguments are only supported with location or kernel installs.")
    if method.initrd_inject and not method.tree:
        fail("Install method does not support initrd injections.")
    return method


def _medium(options: argparse.Namespace, install: dict[str, str | None], guest: Guest, method: Method) -> None:
    if install.get("os"):
        method.location = Location(_location_of(guest, install["os"] or ""))
    elif options.location:
        method.location = _location(options.location)
    elif options.cdrom:
        method.cdrom = options.cdrom
        method.no_install = method.no_install or bool(options.livecd)
    elif options.pxe:
        method.bootdev = "network"
    elif not install and (options.import_install or options.xmlonly or options.boot or options.cloud_init is not None
                          or options.unattended is not None):  # fmt: skip
        method.no_install = True


def _location(value: str) -> Location:
    found = words_of("location", value, "location", ("location", "kernel", "initrd"))
    where = found.get("location")
    if not where:
        fail("location kernel/initrd may only be specified with a location URL/path")
    return Location(where, found.get("kernel") or "", found.get("initrd") or "")


def _location_of(guest: Guest, name: str) -> str:
    system = osinfo.lookup(name)
    if system is None:
        fail(f"Unknown OS name '{name}'. See `--osinfo list` for valid values.")
    url = system.location(guest.arch)
    if not url:
        fail(f"OS '{system.name}' does not have a URL location")
    say(f"Using {system.name} --location {url}")
    return url


def _answers(value: str) -> Any:
    from kvasir.install.unattended import Answers

    found = words_of("unattended", value)
    return Answers(**{k.replace("-", "_"): v or "" for k, v in found.items()})


def _cloud_init(value: str) -> Any:
    from kvasir.install.cloudinit import CloudInit

    if not value:
        warn("Defaulting to --cloud-init root-password-generate=yes,disable=yes")
        return CloudInit(generate=True, disable=True)
    found = words_of("cloud_init", value)
    return CloudInit(
        generate=bool(on_off("cloud_init", found, "root-password-generate")),
        disable=bool(on_off("cloud_init", found, "disable")),
        password_file=found.get("root-password-file") or "",
        root_key=found.get("root-ssh-key") or found.get("ssh-key") or "",
        user_key=found.get("clouduser-ssh-key") or "",
        user_data=found.get("user-data") or "",
        meta_data=found.get("meta-data") or "",
        network_config=found.get("network-config") or "",
    )


# --- which system


class Wanted:
    """What ``--osinfo`` said: a name, whether media may tell, whether one must be known."""

    def __init__(self, value: str | None) -> None:
        self.name, self.detect = "", False
        self.require: bool | None = None  # None: a hint is enough
        if value is None or value in ("", "auto"):
            self.detect = True
        elif "=" not in value:
            self.name = "generic" if value == "none" else value
        else:
            found = words_of("os_variant", value)
            self.name = found.get("name") or found.get("short-id") or found.get("id") or ""
            self.detect = bool(on_off("os_variant", found, "detect"))
            self.require = bool(on_off("os_variant", found, "require"))


def near(name: str) -> str:
    """The known name that is like one misspelled."""
    import difflib

    known = [word for names in osinfo.groups() for word in names]
    found = difflib.get_close_matches(name, known, 1)
    return f"Is it '{found[0]}'? " if found else ""


def _set_system(guest: Guest, installer: Installer, wanted: Wanted) -> None:
    """Find the operating system's facts. An unknown name is a hint, and an error only where a system is required."""
    name = wanted.name or guest.domain.attrib.pop("_os_name", "")
    found = osinfo.lookup(name) if name else None
    if name and found is None:
        if wanted.require:
            fail(f"Unknown OS name '{name}'. See `--osinfo list` for valid values.")
        warn(f"Unknown OS name '{name}': using generic defaults. {near(name)}`--osinfo list` prints the known names.")
    if wanted.detect and installer.method.installs and guest.local:
        found = _detected(installer) or found
    if found is not None:
        guest.system = found
        guest.set_metadata()
        return
    if wanted.require and not name:
        fail("--os-variant/--osinfo OS name is required, but no value was\nset or detected.")


def _detected(installer: Installer) -> osinfo.System | None:
    from kvasir.install.media import Media

    method = installer.method
    media = installer.media
    if media is None and method.cdrom:
        media = Media(Location(method.cdrom), installer.folder)
    rule = media.detect() if media is not None else None
    return osinfo.lookup(rule["os"]) if rule else None


# --- the document


def _fill(guest: Guest, maker: DiskMaker, options: argparse.Namespace, connection: Any) -> None:
    if not guest.name:
        taken = {d.name() for d in connection.listAllDomains(0)}
        stem = guest.system.name if not guest.system.generic else "vm"
        name = pools.free_name(stem, lambda n: n in taken, start=2, lead="-")
        say(f"Using default --name {name}")
        tree.put(guest.domain, "name", name)
    check_name(guest.name)
    for name in OPTIONS:
        if name in ("boot", "metadata"):
            continue
        for value in getattr(options, name, None) or []:
            _fill_option(guest, maker, name, value)
    guest.finish_cpu()
    system = guest.system
    ram, cpus, storage = (system.wants(w, guest.arch) for w in ("ram", "n-cpus", "storage"))
    numa = guest.domain.find("cpu/numa/cell") is not None
    said = any(tree.get(guest.domain, t) is not None for t in ("memory", "currentMemory")) or numa
    if ram and not said:
        say(f"Using {system.name} default --memory {str(ram / (1 << 20)).rstrip('0').rstrip('.')}")
        tree.put(guest.domain, "currentMemory", str(ram // 1024))
    guest.set_memory()
    if cpus:
        guest.set_cpus(cpus)
    if storage and not options.disk and not options.filesystem:
        say(f"Using {system.name} default --disk size={storage // (1 << 30)}")
        options.disk = [f"size={storage // (1 << 30)}"]
        _fill_option(guest, maker, "disk", options.disk[0])


def _fill_option(guest: Guest, maker: DiskMaker, name: str, value: str) -> None:
    """Put one value of one option into the document."""
    if name == "disk" and value == "none":
        return
    for node in apply(name, value, guest.domain):
        if name != "disk":
            continue
        try:
            maker.fill(node)
        except OptionError as error:
            raise OptionError(f"Error: --disk {value}: {error}") from None


# --- is it right


def _validate(guest: Guest, checks: common.Checks) -> None:
    """Images and addresses that other guests use."""
    others: dict[str, ET.Element] = {}
    uses = [d for d in guest.devices("disk") if d.find("source") is not None]
    if not uses and not guest.devices("interface"):
        return
    if checks.wants("path_in_use") or checks.wants("mac_in_use"):
        for domain in guest.connection.listAllDomains(0):
            others[domain.name()] = ET.fromstring(domain.XMLDesc(0))
    for disk in uses:
        path = _path_of(disk)
        names = [n for n, root in others.items() if path and _uses(root, path, disk)]
        if names:
            checks.fails(f"Disk {path} is already in use by other guests {names}.", "path_in_use")
    for interface in guest.devices("interface"):
        mac = (tree.get(interface, "mac/@address") or "").lower()
        if any(
            m.get("address", "").lower() == mac
            for root in others.values()
            for m in root.findall("devices/interface/mac")
        ):
            checks.fails(f"The MAC address '{mac}' is in use by another virtual machine.", "mac_in_use")


def _sizes(maker: DiskMaker, checks: common.Checks) -> None:
    """New sparse images that their pool could not hold in full."""
    for plan in maker.planned:
        free = plan.pool.free()
        if free is not None and not plan.whole and plan.capacity > free:
            checks.fails(
                "The requested volume capacity will exceed the available pool space when the volume is fully allocated. "
                f"({plan.capacity >> 20} M requested capacity > {free >> 20} M available)",
                "disk_size",
                tell=False,
            )


def _path_of(disk: Any) -> str:
    source = disk.find("source")
    if source is None:
        return ""
    return source.get("file") or source.get("dev") or source.get("dir") or ""


def _uses(root: ET.Element, path: str, disk: tree.Node) -> bool:
    if disk.find("readonly") is None and path in [root.findtext(f"os/{t}") for t in ("kernel", "initrd", "dtb")]:
        return True
    for other in root.findall("devices/disk"):
        shared = any(disk.find(t) is not None and other.find(t) is not None for t in ("shareable", "readonly"))
        if _path_of(other) == path and not shared:
            return True
    return False


def _required(options: argparse.Namespace, guest: Guest, method: Method) -> None:
    """Say in one message what is missing."""
    missing = []
    if not options.reinstall:
        numa = guest.domain.find("cpu/numa/cell") is not None
        if not numa and all(tree.get(guest.domain, t) is None for t in ("memory", "currentMemory")):
            missing.append("--memory amount in MiB is required")
        if not options.disk and not options.filesystem:
            missing.append("--disk storage must be specified (override with --disk none)")
    if not method.given:
        missing.append(f"An install method must be specified\n({METHODS})")
    if missing:
        fail("\n" + "\n".join(missing))
