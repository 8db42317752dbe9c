"""Devices from XML files: attach-device, detach-device, update-device, detach-device-alias."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, data, flag
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, read_file
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain

AFFECT_LIVE, AFFECT_CONFIG, FORCE = 1, 2, 4


def flags_of(shell: Shell, args: Args, domain: Domain) -> int:
    """--persistent is the configuration, and the running domain too if it runs."""
    flags = shell.affect(args)
    if args.flag("config") or args.flag("persistent"):
        flags |= AFFECT_CONFIG
    if args.flag("persistent") and domain.isActive() == 1:
        flags |= AFFECT_LIVE
    return flags


def _plug(shell: Shell, args: Args, verb: str) -> None:
    """Attach or detach; by the older call where no option says what is changed."""
    domain = shell.domain(args)
    path = args.need("file")
    flags = flags_of(shell, args, domain)
    name, more = (f"{verb}DeviceFlags", (flags,)) if flags or args.flag("current") else (f"{verb}Device", ())
    shell.attempt(f"Failed to {verb} device from {path}", getattr(domain, name), read_file(path), *more)
    shell.extra(f"Device {verb}ed successfully\n")


def attach_device(shell: Shell, args: Args) -> None:
    _plug(shell, args, "attach")


def detach_device(shell: Shell, args: Args) -> None:
    _plug(shell, args, "detach")


def update_device(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    path = args.need("file")
    flags = flags_of(shell, args, domain) | (FORCE if args.flag("force") else 0)
    shell.attempt(f"Failed to update device from {path}", domain.updateDeviceFlags, read_file(path), flags)
    shell.extra("Device updated successfully\n")


def detach_device_alias(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name = args.need("alias")
    flags = shell.affect(args)
    shell.attempt(f"Failed to detach device with alias {name}", domain.detachDeviceAlias, name, flags)
    shell.extra("Device detach request sent successfully\n")


FILE = data("file", "file with the device's XML")
WHERE = (flag("persistent", "now and at the next start"), CONFIG, LIVE, CURRENT)
NOT_TOGETHER = (("persistent", "current"), ("current", "live"), ("current", "config"))
COMMANDS = [
    Command(
        "attach-device",
        "attach a device from an XML file",
        (DOMAIN, FILE, *WHERE),
        attach_device,
        exclusive=NOT_TOGETHER,
    ),
    Command(
        "detach-device",
        "detach a device like that of an XML file",
        (DOMAIN, FILE, *WHERE),
        detach_device,
        exclusive=NOT_TOGETHER,
    ),
    Command(
        "detach-device-alias",
        "detach the device of an alias",
        (DOMAIN, data("alias", "alias of the device"), CONFIG, LIVE, CURRENT),
        detach_device_alias,
        exclusive=NOT_TOGETHER[1:],
    ),
    Command(
        "update-device",
        "change a device as an XML file says",
        (DOMAIN, FILE, *WHERE, flag("force", "even where the guest holds on to it")),
        update_device,
        exclusive=NOT_TOGETHER,
    ),
]
