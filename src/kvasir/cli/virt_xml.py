"""``virt-xml``: change the document of a guest by options."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from kvasir.errors import Error
from kvasir.install import tree
from kvasir.install.spellings import OPTIONS

from . import virt_common as common
from .virt_common import fail, say, warn

ACTIONS = ("edit", "add-device", "remove-device", "build-xml")
SECURE, INACTIVE, LIVE = 1, 2, 1


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="virt-xml",
        usage="%(prog)s [options]",
        description="Edit libvirt XML using command line options.",
        epilog="Use '--option=?' or '--option help' to see the sub-options of an option.",
    )
    common.common_options(p, short_connect=True)
    p.add_argument("domain", nargs="?", help="Domain name, id, or uuid")
    act = p.add_argument_group("XML actions")
    act.add_argument("--edit", nargs="?", default=-1, help="Edit: first device, number, 'all', or property=value")
    act.add_argument(
        "--remove-device", action="store_true", help="Remove devices: --remove-device --disk 1|all|target=vda"
    )
    act.add_argument("--add-device", action="store_true", help="Add a device: --add-device --disk ...")
    act.add_argument(
        "--build-xml", action="store_true", help="Print the device's document only; the domain is optional"
    )
    out = p.add_argument_group("Output options")
    out.add_argument("--update", action="store_true", help="Change the running guest too")
    group = out.add_mutually_exclusive_group()
    group.add_argument("--define", action="store_true", help="Define the domain even where something is printed")
    group.add_argument("--no-define", dest="define", action="store_false", help="Do not define the domain")
    group.set_defaults(define=None)
    out.add_argument("--start", action="store_true", help="Start the domain")
    out.add_argument("--print-diff", action="store_true", help="Only print the change, as a diff")
    out.add_argument("--print-xml", action="store_true", help="Only print the changed document")
    out.add_argument("--confirm", action="store_true", help="Ask before anything is saved")
    out.add_argument(
        "--convert-to-q35", nargs="?", const="yes", help="Turn a PC guest (i440fx) into one with PCI Express"
    )
    common.system_option(p, "The OS installed in the guest; see --osinfo list")
    xml = p.add_argument_group("XML options")
    common.document_options(xml, ("disk", "network", "graphics", "metadata", "memory", "vcpus", "cpu"))
    xml.add_argument("--xml", action="append", help="Raw change: ./cpu/@mode=host-passthrough, xpath.delete=./clock")
    common.document_options(
        xml, (*common.GUEST, "boot", "idmap", *(d for d in common.DEVICES if d not in ("disk", "network", "graphics")))
    )
    common.last_options(p.add_argument_group("Miscellaneous Options"))
    return p


def ask(text: str) -> bool:
    """A yes-or-no question on the terminal."""
    while True:
        sys.stdout.write(f"{text} (y/n): ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if line.strip().lower() in ("y", "yes"):
            return True
        if line.strip().lower() in ("n", "no") or not line:
            return False
        print("Please enter 'yes' or 'no'.")


def one_action(options: argparse.Namespace) -> str:
    found = [a for a in ACTIONS if getattr(options, a.replace("-", "_")) not in (False, -1)]
    if options.convert_to_q35:
        found.append("convert-to-q35")
    if not found:
        fail(f"One of {', '.join('--' + a for a in ACTIONS)} must be specified.")
    if len(found) > 1:
        fail(f"Conflicting options {', '.join('--' + a for a in found)}")
    return found[0]


def one_option(options: argparse.Namespace) -> str:
    found = [name for name in [*OPTIONS, "xml"] if getattr(options, name, None)]
    if not found:
        fail("No change specified.")
    if len(found) != 1:
        fail(
            f"Only one change operation may be specified (conflicting options {['--' + n.replace('_', '-') for n in found]})"
        )
    return found[0]


def find_domain(connection: Any, word: str) -> Any:
    """The guest by name, id or UUID. Ends with 1 when there is none."""
    looks: list[tuple[Any, Any]] = [(connection.lookupByName, word)]
    if re.fullmatch(r"-?\d+", word):
        looks.append((connection.lookupByID, int(word)))
    elif re.fullmatch(r"[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}", word):
        looks.append((connection.lookupByUUIDString, word))
    said = ""
    for look, key in looks:
        try:
            return look(key)
        except Error as error:
            said = error.message
    fail(f"Could not find domain '{word}': {said}")


class Change:
    """One change of one document."""

    def __init__(self, connection: Any, options: argparse.Namespace, action: str, option: str) -> None:
        self.connection, self.options, self.action, self.option = connection, options, action, option
        self.maker: Any = None

    def apply(self, text: str) -> tuple[list[tree.Node], str, str]:
        """Change a document: the devices, the document before and after. Raises OptionError."""
        from kvasir.install import edit

        root = tree.parse(text)
        before = tree.dump(root)
        guest = edit.guest_of(self.connection, root)
        session = edit.Editor(self.connection, guest)
        self.maker = session.maker
        values = getattr(self.options, self.option, None) or []
        actions: list[dict[str, str]] = []
        if self.action == "convert-to-q35":
            devices = edit.convert_to_q35(guest)
        elif self.option == "xml":
            if self.action != "edit":
                fail("--xml can only be used with --edit")
            devices, actions = [], common.raw_xml(values)
        elif self.action == "edit":
            if self.options.os_variant is not None:
                fail("--os-variant/--osinfo is not supported with --edit")
            devices = session.edit(self.option, values, self.options.edit)
        elif self.action == "add-device":
            set_system(guest, self.options.os_variant)
            devices = session.add(self.option, values)
        else:
            if self.options.os_variant is not None:
                fail("--os-variant/--osinfo is not supported with --remove-device")
            devices = session.remove(self.option, values[-1])
        common.finish(root, actions)
        return devices, before, tree.dump(root)

    def setup(self) -> None:
        """Create the images of added disks."""
        if self.action == "add-device" and self.maker is not None:
            self.maker.create()


def set_system(guest: Any, name: str | None) -> None:
    from kvasir.install import osinfo

    if name is None:
        guest.system = osinfo.of_document(guest.domain) or guest.system
        return
    word = name.partition("=")[2] or name
    found = osinfo.lookup(word)
    if found is None:
        fail(f"Unknown OS name '{word}'. See `--osinfo list` for valid values.")
    guest.system = found
    guest.set_metadata(replace=True)


def show(options: argparse.Namespace, before: str, after: str) -> bool:
    """Print what was asked for. False when nothing changed."""
    import difflib

    same = before == after
    if same:
        warn("No XML diff was generated. The requested changes will have no effect.")
    if options.print_diff:
        diff = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "Original XML", "Altered XML")
        text = "".join(diff)
        if text:
            print(text)
    elif options.print_xml:
        print(after)
    return not same


LIVE_WORDS = {
    "add-device": ("Hotplug this device to the guest", "hotplug", "attachDeviceFlags"),
    "remove-device": ("Hotunplug this device from the guest", "hotunplug", "detachDeviceFlags"),
    "edit": ("Update this device for the guest", "update", "updateDeviceFlags"),
}


def update(domain: Any, change: Change, devices: list[tree.Node], confirm: bool) -> None:
    """Change the running guest, device by device. Ends with 1 at the first that fails."""
    question, word, call = LIVE_WORDS[change.action]
    for device in devices:
        text = tree.fragment(device)
        if confirm and not ask(f"{text}\n\n{question} '{domain.name()}'?"):
            continue
        change.setup()
        try:
            getattr(domain, call)(text, LIVE)
        except Error as error:
            fail(f"Error attempting device {word}: {error.message}")
        say(f"Device {word} successful.")
        if confirm:
            say("")


def build_xml(connection: Any, options: argparse.Namespace, option: str, domain: Any) -> int:
    from kvasir.install import edit

    if not OPTIONS[option].edit:
        fail(f"--build-xml not supported for --{option}")
    if options.os_variant is not None:
        fail("--os-variant/--osinfo is not supported with --build-xml")
    text = domain.XMLDesc(SECURE) if domain is not None else options.stdinxml or "<domain/>"
    guest = edit.guest_of(connection, tree.parse(text))
    set_system(guest, None)
    for node in edit.Editor(connection, guest).build(option, getattr(options, option)):
        common.finish(node, [])
        if not node.attrib and not len(node) and not node.text and not OPTIONS[option].device:
            print("\n")
            continue
        print(tree.fragment(node) + "\n")
    return 0


def prepare(options: argparse.Namespace) -> None:
    """Read standard input where no domain is named; decide what is printed and defined."""
    options.stdinxml = None
    if not options.domain and not options.build_xml:
        if sys.stdin.closed or sys.stdin.isatty():
            fail("A domain must be specified")
        for name in ("confirm", "update"):
            if getattr(options, name):
                fail(f"Can't use --{name} with stdin input.")
        options.stdinxml = sys.stdin.read()
    if not options.print_xml and not options.print_diff:
        if options.stdinxml:
            options.print_xml = options.print_xml or not options.define
        elif options.define is None:
            options.define = True
    if options.confirm and not options.print_xml:
        options.print_diff = True


def work(options: argparse.Namespace) -> int:
    prepare(options)
    action = one_action(options)
    option = "machine" if action == "convert-to-q35" else one_option(options)
    if options.update and (option in ("xml", "machine") or not OPTIONS[option].edit):
        fail(f"Don't know how to --update for --{option}")
    connection = common.connect(options, "VIRTINSTALL_URI")
    domain = find_domain(connection, options.domain) if options.domain else None
    if action == "build-xml":
        return build_xml(connection, options, option, domain)
    change = Change(connection, options, action, option)
    running = domain is not None and domain.isActive()
    updated = False
    if options.update:
        if options.start:
            fail("Cannot use --update and --start at the same time")
        if domain is not None and running:
            devices, _, _ = change.apply(domain.XMLDesc(SECURE))
            update(domain, change, devices, options.confirm)
            updated = True
        else:
            warn("The VM is not running, --update is inapplicable.")
        if not options.define:
            return 0
    original = str(domain.XMLDesc(SECURE | INACTIVE) if domain is not None else options.stdinxml)
    _, before, after = change.apply(original)
    show(options, before, after)
    return save(connection, options, change, domain, original, after, running and not updated, updated)


def save(
    connection: Any,
    options: argparse.Namespace,
    change: Change,
    domain: Any,
    original: str,
    after: str,
    later: bool,
    updated: bool,
) -> int:
    """Define or start the changed document as asked."""
    name = tree.get(tree.parse(after), "name") or ""
    if not options.define:
        if options.start and (not options.confirm or ask(f"Start '{name}' with the changed XML?")):
            change.setup()
            try:
                connection.createXML(after, 0)
            except Error as error:
                fail(f"Failed starting domain '{name}': {error.message}")
            say(f"Domain '{name}' started successfully.")
        return 0
    if options.confirm and not ask(f"Define '{name}' with the changed XML?"):
        return 0
    if not updated:
        change.setup()
    defined = connection.defineXML(after)
    say(f"Domain '{name}' defined successfully.")
    if options.start:
        try:
            defined.create()
        except Error as error:
            fail(f"Failed starting domain '{name}': {error.message}")
        say(f"Domain '{name}' started successfully.")
    elif later:
        say("Changes will take effect after the domain is fully powered off.")
    elif domain is not None and defined.XMLDesc(SECURE | INACTIVE) == original:
        warn("XML did not change after domain define. You may have changed a value that libvirt is setting by default.")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit status: 0 done, 1 failed, 2 wrong usage."""
    options = parser().parse_args(argv)
    if options.confirm or options.print_xml or options.print_diff or options.build_xml:
        options.quiet = False
    common.LEVEL["quiet"] = options.quiet
    return common.guarded(
        options, lambda: 0 if common.asked_for_help(options) else work(options), "Aborted at user request"
    )


if __name__ == "__main__":
    sys.exit(main())
