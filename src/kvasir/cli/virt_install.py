"""``virt-install``: make a new guest from install media or an image."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any, NoReturn

from kvasir.errors import Error
from kvasir.install.options import OptionError, apply, introspect, split
from kvasir.install.spellings import OPTIONS

METHODS = "--location URL, --cdrom CD/ISO, --pxe, --import, --boot hd|cdrom|..."
SINGLE = ("boot", "metadata")


def fail(text: object) -> NoReturn:
    """Print an error as the original does and end with 1."""
    print(f"ERROR    {text}", file=sys.stderr)
    raise SystemExit(1)


def warn(text: str) -> None:
    print(f"WARNING  {text}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The command line. Device and document options come from the option table."""
    from kvasir import __version__

    p = argparse.ArgumentParser(
        prog="virt-install",
        usage="%(prog)s --name NAME --memory MB STORAGE INSTALL [options]",
        description="Create a new virtual machine from specified install media.",
        epilog="Use '--option=?' or '--option help' to see the sub-options of an option.",
    )
    p.add_argument("--version", action="version", version=__version__)
    p.add_argument("--connect", metavar="URI", help="Connect to hypervisor with libvirt URI")
    general = p.add_argument_group("General Options")
    general.add_argument("-n", "--name", help="Name of the guest instance")
    general.add_argument("--memory", help="Memory in MiB: --memory 1024, --memory memory=1024,currentMemory=512")
    general.add_argument("-r", "--ram", dest="oldmemory", help=argparse.SUPPRESS)
    general.add_argument("-u", "--uuid", help=argparse.SUPPRESS)
    general.add_argument("--description", help=argparse.SUPPRESS)
    method = p.add_argument_group("Installation Method Options")
    method.add_argument("-c", "--cdrom", help="CD-ROM installation media")
    method.add_argument("-l", "--location", help="Install tree: URL, local folder or ISO[,kernel=K,initrd=I]")
    method.add_argument("--pxe", action="store_true", help="Boot from the network using the PXE protocol")
    method.add_argument(
        "--import", action="store_true", dest="import_install", help="Use an existing disk image as it is"
    )
    method.add_argument("--livecd", action="store_true", help=argparse.SUPPRESS)
    method.add_argument("-x", "--extra-args", action="append", help="Arguments for the kernel booted from --location")
    method.add_argument("--initrd-inject", action="append", help="Add a file to the root of the initrd of --location")
    system = p.add_argument_group("OS options")
    system.add_argument(
        "--os-variant",
        "--osinfo",
        help="The OS being installed in the guest: name, or list, detect=on|off,require=on|off",
    )
    system.add_argument("--os-type", help=argparse.SUPPRESS)
    documents = p.add_argument_group("Device and Guest Configuration Options")
    for name in sorted(set(OPTIONS) - {"memory"}):
        spelled = [f"--{name.replace('_', '-')}"]
        spelled += {"disk": ["--disk"], "network": ["-w", "--network"], "vcpus": ["--vcpus"]}.get(name, [])
        const = {"sound": "default"}.get(name)
        extra: dict[str, Any] = {"nargs": "?", "const": const} if const else {}
        documents.add_argument(
            *dict.fromkeys(spelled), dest=name, action="append", help=f"See --{name.replace('_', '-')}=?", **extra
        )
    _old_options(documents)
    _platform_options(p.add_argument_group("Virtualization Platform Options"))
    _other_options(p.add_argument_group("Miscellaneous Options"))
    return p


def _platform_options(platform: Any) -> None:
    platform.add_argument(
        "-v", "--hvm", dest="hvm_type", action="store_const", const="hvm", help="Fully virtualized guest"
    )
    platform.add_argument("--virt-type", help="kvm or qemu")
    platform.add_argument("--arch", help="The CPU architecture to simulate")
    platform.add_argument("--machine", help="The machine type to emulate")


