"""Devices of the host: nodedev-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, print_document
from kvasir.cli.virsh.commands.watching import options, watch
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import line, read_file, set_autostart
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.client.others import NodeDevice

CAPS = (
    *("system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target", "scsi", "storage", "fc_host", "vports"),
    *("scsi_generic", "drm", "mdev_types", "mdev", "ccw", "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "vpd"),
)
"""By the bit of their filter."""
INACTIVE, ACTIVE = 1 << 30, 1 << 31
VALIDATE = 1
EVENTS = ("lifecycle", "update")
LIFECYCLE = ("Created", "Deleted", "Defined", "Undefined")


def find_device(shell: Shell, args: Args, wwn: bool = True) -> NodeDevice:
    """The device that --device names, by its name or by its two world wide names."""
    wanted = args.need("device")
    try:
        if wwn and "," in wanted:
            first, _, second = wanted.partition(",")
            for one in (first, second):
                if len(one) != 16 or any(letter not in "0123456789abcdefABCDEF" for letter in one):
                    raise Fail(f"internal error: Malformed wwn: {one}")
            return shell.conn.nodeDeviceLookupSCSIHostByWWN(first, second, 0)  # type: ignore[no-any-return]
        return shell.conn.nodeDeviceLookupByName(wanted)  # type: ignore[no-any-return]  # made from the table
    except Error as problem:
        shell.error(f"Could not find matching device '{wanted}'")
        raise problem from None


def nodedev_list(shell: Shell, args: Args) -> None:
    caps = args.wanted("cap")
    if args.flag("all") and args.flag("inactive"):
        raise Fail("Option --all is incompatible with --inactive")
    if args.flag("tree") and (caps or args.flag("inactive")):
        raise Fail("Option --tree is incompatible with --cap and --inactive")
    flags = 0
    for word in (caps or "").split(",") if caps else ():
        if word not in CAPS:
            raise Fail("Invalid capability type")
        flags |= 1 << CAPS.index(word)
    flags |= INACTIVE if args.flag("inactive") else ACTIVE | INACTIVE if args.flag("all") else ACTIVE
    found = shell.attempt("Failed to list node devices", shell.conn.listAllDevices, flags)
    devices = sorted(found, key=lambda device: str(device.name()))
    if not args.flag("tree"):
        shell.out("".join(f"{device.name()}\n" for device in devices))
        return
    names = [str(device.name()) for device in devices]
    parents = [None if name == "computer" else device.parent() for name, device in zip(names, devices, strict=True)]
    for at, parent in enumerate(parents):
        if parent is None:
            shell.out("".join(tree(names, parents, at, at, True, "")))


def tree(names: list[str], parents: list[str | None], at: int, last: int, root: bool, indent: str) -> list[str]:
    """The lines of a device and of all below it."""
    lines = [f"{indent}{'' if root else '+- '}{names[at]}\n"]
    below = [number for number, parent in enumerate(parents) if parent == names[at]]
    if not root:
        indent += "  " if at == last else "| "
    if below:
        lines.append(f"{indent}  |\n")
    for number in below:
        lines += tree(names, parents, number, below[-1], False, indent + "  ")
    if not below and at == last:
        lines.append(f"{indent}\n")
    return lines


def nodedev_dumpxml(shell: Shell, args: Args) -> None:
    found = find_device(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(0))


def nodedev_info(shell: Shell, args: Args) -> None:
    device = find_device(shell, args)

    def word(ask: Callable[[], int], failed: str) -> str:
        try:
            return "yes" if ask() else "no"
        except Error:
            return failed

    shell.out(line("Name:", device.name()) + line("Parent:", device.parent() or ""))
    shell.out(line("Active:", word(device.isActive, "yes")) + line("Persistent:", word(device.isPersistent, "yes")))
    shell.out(line("Autostart:", word(device.autostart, "no autostart")))


def nodedev_create(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    text = read_file(path)
    device = shell.attempt(f"Failed to create node device from {path}", shell.conn.nodeDeviceCreateXML, text, flags)
    shell.extra(f"Node device {device.name()} created from {path}\n")


def nodedev_define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    text = read_file(path)
    device = shell.attempt(f"Failed to define node device from '{path}'", shell.conn.nodeDeviceDefineXML, text, flags)
    shell.extra(f"Node device '{device.name()}' defined from '{path}'\n")


def nodedev_destroy(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args), args.need("device")
    shell.attempt(f"Failed to destroy node device '{name}'", device.destroy)
    shell.extra(f"Destroyed node device '{name}'\n")


def nodedev_undefine(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args), args.need("device")
    shell.attempt(f"Failed to undefine node device '{name}'", device.undefine, 0)
    shell.extra(f"Undefined node device '{name}'\n")


def nodedev_start(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args, wwn=False), args.need("device")
    shell.attempt(f"Failed to start device {name}", device.create, 0)
    shell.extra(f"Device {name} started\n")


def nodedev_autostart(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args), args.need("device")
    set_autostart(shell, args, f"device {name}", device)


def nodedev_detach(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args, wwn=False), args.need("device")
    driver = args.text("driver")
    call: tuple[Any, ...] = (device.detachFlags, driver, 0) if driver else (device.dettach,)
    shell.attempt(f"Failed to detach device {name}", *call)
    shell.extra(f"Device {name} detached\n")


def nodedev_reattach(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args, wwn=False), args.need("device")
    shell.attempt(f"Failed to re-attach device {name}", device.reAttach)
    shell.extra(f"Device {name} re-attached\n")


def nodedev_reset(shell: Shell, args: Args) -> None:
    device, name = find_device(shell, args, wwn=False), args.need("device")
    shell.attempt(f"Failed to reset device {name}", device.reset)
    shell.extra(f"Device {name} reset\n")


def nodedev_event(shell: Shell, args: Args) -> bool:
    device = find_device(shell, args, wwn=False) if args.wanted("device") else None

    def describe(name: str, thing: Any, values: tuple[Any, ...]) -> str:
        head = f"event '{name}' for node device {thing.name()}"
        return head if name == "update" else f"{head}: {LIFECYCLE[values[0]]}"

    conn = shell.conn
    return watch(
        shell,
        args,
        EVENTS,
        lambda number, seen: conn.nodeDeviceEventRegisterAny(device, number, seen, None),
        conn.nodeDeviceEventDeregisterAny,
        describe,
    )


DEVICE = data("device", "name of the device, or its world wide names 'wwnn,wwpn'")
NAME = data("device", "name of the device")
FILE = (data("file", "file with the device's XML"), flag("validate", "check it against the schema"))
COMMANDS = [
    Command(
        "nodedev-autostart", "start a device with its parent", (DEVICE, flag("disable", "no longer")), nodedev_autostart
    ),
    Command(
        "nodedev-create",
        "make a device from an XML file",
        FILE,
        nodedev_create,
        description="It is gone when the host starts again. For a virtual fibre channel adapter: configure the zones of the "
        "storage array first, so that a guest reaches its own units only, and give each guest an adapter of its own.",
    ),
    Command("nodedev-define", "define a device from an XML file, or change it", FILE, nodedev_define),
    Command("nodedev-destroy", "remove or stop a device", (DEVICE,), nodedev_destroy),
    Command(
        "nodedev-detach",
        "take a device from the host's driver",
        (NAME, text("driver", "the driver that it gets, vfio when not said")),
        nodedev_detach,
        description="So that a guest can have it.",
    ),
    Command("nodedev-dumpxml", "print a device's XML", (DEVICE, XPATH, WRAP), nodedev_dumpxml),
    Command(
        "nodedev-event", "wait for events of devices", options("device", "only this device, by name"), nodedev_event
    ),
    Command("nodedev-info", "what a device is", (DEVICE,), nodedev_info),
    Command(
        "nodedev-list",
        "list devices",
        (
            flag("tree", "as a tree"),
            text("cap", "only devices with these capabilities, with commas"),
            flag("inactive", "those that are defined only"),
            flag("all", "those that are there and those that are not"),
        ),
        nodedev_list,
    ),
    Command("nodedev-reattach", "give a device back to the host's driver", (NAME,), nodedev_reattach),
    Command("nodedev-reset", "reset a device", (NAME,), nodedev_reset),
    Command("nodedev-start", "start a device that is defined", (NAME,), nodedev_start),
    Command("nodedev-undefine", "forget a device's definition", (DEVICE,), nodedev_undefine),
]
