"""``kvasir``: the friendly command. A machine in one line, and the few words needed to live with it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, NoReturn

from kvasir.errors import Error

STATES = ("no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")
TINY_PLACES = ("{project}/.cache/tiny", "{home}/.cache/kvasir/tiny", "/usr/share/kvasir/tiny")


def fail(text: str, hint: str = "") -> NoReturn:
    """Print an error and what repairs it, end with 1."""
    print(f"kvasir: {text}", file=sys.stderr)
    if hint:
        print(f"kvasir: try: {hint}", file=sys.stderr)
    raise SystemExit(1)


def project() -> str:
    return os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def tiny_folder() -> str:
    """The folder of the tiny guest. Ends with the command that makes it when there is none."""
    places = [p.format(project=project(), home=os.path.expanduser("~")) for p in TINY_PLACES]
    for place in [os.environ.get("KVASIR_TINY", ""), *places]:
        if place and os.path.exists(os.path.join(place, "kernel")):
            return place
    fail("the tiny guest is not built yet", f"{project()}/scripts/tiny-guest")


def connect(options: argparse.Namespace) -> Any:
    import kvasir.client as client

    return client.open(options.connect)


def find(connection: Any, name: str) -> Any:
    """The guest of that name, with the list of names when there is none."""
    try:
        return connection.lookupByName(name)
    except Error as error:
        if int(error.code) != 42:
            raise
        names = ", ".join(sorted(d.name() for d in connection.listAllDomains(0))) or "none"
        fail(f"no guest {name!r}; there are: {names}")


def install_words(options: argparse.Namespace, name: str) -> list[str]:
    """The ``virt-install`` words that make the wanted machine."""
    words = ["--name", name, "--memory", str(options.memory), "--vcpus", str(options.cpus), "--noautoconsole"]
    words += ["--import", "--graphics", "none", "--quiet"]
    if options.connect:
        words += ["--connect", options.connect]
    if options.virt_type:
        words += ["--virt-type", options.virt_type]
    words += ["--network", options.network]
    if options.image == "tiny":
        folder = tiny_folder()
        with open(os.path.join(folder, "cmdline"), encoding="ascii") as file:
            line = file.read().strip()
        words += ["--boot", f"kernel={folder}/kernel,initrd={folder}/initramfs,kernel_args='{line}'", "--disk", "none"]
        words += ["--channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0", "--rng", "/dev/urandom"]
        return [*words, "--controller", "usb,model=none", "--memballoon", "virtio"]
    image = os.path.abspath(options.image)
    if not os.path.exists(image):
        fail(f"no image {options.image!r}: name a disk image, an ISO image, or 'tiny'")
    if image.endswith(".iso"):
        return [*words, "--disk", f"size={options.disk},bus=virtio", "--cdrom", image]
    return [*words, "--disk", f"size={options.disk},backing_store={image},backing_format={_format(image)},bus=virtio"]


def _format(image: str) -> str:
    from kvasir.storage import probe

    fd = probe.open_volume(image)
    try:
        return probe.probe(fd).format
    finally:
        os.close(fd)


def free_name(connection: Any, stem: str) -> str:
    taken = {d.name() for d in connection.listAllDomains(0)}
    return next(n for i in range(1, 10000) if (n := stem if i == 1 else f"{stem}-{i}") not in taken)


def launch(options: argparse.Namespace) -> int:
    """Make and start a guest from an image (or the tiny guest), then open its console."""
    from kvasir.cli import virt_install

    connection = connect(options)
    stem = os.path.basename(options.image).partition(".")[0]
    name = options.name or free_name(connection, stem)
    code = virt_install.main(install_words(options, name))
    if code:
        return code
    print(f"{name} is running. Its console: kvasir console {name}   Its end: kvasir stop {name}")
    if options.console and sys.stdin.isatty():
        return console(argparse.Namespace(connect=options.connect, name=name))
    return 0


def show(options: argparse.Namespace) -> int:
    """List the guests."""
    connection = connect(options)
    rows = [
        (d.name(), STATES[d.info()[0]], f"{d.info()[1] // 1024} MiB", str(d.info()[3]))
        for d in connection.listAllDomains(0)
    ]
    heads = ("NAME", "STATE", "MEMORY", "CPUS")
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *sorted(rows)]:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def start(options: argparse.Namespace) -> int:
    """Start a guest."""
    find(connect(options), options.name).create()
    return 0


def stop(options: argparse.Namespace) -> int:
    """Ask a guest to shut down; cut its power when it has not after the time given."""
    import time

    domain = find(connect(options), options.name)
    if not domain.isActive():
        return 0
    if not options.force:
        domain.shutdown()
        end = time.monotonic() + options.timeout
        while time.monotonic() < end:
            if not domain.isActive():
                return 0
            time.sleep(0.2)
    if domain.isActive():
        domain.destroy()
    return 0


def console(options: argparse.Namespace) -> int:
    """Open a guest's console; leave it with ctrl + ]."""
    from kvasir.cli.console import run_console

    run_console(find(connect(options), options.name))
    return 0


