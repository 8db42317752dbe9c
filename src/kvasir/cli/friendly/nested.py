"""``nested``: may guests run guests of their own with KVM (guide, chapter 12), and for how long; ``--enable`` makes it so."""

from __future__ import annotations

import os
import re
import subprocess

from kvasir.cli import hostcheck

from .base import fail, format_option, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

CONF = "/etc/modprobe.d/kvm.conf"
NEEDED = {"kvm_intel": ("vmx", "ept"), "kvm_amd": ("svm", "npt")}
ON_BY_ITSELF = (4, 20)  # the kernel from which the modules have it on without being asked


def module(root: str = "") -> str:
    """The host's KVM module, by what is loaded, else by its processor; '' where it has none."""
    flags = flags_of(root)
    for name, (flag, _) in NEEDED.items():
        if os.path.isdir(f"{root}/sys/module/{name}"):
            return name
        if flag in flags and not any(os.path.isdir(f"{root}/sys/module/{other}") for other in NEEDED):
            return name
    return ""


def flags_of(root: str) -> set[str]:
    lines = hostcheck.read(f"{root}/proc/cpuinfo").splitlines()
    return {word for line in lines if line.startswith("flags") for word in line.split(":", 1)[-1].split()}


def enabled(root: str, name: str) -> bool:
    return hostcheck.read(f"{root}/sys/module/{name}/parameters/nested").strip() in ("Y", "1")


def configured(root: str, name: str) -> bool | None:
    """What the files of /etc/modprobe.d say for the next boot; None where they say nothing."""
    said = None
    folder = f"{root}/etc/modprobe.d"
    for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        for line in hostcheck.read(f"{folder}/{file}").splitlines() if file.endswith(".conf") else []:
            found = re.match(rf"\s*options\s+{name}\s+(?:.*\s)?nested=(\w+)", line)
            if found:
                said = found[1] in ("1", "Y", "y")
    return said


def by_itself(root: str) -> bool:
    """Whether the kernel has it on without being asked; one that does not say its version is a new one."""
    found = re.match(r"(\d+)\.(\d+)", hostcheck.read(f"{root}/proc/sys/kernel/osrelease"))
    return found is None or (int(found[1]), int(found[2])) >= ON_BY_ITSELF


def missing(root: str, name: str) -> list[str]:
    """Flags of the processor that nested guests want and that are not there."""
    have = flags_of(root)
    return [flag for flag in NEEDED.get(name, ()) if flag not in have]


def persistent(root: str, name: str) -> bool:
    said = configured(root, name)
    return by_itself(root) if said is None else said


def system(root: str) -> str:
    """The host's operating system."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', hostcheck.read(f"{root}/etc/os-release"), re.MULTILINE)
    return found[1] if found else "unknown"


def state(root: str) -> dict[str, Any]:
    """All that is known."""
    name = module(root)
    on = bool(name) and enabled(root, name)
    lacks = missing(root, name) if name else [flag for pair in NEEDED.values() for flag in pair[:1]]
    words = "enabled" if on else "disabled"
    if on and not persistent(root, name):
        words = "enabled now, not persistent"
    return {"module": name, "nested": words, "on": on, "persistent": bool(name) and persistent(root, name),
            "missing": lacks, "host": system(root)}  # fmt: skip


def nested_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--enable", action="store_true", help=f"switch it on, now and at every boot ({CONF})")
    what.add_argument("--disable", action="store_true", help="switch it off, now and at every boot")
    parser.add_argument("--root", default="", metavar="DIR", help="look at the host whose files lie below DIR")
    format_option(parser)
    parser.set_defaults(run=nested)


def nested(options: argparse.Namespace) -> int:
    """Print the state, or change it. 1 where guests cannot have guests."""
    root = options.root
    if options.enable or options.disable:
        switch(root, on=options.enable)
    found = state(root)
    if options.format != "table":
        show(options, [found], ())
    else:
        print(f"{found['module'] or 'no KVM'}: nested virtualization is {found['nested']}; host: {found['host']}")
        if found["missing"]:
            flags = (" and " if found["module"] else " or ").join(found["missing"])  # without a module: of either maker
            print(f"the processor lacks {flags}, without which guests cannot run guests of their own")
        if found["on"] and not found["persistent"]:
            print("kvasir: try: kvasir nested --enable")
    return 0 if found["on"] and not found["missing"] else 1


def switch(root: str, *, on: bool) -> None:
    """Write the file and load the module anew. Refused while guests use it."""
    name = module(root)
    if not name:
        fail("this host has no KVM", "kvasir doctor")
    users = hostcheck.read(f"{root}/sys/module/{name}/refcnt").strip()
    if users not in ("", "0"):
        fail(f"{name} is in use: guests run ({users} uses of the module)", "kvasir list, then kvasir stop GUEST")
    line, path = f"options {name} nested={int(on)}", root + CONF
    kept = [row for row in hostcheck.read(path).splitlines() if not re.match(rf"\s*options\s+{name}\s.*nested=", row)]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*kept, line, ""]))
    for words in (["modprobe", "-r", name], ["modprobe", name, f"nested={int(on)}"]):
        try:
            done = subprocess.run(words, capture_output=True, text=True)
        except OSError as error:
            fail(f"modprobe: {error.strerror}; {path} is written and holds from the next boot")
        if done.returncode:
            fail(f"{' '.join(words)}: {done.stderr.strip()}; {path} is written and holds from the next boot")
