"""``virt-clone``: copy a guest with its disks, with a name, UUID and MAC addresses of its own."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from typing import Any, NoReturn

from kvasir.errors import Error

from . import virt_common as common
from .virt_common import fail, say, warn

SECURE, SHUTOFF = 1, 5
MAC = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\Z")


def parser() -> argparse.ArgumentParser:
    hidden = argparse.SUPPRESS
    p = argparse.ArgumentParser(
        prog="virt-clone",
        usage="%(prog)s --original [NAME] ...",
        description="Duplicate a virtual machine, changing all the unique host side configuration like MAC address, name, etc. "
        "What is inside the disks stays as it is, unless --prepare names what is to be done with it.",
    )
    common.common_options(p)
    general = p.add_argument_group("General Options")
    general.add_argument("-o", "--original", dest="src_name", help="Name of the original guest to clone.")
    general.add_argument("--original-xml", help="XML file to use as the original guest.")
    general.add_argument("--auto-clone", action="store_true", help="Make up the clone's name and storage paths.")
    general.add_argument("-n", "--name", dest="new_name", help="Name for the new guest")
    general.add_argument("-u", "--uuid", dest="new_uuid", help=hidden)
    general.add_argument(
        "--reflink",
        action="store_true",
        help="Share extents with the original (btrfs, XFS); fails where that cannot be",
    )
    general.add_argument("--prepare", action="append", help="Run these hooks on the copied disks: NAME[,NAME...]")
    storage = p.add_argument_group("Storage Configuration")
    storage.add_argument(
        "-f", "--file", dest="new_file", action="append", help="Image of the new guest; once for each disk"
    )
    storage.add_argument(
        "--force-copy", dest="force", action="append", help="Copy this target too (hdc, a read-only CD)"
    )
    storage.add_argument(
        "--skip-copy", dest="skip", action="append", help="Do not copy this target; both guests use its image"
    )
    storage.add_argument("--nonsparse", dest="sparse", action="store_false", help="Allocate the whole image")
    storage.add_argument(
        "--preserve-data", dest="preserve", action="store_true", help="Use the --file images as they are"
    )
    storage.add_argument("--nvram", dest="new_nvram", help="New file to use as storage for nvram VARS")
    network = p.add_argument_group("Networking Configuration")
    network.add_argument("-m", "--mac", dest="new_mac", action="append", help="MAC address; once for each interface")
    misc = p.add_argument_group("Miscellaneous Options")
    misc.add_argument("--prompt", action="store_true", help=hidden)
    misc.add_argument("--force", dest="old_force", action="store_true", help=hidden)
    misc.add_argument("--replace", action="store_true", help="Overwrite any guest with the same name.")
    misc.add_argument("--print-xml", dest="xmlonly", action="store_true", help="Print the document, clone nothing.")
    misc.add_argument("--check", action="append", help="Turn checks on or off: path_in_use=off, all=off")
    common.last_options(misc)
    return p


def original(connection: Any, options: argparse.Namespace) -> str:
    """The document that is cloned. Ends with 1 when there is none, or when the guest runs."""
    if options.src_name and options.original_xml:
        fail("Cannot use --original and --original-xml at the same time")
    if options.original_xml:
        try:
            with open(options.original_xml, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            fail(f"{options.original_xml}: {error.strerror}")
    if not options.src_name:
        fail("An original machine name is required, use '--original src_name' and try again.")
    try:
        domain = connection.lookupByName(options.src_name)
    except Error:
        fail(f"Domain '{options.src_name}' was not found.")
    if domain.state()[0] != SHUTOFF:
        fail("Domain to clone must be shutoff.")
    return str(domain.XMLDesc(SECURE))


def configure(cloner: Any, options: argparse.Namespace) -> None:
    """What the options say of each disk."""
    from kvasir.install.clone import CLONE, PRESERVE, SHARE

    cloner.sparse, cloner.reflink, cloner.replace = options.sparse, options.reflink, options.replace
    cloner.auto = options.auto_clone
    for disk in cloner.disks:
        if disk.target in (options.force or []):
            disk.action = CLONE
        if disk.target in (options.skip or []):
            disk.action = SHARE
        if options.preserve and disk.action == CLONE:
            disk.action = PRESERVE
    if options.new_uuid:
        from kvasir.install import tree

        tree.put(cloner.new, "uuid", options.new_uuid)
    if options.new_name:
        cloner.name = options.new_name
    elif not options.auto_clone:
        fail("A name is required for the new virtual machine, use '--name NEW_VM_NAME' to specify one.")


def check_macs(connection: Any, macs: list[str], checks: common.Checks) -> None:
    from xml.etree import ElementTree as ET

    for mac in macs:
        if mac == "RANDOM":
            continue
        if not MAC.match(mac):
            fail(f"MAC address must be of the format AA:BB:CC:DD:EE:FF, was '{mac}'")
        for domain in connection.listAllDomains(0):
            root = ET.fromstring(domain.XMLDesc(0))
            if mac.lower() in [(m.get("address") or "").lower() for m in root.findall("devices/interface/mac")]:
                checks.fails(f"The MAC address '{mac}' is in use by another virtual machine.", "mac_in_use")


def check_paths(connection: Any, cloner: Any, checks: common.Checks) -> None:
    """Images of the clone that other guests have."""
    from kvasir.install import tree
    from kvasir.install.clone import SHARE

    wanted = {d.new_path for d in cloner.disks if d.action != SHARE}
    if not wanted:
        return
    from kvasir.install.clone import path_of

    users: dict[str, list[str]] = {}
    for domain in connection.listAllDomains(0):
        for node in tree.parse(domain.XMLDesc(0)).findall("devices/disk"):
            if path_of(node) in wanted:
                users.setdefault(path_of(node), []).append(domain.name())
    for path, names in users.items():
        checks.fails(f"Disk {path} is already in use by other guests {names}.", "path_in_use")


def work(options: argparse.Namespace) -> int:
    from kvasir.install import clone, prepare, upload

    checks = common.Checks(["all=off"] if options.old_force else options.check)
    connection = common.connect(options, "VIRTINSTALL_URI")
    if options.new_file is None and not options.auto_clone:
        fail("Either --auto-clone or --file is required, use '--auto-clone or --file' and try again.")
    document = original(connection, options)
    hooks = prepare.chain([n for v in options.prepare or [] for n in v.split(",") if n]) if options.prepare else None
    cloner = clone.Cloner(connection, document, local=not upload.is_remote(connection))
    for text in cloner.warnings:
        warn(text)
    configure(cloner, options)
    check_macs(connection, options.new_mac or [], checks)
    cloner.set_macs(options.new_mac or [])
    cloner.plan(options.new_file or [], options.new_nvram or "")
    check_paths(connection, cloner, checks)
    if options.xmlonly:
        print(cloner.text())
        return 0
    signal.signal(signal.SIGTERM, _stop)
    domain = cloner.run(hooks)
    say(f"\nClone '{domain.name()}' created successfully.")
    return 0


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: list[str] | None = None, *, brief: bool = False) -> int:
    """Entry point. Exit status: 0 done, 1 failed, 2 wrong usage. ``brief``: errors in one line, as ``kvasir`` prints them."""
    options = parser().parse_args(argv)
    options.quiet = options.quiet or options.xmlonly
    common.LEVEL.update(quiet=options.quiet, brief=brief)
    return common.guarded(options, lambda: work(options))


if __name__ == "__main__":
    sys.exit(main())