def _other_options(misc: Any) -> None:
    misc.add_argument("--autostart", action="store_true", help="Have domain autostart on host boot up.")
    misc.add_argument("--transient", action="store_true", help="Create a transient domain.")
    misc.add_argument("--destroy-on-exit", action="store_true", help="Power the domain off when the console is left.")
    misc.add_argument("--wait", type=int, const=-1, nargs="?", help="Minutes to wait for install to complete.")
    misc.add_argument("--noreboot", action="store_true", help="Don't boot the guest after completing the install")
    misc.add_argument("--autoconsole", default="default", help="text, graphical or none")
    misc.add_argument("--noautoconsole", dest="autoconsole", action="store_const", const="none", help="No console")
    misc.add_argument(
        "--print-xml", nargs="?", const="all", dest="xmlonly", help="Print the document: step 1, 2 or all"
    )
    misc.add_argument("--dry-run", action="store_true", dest="dry", help="Run through the install, create nothing")
    misc.add_argument("--check", action="append", help="Turn checks on or off: path_in_use=off, disk_size=off, all=off")
    misc.add_argument("-q", "--quiet", action="store_true", help="Suppress non-error output")
    misc.add_argument("-d", "--debug", action="store_true", help="Print debugging information")


def _old_options(group: Any) -> None:
    """Spellings of earlier versions; each says in a warning what to write instead."""
    hidden = argparse.SUPPRESS
    group.add_argument("-f", "--file", dest="old_file", action="append", help=hidden)
    group.add_argument("-s", "--file-size", dest="old_size", action="append", help=hidden)
    group.add_argument("--nodisks", action="store_true", help=hidden)
    group.add_argument("--nonetworks", action="store_true", help=hidden)
    group.add_argument("-b", "--bridge", action="append", help=hidden)
    group.add_argument("-m", "--mac", action="append", help=hidden)
    group.add_argument("--vnc", action="store_true", help=hidden)
    group.add_argument("--vncport", help=hidden)
    group.add_argument("--vnclisten", help=hidden)
    group.add_argument("--nographics", action="store_true", help=hidden)
    group.add_argument("--cpuset", help=hidden)
    group.add_argument("--accelerate", action="store_true", help=hidden)


def convert_old(options: argparse.Namespace) -> None:
    """Turn earlier spellings into today's."""
    if options.oldmemory and not options.memory:
        options.memory = options.oldmemory
    if options.os_type:
        warn("--os-type is deprecated and does nothing. Please stop using it.")
    if options.nodisks:
        options.disk = ["none"]
    if options.old_file and options.disk:
        fail(
            "Cannot mix --file, --nonsparse, or --file-size with --disk options. Use --disk PATH[,size=SIZE][,sparse=yes|no]"
        )
    for i, path in enumerate(options.old_file or []):
        size = (options.old_size or [])[i : i + 1]
        options.disk = [*(options.disk or []), f"path={path}" + (f",size={size[0]}" if size else "")]
    _old_networks(options)
    if options.nographics:
        options.graphics = ["none"]
    elif options.vnc:
        listen = f",listen={options.vnclisten}" if options.vnclisten else ""
        options.graphics = ["vnc" + listen + (f",port={options.vncport}" if options.vncport else "")]
    if options.cpuset:
        options.vcpus = [*(options.vcpus or []), f"cpuset={options.cpuset}"]
    if options.wait == 0:
        warn("Treating --wait 0 as --noautoconsole")
        options.autoconsole, options.wait = "none", None


def _old_networks(options: argparse.Namespace) -> None:
    if options.nonetworks:
        options.network = ["none"]
    if options.bridge:
        options.network = [*(options.network or []), *(f"bridge={b}" for b in options.bridge)]
    options.network = [
        n.replace("network:", "network=", 1).replace("bridge:", "bridge=", 1) for n in options.network or ["default"]
    ]
    for i, mac in enumerate(options.mac or []):
        if i < len(options.network):
            options.network[i] += f",mac={mac}"


