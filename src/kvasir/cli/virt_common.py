"""What virt-install, virt-xml and virt-clone share: messages, options of the document, checks, the connection."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from kvasir.errors import Error
from kvasir.install import grammar, tree
from kvasir.install.grammar import OptionError
from kvasir.install.spellings import OPTIONS

LEVEL = {"quiet": False, "brief": False}
"""``brief``: errors as ``kvasir`` prints them, which runs these tools inside."""
GUEST = ("iothreads", "seclabel", "keywrap", "cputune", "numatune", "memtune", "blkiotune", "memorybacking", "features", "clock",
         "pm", "events", "resource", "sysinfo", "qemu_commandline", "launchSecurity")  # fmt: skip
DEVICES = ("disk", "network", "graphics", "controller", "input", "serial", "parallel", "channel", "console", "hostdev",
           "filesystem", "sound", "audio", "watchdog", "video", "smartcard", "redirdev", "memballoon", "tpm", "rng", "panic",
           "shmem", "memdev", "vsock", "iommu")  # fmt: skip
ABOUT = {
    "memory": "Memory of the guest: --memory 1024 (MiB), --memory memory=1024,currentMemory=512",
    "vcpus": "Virtual CPUs: --vcpus 5,maxvcpus=10,cpuset=1-4, --vcpus sockets=2,cores=4,threads=2",
    "cpu": "CPU model and features: --cpu host-passthrough, --cpu Nehalem,+x2apic",
    "metadata": "Name, title and other words about the guest: --metadata name=foo,title='Mail server'",
    "boot": "How the guest boots: --boot hd,cdrom,menu=on, --boot uefi, --boot kernel=...,initrd=...",
    "idmap": "User and group mapping of a container: --idmap uid.start=0,uid.target=1000,uid.count=10",
    "disk": "Storage: --disk size=10, --disk /path/to/image,cache=none, --disk device=cdrom,bus=scsi",
    "network": "Network interface: --network bridge=br0, --network network=default,model=virtio,mac=52:54:00:...",
    "graphics": "Display: --graphics spice, --graphics vnc,port=5901,listen=0.0.0.0, --graphics none",
}
INSTALL_WORDS = {
    "install": ("bootdev", "kernel", "initrd", "kernel_args", "kernel_args_overwrite", "os", "no_install"),
    "unattended": ("profile", "admin-password-file", "user-login", "user-password-file", "product-key", "reg-login"),
    "cloud_init": ("root-password-generate", "root-password-file", "disable", "root-ssh-key", "clouduser-ssh-key", "user-data",
                   "meta-data", "network-config"),
    "location": ("location", "kernel", "initrd"),
    "os_variant": ("name", "short-id", "id", "detect", "require"),
    "check": ("path_in_use", "disk_size", "path_exists", "mac_in_use", "all"),
    "xml": ("xpath.delete", "xpath.set", "xpath.create", "xpath.value"),
}  # fmt: skip


def fail(text: object) -> NoReturn:
    """Print an error as the original does and end with 1."""
    tell(text)
    raise SystemExit(1)


def tell(text: object, hint: str | None = "") -> None:
    """Print an error, and what repairs it where that is known."""
    brief = LEVEL["brief"]
    print(f"{'kvasir: ' if brief else 'ERROR    '}{text}", file=sys.stderr)
    if hint:
        print(f"{'kvasir: try:' if brief else 'hint:'} {hint}", file=sys.stderr)


def warn(text: str) -> None:
    if not LEVEL["quiet"]:
        print(f"WARNING  {text}", file=sys.stderr)


def say(text: str = "") -> None:
    """Tell what happens, unless --quiet."""
    if not LEVEL["quiet"]:
        print(text, flush=True)


def document_options(group: Any, names: Iterable[str], *, sound_alone: bool = False) -> None:
    """Add options that fill the document, as the option table has them."""
    extra: dict[str, dict[str, Any]] = {"sound": {"nargs": "?", "const": "default"}} if sound_alone else {}
    spelled = {"network": ["-w", "--network"], "seclabel": ["--seclabel", "--security"], "hostdev": ["--hostdev", "--host-device"],
               "launchSecurity": ["--launchSecurity", "--launchsecurity"]}  # fmt: skip
    for name in names:
        flag = f"--{name.replace('_', '-')}"
        text = ABOUT.get(name) or f"Set <{OPTIONS[name].tag or name}>; see {flag}=?"
        group.add_argument(*spelled.get(name, [flag]), dest=name, action="append", help=text, **extra.get(name, {}))


def common_options(parser: argparse.ArgumentParser, *, short_connect: bool = False) -> None:
    from kvasir import __version__

    parser.add_argument("--version", action="version", version=__version__)
    words = ["-c", "--connect"] if short_connect else ["--connect"]
    parser.add_argument(*words, dest="connect", metavar="URI", help="Connect to hypervisor with libvirt URI")


def last_options(group: Any) -> None:
    group.add_argument("-q", "--quiet", action="store_true", help="Suppress non-error output")
    group.add_argument("-d", "--debug", action="store_true", help="Print debugging information")


def system_option(parser: Any, text: str) -> None:
    group = parser.add_argument_group("OS options")
    group.add_argument("--os-variant", "--osinfo", dest="os_variant", help=text)
    group.add_argument("--os-type", help=argparse.SUPPRESS)


def asked_for_help(options: argparse.Namespace) -> bool:
    """Print the sub-options of every ``--option=?``, and the systems of ``--osinfo list``."""
    from kvasir.install.options import introspect

    found = False
    for name in [*OPTIONS, *INSTALL_WORDS]:
        values = getattr(options, name, None)
        for value in values if isinstance(values, list) else [values]:
            if value in ("?", "help"):
                found = True
                print(f"--{name.replace('_', '-')} options:")
                for word in INSTALL_WORDS.get(name) or introspect(name):
                    print(f"  {word}")
                print()
    if getattr(options, "os_variant", None) == "list":
        from kvasir.install import osinfo

        for names in osinfo.groups():
            print(", ".join(names))
        return True
    return found


class Checks:
    """What ``--check`` turns off."""

    NAMES = ("path_in_use", "disk_size", "path_exists", "mac_in_use")

    def __init__(self, values: list[str] | None) -> None:
        self.said: dict[str, bool] = {}
        self.all: bool | None = None
        for value in values or []:
            for key, text in grammar.table(value, (), lambda k: True, lambda k: False).items():
                if text is None:
                    fail(f"Error: --check {value}: Option '{key}' had no value set.")
                if key not in (*self.NAMES, "all"):
                    fail(f"Unknown --check options: ['{key}']")
                on = grammar.switch(key, text)
                if key == "all":
                    self.all = on
                else:
                    self.said[key] = bool(on)

    def wants(self, name: str) -> bool:
        return self.all if self.all is not None else self.said.get(name, True)

    def fails(self, text: str, name: str, *, tell: bool = True) -> None:
        """End with the error unless the check is off; then warn, where ``tell``."""
        if self.wants(name):
            fail(f"{text} (Use --check {name}=off or --check all=off to override)")
        if tell:
            warn(text)


def words_of(option: str, value: str, first: str = "", commas: tuple[str, ...] = ()) -> dict[str, str | None]:
    """The words of an option that fills no document (``--install``, ``--cloud-init`` ...). Ends with 1 for unknown ones."""
    flag = "--" + option.replace("_", "-")
    known = INSTALL_WORDS[option]
    try:
        found = grammar.table(value, (first,) if first else (), lambda k: k in known, lambda k: k in commas)
    except OptionError as error:
        fail(f"Error: {flag} {value}: {error}")
    unknown = [k for k in found if k not in known and k != "ssh-key"]
    if unknown:
        fail(f"Unknown {flag} options: {unknown}")
    for key, text in found.items():
        if text is None:
            fail(f"Error: {flag} {value}: Option '{key}' had no value set.")
    return found


def on_off(option: str, found: dict[str, str | None], key: str) -> bool | None:
    try:
        return grammar.switch(key, found.get(key)) if key in found else None
    except OptionError as error:
        fail(str(error))


def connect(options: argparse.Namespace, variable: str) -> Any:
    """A client connection. Raises kvasir.errors.Error."""
    import kvasir.client as client

    return client.open(options.connect or os.environ.get(variable) or None)


def raw_xml(values: list[str] | None) -> list[dict[str, str]]:
    """The actions of ``--xml``."""
    out = []
    for value in values or []:
        if not value.startswith("xpath."):
            out.append({"set": value})
            continue
        found = grammar.table(value, (), lambda k: k in INSTALL_WORDS["xml"], lambda k: True)
        unknown = [k for k in found if k not in INSTALL_WORDS["xml"]]
        if unknown:
            fail(f"Unknown --xml options: {unknown}")
        out.append({k.partition(".")[2]: v or "" for k, v in found.items()})
    return out


def finish(root: tree.Node, actions: list[dict[str, str]]) -> None:
    """Do the raw actions and take the notes off. Raises OptionError."""
    from kvasir.install import xpath

    for node in list(root.iter()):
        if isinstance(node.tag, str):
            xpath.run(node, root)
    for action in actions:
        xpath.one(root, root, action)
    for parent in list(root.iter()):
        for kid in list(parent):
            empty = not len(kid) and all(k.startswith("_") for k in kid.attrib) and not (kid.text or "").strip()
            if empty and (kid.get("_gone") or kid.get("_pad")):
                tree.remove(parent, kid)
    for node in root.iter():
        for key in [k for k in node.attrib if k.startswith("_")]:
            del node.attrib[key]


def guess(text: str) -> str:
    """What may have been meant by an unknown sub-option, to be said after its error; '' for other errors."""
    import difflib
    import re

    from kvasir.install.options import introspect

    found = re.match(r"Unknown --(\S+) options: \['([^']*)'", text)
    option = found[1].replace("-", "_") if found else ""
    if not found or option not in OPTIONS:
        return ""
    near = difflib.get_close_matches(found[2], introspect(option), 1)
    return f"; is it {near[0]}? --{found[1]}=? names all" if near else f"; --{found[1]}=? names all"


def guarded(
    options: argparse.Namespace, work: Callable[[], int], aborted: str = "Installation aborted at user request"
) -> int:
    """Run a tool's work and say in one line why it failed: exit status 1, or a traceback with ``--debug``."""
    try:
        status = work()
        if sys.stdout:
            sys.stdout.flush()
        return status
    except OptionError as error:
        if options.debug:
            raise
        fail(f"{error}{guess(str(error))}")
    except Error as error:
        if options.debug:
            raise
        tell(error.message, error.hint)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        print("kvasir: stopped" if LEVEL["brief"] else aborted, file=sys.stderr)
        return 1
