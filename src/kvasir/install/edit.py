"""Changes of a guest's document by options: which elements are meant, and what becomes of them. What is unknown stays."""

from __future__ import annotations

from typing import Any

from . import defaults, osinfo, places, tree
from .disks import DiskMaker
from .grammar import OptionError
from .guest import Guest
from .options import apply, match
from .spellings import OPTIONS


def guest_of(connection: Any, root: tree.Node) -> Guest:
    """A guest around a document that is there already."""
    guest = Guest(connection, root)
    guest.system = osinfo.of_document(root) or guest.system
    return guest


class Editor:
    """Edits one document."""

    def __init__(self, connection: Any, guest: Guest) -> None:
        self.connection, self.guest = connection, guest
        self.maker = DiskMaker(connection, guest, local=guest.local)

    def nodes(self, option: str) -> list[tree.Node]:
        """The elements that an option is about."""
        about = OPTIONS[option]
        if about.device:
            return self.guest.devices(about.tag)
        if option == "qemu_commandline":
            from .shapes import QEMU

            found = self.guest.domain.find(QEMU)
            return [found] if found is not None else []
        return self.guest.domain.findall(about.tag)

    # --- which

    def chosen(self, option: str, selector: Any, action: str) -> list[tree.Node]:
        """The elements that a selector means: number, ``all`` or words. Raises OptionError when there are none."""
        nodes = self.nodes(option)
        text = "1" if selector is None else str(selector)
        digits = text[1:] if text.startswith("-") else text
        if digits.isdigit():
            number = int(text)
            if number == 0:
                raise OptionError(f"Invalid --edit option '{text}'")
            if not nodes and option in ("seclabel", "sysinfo"):
                raise OptionError(f"No --{option} objects found in the XML")
            if not nodes and not OPTIONS[option].device:
                return [self._made(option)]
            if not nodes:
                raise OptionError(f"No --{option} objects found in the XML")
            if len(nodes) < abs(number):
                many = "is only 1" if len(nodes) == 1 else f"are only {len(nodes)}"
                many = many.replace("is only", "'s only") if len(nodes) == 1 else f" {many}"
                kind = f"--{option} object{'s' if len(nodes) != 1 else ''}"
                raise OptionError(f"'--edit {number}' requested but there{many} {kind} in the XML")
            return [nodes[number - 1 if number > 0 else number]]
        if text == "all":
            return nodes if nodes or OPTIONS[option].device else [self._made(option)]
        found = [n for n in nodes if match(option, text, n, self.guest.domain)]
        if not found:
            raise OptionError(f"No matching objects found for --{action} {text}")
        return found

    def _made(self, option: str) -> tree.Node:
        about = OPTIONS[option]
        if about.place:
            return about.place(self.guest.domain, {})
        made = tree.find(self.guest.domain, about.tag, make=True)
        assert made is not None
        return made

    # --- what

    def edit(self, option: str, values: list[str], selector: Any) -> list[tree.Node]:
        """Set what the values say on the chosen elements."""
        about = OPTIONS[option]
        if not about.edit:
            if selector not in (None, "1", "all"):
                raise OptionError(f"'--edit {selector}' doesn't make sense with --{option}, just use empty '--edit'")
            for value in values:
                apply(option, value, self.guest.domain, self.guest.domain)
            return []
        done = []
        for node in self.chosen(option, selector, "edit"):
            for value in values:
                done += self._edit_one(option, value, node)
        return done

    def _edit_one(self, option: str, value: str, node: tree.Node) -> list[tree.Node]:
        had = {k: tree.get(node, f"target/@{k}") for k in ("bus", "dev")} if option == "disk" else {}
        done = apply(option, value, self.guest.domain, node)
        if option == "disk":
            self.maker.fill(node, editing=True)
            for key in ("_format", "_sparse_new"):
                node.attrib.pop(key, None)
            self._bus_changed(node, had)
        if option == "hostdev" and node.get("_name"):
            defaults.device(self.guest, node)
        if option == "cpu":
            self.guest.finish_cpu()
        if option == "boot":
            self._boot(node)
        if node.attrib.pop("_default_source", None):
            node.set("_default_source", "yes")
            defaults.interface(self.guest, node)
        return done

    def _bus_changed(self, node: tree.Node, had: dict[str, str | None]) -> None:
        """Another bus needs no old address, and another target name where the kind of name changes."""

    def _boot(self, node: tree.Node) -> None:
        if self.guest.domain.attrib.pop("_uefi", None):
            self.guest.enable_uefi()
        if self.guest.domain.attrib.pop("_refresh_machine", None):
            tree.put(node, "type/@machine", self.guest.refreshed_machine())

    def add(self, option: str, values: list[str]) -> list[tree.Node]:
        """Add devices, with the defaults that a new guest would get."""
        if not OPTIONS[option].device and option not in ("seclabel", "sysinfo"):
            raise OptionError(f"Cannot use --add-device with --{option}")
        made = []
        for value in values:
            made += self._new(option, value)
        return made

    def _new(self, option: str, value: str) -> list[tree.Node]:
        nodes = apply(option, value, self.guest.domain)
        try:
            for node in nodes:
                if option == "disk":
                    self.maker.fill(node)
                    places.place([node], self.guest)
                defaults.device(self.guest, node)
        except OptionError as error:
            raise OptionError(f"Error: --{option} {value}: {error}") from None
        return nodes

    def build(self, option: str, values: list[str]) -> list[tree.Node]:
        """Elements as they would be added, out of their document."""
        about = OPTIONS[option]
        made = []
        for value in values:
            made += self._new(option, value)
            if option == "cpu":
                self.guest.finish_cpu()
            if option == "boot":
                self._boot(made[-1])
        return made if about.device or len(made) < 2 else made[-1:]

    def remove(self, option: str, selector: str) -> list[tree.Node]:
        """Take devices out; a console that is only the view of a serial port goes with it."""
        if not OPTIONS[option].device and option not in ("seclabel", "sysinfo"):
            raise OptionError(f"Cannot use --remove-device with --{option}")
        chosen = self.chosen(option, selector, "remove-device")
        for node in list(chosen):
            twin = self._console_twin(node)
            if twin is not None:
                chosen.append(twin)
        for node in chosen:
            for parent in self.guest.domain.iter():
                if node in list(parent):
                    tree.remove(parent, node)
        return chosen

    def _console_twin(self, node: tree.Node) -> tree.Node | None:
        consoles = self.guest.devices("console")
        if node.tag != "serial" or not consoles:
            return None
        first = consoles[0]
        if first.get("type") == node.get("type") and tree.get(first, "target/@type") in (None, "serial"):
            return first
        return None


def convert_to_q35(guest: Guest) -> list[tree.Node]:
    """Turn a guest of the old PC board into one with PCI Express: machine, controllers, addresses, buses. Raises OptionError."""
    if not guest.x86:
        raise OptionError(f"--convert-to-q35 is for x86 guests, not for {guest.arch}")
    if guest.q35:
        raise OptionError("the guest has a q35 machine already")
    guest.kind = None
    tree.put(guest.domain, "os/type/@machine", "q35")
    devices = guest.domain.find("devices")
    assert devices is not None
    for controller in guest.devices("controller"):
        kind, model = controller.get("type"), controller.get("model")
        if kind in ("pci", "ide", "fdc") or (kind == "usb" and (model or "").startswith("piix")):
            tree.remove(devices, controller)
    for node in list(devices):
        address = node.find("address")
        if address is not None and address.get("type") in ("pci", "drive"):
            tree.remove(node, address)
    for disk in guest.devices("disk"):
        if tree.get(disk, "target/@bus") == "ide":
            tree.put(disk, "target/@bus", "sata")
            tree.put(disk, "target/@dev", None)
            tree.put(disk, "target/@dev", places.free_target(disk, guest.devices("disk")))
    return []
