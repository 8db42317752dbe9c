"""``virt-install``: make a new guest from install media or an image."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from . import virt_common as common
from . import virt_install_old as old
from .virt_common import fail


def parser() -> argparse.ArgumentParser:
    """The command line. Device and document options come from the option table."""
    p = argparse.ArgumentParser(
        prog="virt-install",
        usage="%(prog)s --name NAME --memory MB STORAGE INSTALL [options]",
        description="Create a new virtual machine from specified install media.",
        epilog="Use '--option=?' or '--option help' to see the sub-options of an option.",
    )
    common.common_options(p)
    general = p.add_argument_group("General Options")
    general.add_argument("-n", "--name", help="Name of the guest instance")
    common.document_options(general, ("memory", "vcpus", "cpu", "metadata"))
    general.add_argument(
        "--xml", action="append", help="Raw change of the final document: ./cpu/@mode=host-passthrough"
    )
    _method_options(p.add_argument_group("Installation Method Options"))
    common.system_option(p, "The OS being installed in the guest: name, or list, detect=on|off,require=on|off")
    devices = p.add_argument_group("Device Options")
    common.document_options(devices, common.DEVICES, sound_alone=True)
    common.document_options(p.add_argument_group("Guest Configuration Options"), common.GUEST)
    old.add(devices)
    _platform_options(p.add_argument_group("Virtualization Platform Options"))
    _other_options(p.add_argument_group("Miscellaneous Options"))
    return p


def _method_options(method: Any) -> None:
    method.add_argument("--cdrom", help="CD-ROM installation media")
    method.add_argument("-l", "--location", help="Install tree: URL, local folder or ISO[,kernel=K,initrd=I]")
    method.add_argument("--pxe", action="store_true", help="Boot from the network using the PXE protocol")
    method.add_argument(
        "--import", action="store_true", dest="import_install", help="Use an existing disk image as it is"
    )
    method.add_argument("-x", "--extra-args", action="append", help="Arguments for the kernel booted from --location")
    method.add_argument("--initrd-inject", action="append", help="Add a file to the root of the initrd of --location")
    method.add_argument("--unattended", nargs="?", const="", help="Install without questions; see --unattended=?")
    method.add_argument("--install", help="Fine-grained: kernel=,initrd=,kernel_args=,bootdev=,os=,no_install=")
    method.add_argument(
        "--reinstall", metavar="DOMAIN", help="Install anew into an existing guest; other options are ignored"
    )
    method.add_argument("--cloud-init", nargs="?", const="", help="Make a seed for cloud-init; see --cloud-init=?")
    common.document_options(method, ("boot", "idmap"))


def _platform_options(platform: Any) -> None:
    kind = platform.add_mutually_exclusive_group()
    for words, value, text in (
        (["-v", "--hvm"], "hvm", "fully virtualized"),
        (["-p", "--paravirt"], "xen", "paravirtualized"),
        (["--container"], "exe", "container"),
    ):
        kind.add_argument(*words, dest="hvm_type", action="store_const", const=value, help=f"This is a {text} guest")
    platform.add_argument("--virt-type", help="Hypervisor name to use: kvm or qemu")
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
    common.last_options(misc)


def main(argv: list[str] | None = None, *, brief: bool = False) -> int:
    """Entry point. Exit status: 0 done, 1 failed, 2 wrong usage. ``brief``: errors in one line, as ``kvasir`` prints them."""
    options = parser().parse_args(argv)
    options.xmlonly = options.xmlstep or options.xmlonly
    options.quiet = options.quiet or bool(options.xmlonly)
    common.LEVEL.update(quiet=options.quiet, brief=brief)
    return common.guarded(options, lambda: _asked(options))


def _asked(options: argparse.Namespace) -> int:
    if common.asked_for_help(options):
        return 0
    old.convert(options)
    return _work(options)


def _work(options: argparse.Namespace) -> int:
    from kvasir.install.host import HostError

    from . import virt_install_build as build

    connection = common.connect(options, "VIRTINSTALL_URI")
    try:
        installer = build.build(connection, options)
    except HostError as error:
        fail(error)
    if options.xmlonly or options.dry:
        print_documents(installer, options)
        return 0
    from .virt_install_run import run

    return run(connection, installer, options)


def print_documents(installer: Any, options: argparse.Namespace) -> None:
    first, final = installer.documents(fetch=False)
    if first is None:
        first, final = final, None
    if options.dry and not options.xmlonly:
        print("Dry run completed successfully")
        return
    step = options.xmlonly
    if step not in ("1", "2", "all"):
        fail(f"Unknown XML step request '{step}', must be 1, 2, or all")
    if step == "2" and final is None:
        fail("Requested installation does not have XML step 2")
    print(first if step == "1" else final if step == "2" else first + (final or ""))


if __name__ == "__main__":
    sys.exit(main())
