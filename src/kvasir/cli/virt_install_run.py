"""The work of virt-install: create the guest, then follow it as the options say."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from typing import Any

from kvasir.errors import Error
from kvasir.install import tree

from .virt_common import LEVEL, fail, say, tell, warn

NO_DOMAIN = 42
SHUTOFF, DESTROYED, SAVED, CRASHED = 5, 2, 5, 6


def run(connection: Any, installer: Any, options: argparse.Namespace) -> int:
    """Make the guest. Exit status as the original's."""
    console = Console(installer, options)
    if installer.method.cdrom and console.kind == "text":
        warn(
            "CDROM media does not print to the text console by default, so you likely will not see text install output. "
            "You might want to use --location. See the man page for examples of using --location with CDROM media"
        )
    if options.wait is None and console.kind == "none" and options.autoconsole == "default":
        warn("No console to launch for the guest, defaulting to --wait -1")
        options.wait = -1
    say("\nStarting install...")
    _tell_password(installer)
    name = installer.guest.name
    try:
        _name_is_free(connection, name, installer)
        domain = installer.start(
            boot=not options.noreboot, transient=options.transient, autostart=options.autostart, say=say
        )
        return _follow(connection, domain, installer, options, console)
    except Error as error:
        tell(error.message, error.hint or without_kvm(error.message))
        if LEVEL["brief"]:
            return 1
        print(
            "Domain installation does not appear to have been successful.\nIf it was, you can restart your domain by running:\n"
            f"  {_start_command(connection, name)}\notherwise, please restart your installation.",
            file=sys.stderr,
        )
        return 1


def without_kvm(text: str) -> str:
    """What helps where QEMU could not use KVM."""
    refused = "Could not access KVM" in text or "failed to initialize kvm" in text
    return "--virt-type qemu runs it without KVM, slower; kvasir doctor tells what KVM lacks" if refused else ""


def _name_is_free(connection: Any, name: str, installer: Any) -> None:
    if installer.method.reinstall:
        return
    try:
        connection.lookupByName(name)
    except Error as error:
        if int(error.code) != NO_DOMAIN:
            raise
        return
    fail(f"Guest name '{name}' is already in use.")


def _start_command(connection: Any, name: str) -> str:
    return f"virsh --connect {connection.getURI()} start {name}"


def _tell_password(installer: Any) -> None:
    """The password that was made up for root, once."""
    cloud = installer.method.cloud_init
    if cloud is None or not cloud.generate or cloud.password_file:
        return
    print(f"Password for first root login is: {cloud.password}", flush=True)
    if sys.stdin.isatty():
        import select

        print("Installation will continue in 10 seconds (press Enter to skip)...", end="", flush=True)
        select.select([sys.stdin], [], [], 10)


class Console:
    """Which console is opened: text, graphical or none."""

    def __init__(self, installer: Any, options: argparse.Namespace) -> None:
        kind = options.autoconsole
        if kind not in ("none", "default", "text", "graphical"):
            fail(f"Unknown autoconsole type '{kind}'")
        self.kind = self._default(installer) if kind == "default" else kind

    @staticmethod
    def _default(installer: Any) -> str:
        if installer.method.cloud_init:
            return "text"
        graphics = installer.guest.devices("graphics")
        if not graphics:
            return "text"
        if graphics[0].get("type") not in ("vnc", "spice"):
            return "none"
        if not shutil.which("virt-viewer"):
            warn(
                "Unable to connect to graphical console: virt-viewer not installed. Please install the 'virt-viewer' package."
            )
            return "none"
        if not os.environ.get("DISPLAY"):
            warn("Graphics requested but DISPLAY is not set. Not running virt-viewer.")
            return "none"
        return "graphical"

    def open(self, connection: Any, domain: Any, *, wait: bool) -> bool:
        """Show the console. True when it was shown to its end."""
        if self.kind == "none" or not domain.isActive():
            return False
        if self.kind == "graphical":
            import subprocess

            words = ["virt-viewer", "--connect", connection.getURI(), "--wait", domain.name()]
            viewer = subprocess.Popen(words)
            if wait and viewer.wait():
                warn("Console command returned failure.")
            return wait
        if not sys.stdin.isatty() or not wait:
            return False
        from .console import run_console

        say(f"Running text console command: virsh --connect {connection.getURI()} console {domain.name()}")
        run_console(domain)
        return True


def _follow(connection: Any, domain: Any, installer: Any, options: argparse.Namespace, console: Console) -> int:
    try:
        shown = console.open(connection, domain, wait=options.wait is None)
        if shown and options.destroy_on_exit and _active(domain, options):
            domain.destroy()
        if _active(domain, options) and not _wait(domain, installer, options):
            return 1 if options.wait is not None else 0
    except KeyboardInterrupt:
        if options.destroy_on_exit and _active(domain, options):
            domain.destroy()
        print("Domain install interrupted.", file=sys.stderr)
        raise
    say("Domain creation completed.")
    if options.transient or domain.isActive():
        return 0
    if options.noreboot or not installer.method.installs:
        say(f"You can restart your domain by running:\n  {_start_command(connection, domain.name())}")
        return 0
    state, reason = domain.state()
    if (
        state == SHUTOFF
        and reason in (DESTROYED, SAVED)
        and not options.destroy_on_exit
        and not _rebooted(domain, installer)
    ):
        say("User stopped the VM. Not rebooting.")
        return 0
    say("Restarting guest.")
    domain.create()
    if console.open(connection, domain, wait=True) and options.destroy_on_exit and domain.isActive():
        domain.destroy()
    return 0


def _rebooted(domain: Any, installer: Any) -> bool:
    """Whether the guest itself asked for the reboot that ended it (``on_reboot`` is destroy while it installs)."""
    return tree.get(installer.guest.domain, "on_reboot") == "destroy"


def _active(domain: Any, options: argparse.Namespace) -> bool:
    """Whether the guest runs. Ends with 1 when it crashed."""
    try:
        if domain.state()[0] == CRASHED:
            fail("Domain has crashed.")
        return bool(domain.isActive())
    except Error as error:
        if options.transient and int(error.code) == NO_DOMAIN:
            return False
        raise


def _wait(domain: Any, installer: Any, options: argparse.Namespace) -> bool:
    """Wait as long as asked for the guest to end its install. False where the program should end instead."""
    text = "\nDomain is still running. Installation may be in progress."
    if options.wait is None:
        if installer.method.installs:
            say(text + "\nYou can reconnect to the console to complete the installation process.")
        return not installer.method.installs
    forever = options.wait < 0
    say(text)
    minutes = f"{options.wait} minute{'s' if options.wait != 1 else ''}"
    say(
        "Waiting for the installation to complete."
        if forever
        else f"Waiting {minutes} for the installation to complete."
    )
    end = time.monotonic() + options.wait * 60
    while forever or time.monotonic() < end:
        if not _active(domain, options):
            say("Domain has shutdown. Continuing.")
            return True
        time.sleep(0.5)
    say("Installation has exceeded specified time limit. Exiting application.")
    return False