def delete(options: argparse.Namespace) -> int:
    """Forget a guest. Its disks stay unless ``--disks`` is said."""
    import xml.etree.ElementTree as ET

    connection = connect(options)
    domain = find(connection, options.name)
    paths = [s.get("file") for s in ET.fromstring(domain.XMLDesc(2)).findall("devices/disk[@device='disk']/source")]
    if domain.isActive():
        domain.destroy()
    if domain.isPersistent():
        domain.undefineFlags(0x1 | 0x4)
    if options.disks:
        for path in filter(None, paths):
            connection.storageVolLookupByPath(path).delete(0)
    return 0


def image(options: argparse.Namespace) -> int:
    """Offline work on disk images."""
    from kvasir.cli.image import image as work

    return work(options)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from kvasir import __version__

    p = argparse.ArgumentParser(prog="kvasir", description="Virtual machines in one line.")
    p.add_argument("--version", action="version", version=__version__)
    p.add_argument(
        "-c", "--connect", metavar="URI", help="libvirt URI; by default the system's daemon for root, else your own"
    )
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = commands.add_parser("launch", help="make and start a guest")
    new.add_argument("image", nargs="?", default="tiny", help="disk image, ISO image, or 'tiny' (the default)")
    new.add_argument("--name")
    new.add_argument("--memory", type=int, default=256, help="MiB (256)")
    new.add_argument("--cpus", type=int, default=1)
    new.add_argument("--disk", type=float, default=10, help="GiB of its own disk (10)")
    new.add_argument("--network", default="none", help="as virt-install's --network (none)")
    new.add_argument("--virt-type", choices=("kvm", "qemu"), help="hardware or software; the best there is by default")
    new.add_argument("--no-console", dest="console", action="store_false")
    new.set_defaults(run=launch)
    commands.add_parser("list", help="list the guests").set_defaults(run=show)
    for name, what, run in (("start", "start a guest", start), ("console", "open a guest's console", console)):
        one = commands.add_parser(name, help=what)
        one.add_argument("name")
        one.set_defaults(run=run)
    end = commands.add_parser("stop", help="shut a guest down")
    end.add_argument("name")
    end.add_argument("--timeout", type=float, default=30, help="seconds to wait before the power is cut (30)")
    end.add_argument("--force", action="store_true", help="cut the power at once")
    end.set_defaults(run=stop)
    gone = commands.add_parser("delete", help="forget a guest")
    gone.add_argument("name")
    gone.add_argument("--disks", action="store_true", help="delete its disks too")
    gone.set_defaults(run=delete)
    from kvasir.cli import kvasir_host

    kvasir_host.add(commands, connect)
    disk = commands.add_parser("image", help="work on disk images: create, convert, resize, check ...", add_help=False)
    disk.add_argument("words", nargs=argparse.REMAINDER)
    disk.set_defaults(run=image)
    return p


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["image"]:  # its options are qemu-img's, which argparse would take for its own
        return image(argparse.Namespace(words=words[1:]))
    options = parser().parse_args(words)
    try:
        return int(options.run(options))
    except Error as error:
        fail(error.message, error.hint)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
