"""``clone``: virt-clone with a name, its own forwarded ports, and the state told in words."""

from __future__ import annotations

from . import network, seed
from .base import connect, fail, find, guest_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def clone_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.add_argument("new", nargs="?", metavar="NEW", help="name of the clone (by default GUEST-2 ...)")
    parser.add_argument("--start", action="store_true", help="start it")
    parser.set_defaults(run=clone)


def clone(options: argparse.Namespace) -> int:
    """Copy a guest that is shut off."""
    from kvasir.cli import virt_clone

    from .launch import exists, free_name

    connection = connect(options)
    if find(connection, options.name).isActive():
        fail(f"{options.name} runs; a clone is made of a guest that is shut off", f"kvasir stop {options.name}")
    new = options.new or free_name(connection, options.name)
    if exists(connection, new):
        fail(f"there is a guest {new!r}")
    words = [f"--original={options.name}", f"--name={new}", "--auto-clone", "--quiet"]
    code = virt_clone.main([*words, "--connect", options.connect] if options.connect else words, brief=True)
    if code:
        return code
    network.renew(connection, connection.lookupByName(new))
    seed.renew(connection, connection.lookupByName(new))
    if options.start:
        connection.lookupByName(new).create()
    print(f"{new} is {'running' if options.start else 'made. Start it: kvasir start ' + new}")
    return 0