def asked_for_help(options: argparse.Namespace) -> bool:
    """Print the sub-options of every ``--option=?``."""
    found = False
    for name in OPTIONS:
        values = getattr(options, name, None)
        for value in values if isinstance(values, list) else [values]:
            if value in ("?", "help"):
                found = True
                print(f"--{name.replace('_', '-')} options:")
                for word in introspect(name):
                    print(f"  {word}")
                print()
    if options.os_variant in ("list", "?", "help"):
        from kvasir.install import osinfo

        print("\n".join(osinfo.names()))
        return True
    return found


def set_system(guest: Any, options: argparse.Namespace) -> None:
    """Find the operating system's facts. An unknown name is an error only where it is required."""
    from kvasir.install import osinfo

    name, require = "", False
    for i, (key, value) in enumerate(split(options.os_variant or "")):
        if value is None and i == 0:
            name = "" if key in ("auto", "detect", "none") else key
        elif key in ("name", "short-id", "id"):
            name = value or ""
        elif key == "require":
            require = value in ("on", "yes")
        elif key != "detect":
            fail(f"Unknown --os-variant options: ['{key}']")
    if not name:
        if require:
            fail("--os-variant/--osinfo OS name is required, but no value was\nset or detected.")
        return
    system = osinfo.lookup(name)
    if system is None:
        if require:
            fail(f"Unknown OS name '{name}'. See `--osinfo list` for valid values.")
        warn(f"Unknown OS name '{name}': using generic defaults. `--osinfo list` prints the known names.")
        return
    guest.system = system


def build(connection: Any, options: argparse.Namespace) -> Any:
    """Turn the options into a guest and its installer. Raises OptionError, HostError, kvasir errors."""
    from kvasir.install import tree
    from kvasir.install.disks import DiskMaker
    from kvasir.install.guest import Guest
    from kvasir.install.installer import Installer, Method
    from kvasir.install.media import Location

    guest = Guest(connection)
    for name in SINGLE:
        for value in getattr(options, name) or []:
            apply(name, value, guest.domain)
    for key in ("name", "uuid", "description"):
        if getattr(options, key):
            tree.put(guest.domain, key, getattr(options, key))
    guest.set_host_defaults(options.virt_type or "", options.arch or "", options.hvm_type or "", options.machine or "")
    set_system(guest, options)
    method = Method(
        cdrom=options.cdrom or "",
        location=Location.from_option(options.location) if options.location else None,
        pxe=options.pxe,
        extra_args=options.extra_args or [],
        initrd_inject=options.initrd_inject or [],
    )
    method.no_install = bool(options.livecd) or (
        not method.installs and bool(options.import_install or options.xmlonly or options.boot)
    )
    if sum((bool(method.cdrom), bool(method.location), method.pxe)) > 1:
        fail("Only one install method can be used (" + METHODS + ")")
    if (method.extra_args or method.initrd_inject) and not method.location:
        fail("Kernel arguments and initrd injections are only supported with --location installs.")
    if not guest.name:
        taken = {d.name() for d in connection.listAllDomains(0)}
        name = next(n for i in range(10000) if (n := f"vm{i or ''}") not in taken)
        print(f"Using default --name {name}", file=sys.stderr if options.xmlonly else sys.stdout)
        tree.put(guest.domain, "name", name)
    maker = DiskMaker(connection, guest.name, local=not getattr(connection, "remote", False))
    for name in OPTIONS:
        if name not in SINGLE:
            fill_option(guest, maker, name, getattr(options, name))
    installer = Installer(connection, guest, method, maker)
    required(options, guest, method)
    installer.prepare_guest()
    guest.set_defaults()
    return installer


def fill_option(guest: Any, maker: Any, name: str, values: Any) -> None:
    """Put every value of one option into the document."""
    about = OPTIONS[name]
    for value in values if isinstance(values, list) else [values] if values else []:
        if value == "none" and about.device and name != "memballoon":
            guest.skip.add(about.tag)
            continue
        node = apply(name, value, guest.domain)
        if name == "disk":
            maker.fill(node)


def required(options: argparse.Namespace, guest: Any, method: Any) -> None:
    """Say in one message what is missing."""
    missing = []
    if options.memory is None and guest.domain.get("_memory") is None and guest.system.ram is None:
        missing.append("--memory amount in MiB is required")
    if not options.disk and not options.filesystem and guest.system.storage is None:
        missing.append("--disk storage must be specified (override with --disk none)")
    if not method.given:
        missing.append(f"An install method must be specified\n({METHODS})")
    if missing:
        fail("\n" + "\n".join(missing))


def print_documents(installer: Any, step: str) -> None:
    first, final = installer.documents(fetch=False)
    if first is None:
        first, final = final, None
    if step not in ("1", "2", "all"):
        fail(f"Unknown XML step request '{step}', must be 1, 2, or all")
    if step == "2" and final is None:
        fail("Requested installation does not have XML step 2")
    print(first if step == "1" else final if step == "2" else first + ("\n" + final if final else ""))


def run(connection: Any, installer: Any, options: argparse.Namespace) -> int:
    """Create the guest, then follow it as the options say."""
    say = (lambda text: None) if options.quiet else print
    say("\nStarting install...")
    domain = installer.start(boot=not options.noreboot, transient=options.transient, autostart=options.autostart)
    text_console = options.autoconsole == "text" or (
        options.autoconsole == "default" and not installer.guest.devices("graphics")
    )
    if options.autoconsole == "default" and not text_console and options.wait is None:
        warn("No console to launch for the guest, defaulting to --wait -1")
        options.wait = -1
    if text_console and sys.stdin.isatty() and domain.isActive():
        from kvasir.cli.console import run_console

        run_console(domain)
        if options.destroy_on_exit and domain.isActive():
            domain.destroy()
    if domain.isActive() and not wait(domain, installer, options, say):
        return 1 if options.wait is not None else 0
    say("Domain creation completed.")
    if options.transient or domain.isActive():
        return 0
    if options.noreboot or not installer.method.installs:
        say(f"You can restart your domain by running:\n  virsh --connect {connection.getURI()} start {domain.name()}")
        return 0
    say("Restarting guest.")
    domain.create()
    return 0


def wait(domain: Any, installer: Any, options: argparse.Namespace, say: Any) -> bool:
    """Wait as long as asked for the guest to end its install. False where the program should end instead."""
    if options.wait is None:
        if installer.method.installs:
            say("\nDomain is still running. Installation may be in progress.\n"
                "You can reconnect to the console to complete the installation process.")  # fmt: skip
        return not installer.method.installs
    if not installer.method.installs and options.wait < 0 and options.autoconsole == "default":
        return True
    say("\nDomain is still running. Installation may be in progress.")
    forever = options.wait < 0
    say(
        "Waiting for the installation to complete."
        if forever
        else f"Waiting {options.wait} minutes for the installation to complete."
    )
    end = time.monotonic() + options.wait * 60
    while forever or time.monotonic() < end:
        try:
            if not domain.isActive():
                say("Domain has shutdown. Continuing.")
                return True
        except Error as error:
            if options.transient and error.code == 42:
                return True
            raise
        time.sleep(1)
    say("Installation has exceeded specified time limit. Exiting application.")
    return False


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit status: 0 done, 1 failed, 2 wrong usage."""
    options = parser().parse_args(argv)
    if asked_for_help(options):
        return 0
    options.quiet = options.quiet or bool(options.xmlonly)
    convert_old(options)
    import kvasir.client as client
    from kvasir.install.host import HostError

    try:
        connection = client.open(options.connect or os.environ.get("VIRTINSTALL_URI") or None)
        installer = build(connection, options)
        if options.xmlonly:
            print_documents(installer, options.xmlonly)
            return 0
        if options.dry:
            installer.documents(fetch=False)
            print("Dry run completed successfully")
            return 0
        return run(connection, installer, options)
    except (OptionError, HostError) as error:
        if options.debug:
            raise
        fail(error)
    except Error as error:
        if options.debug:
            raise
        hint = f"\nhint: {error.hint}" if error.hint else ""
        fail(f"{error.message}{hint}\nDomain installation does not appear to have been successful.")
    except KeyboardInterrupt:
        print("Installation aborted at user request", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
