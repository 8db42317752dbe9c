"""``launch``: a machine from an image of the catalogue, a file, an installer's ISO image, or the tiny guest."""

from __future__ import annotations

import os
import sys

from kvasir.disk import places

from . import network, seed
from .base import NAMESPACE, NO_DOMAIN, connect, count, fail, gibibytes, home, mebibytes
from .guests import console

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn

TINY_MEMORY, MEMORY = 256, 1024
KEYS = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")


def launch_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("image", nargs="?", default="tiny", metavar="NAME|IMAGE",
                   help="an image (kvasir images), a disk or ISO image's path, 'tiny' (the default); with --image the guest's name")  # fmt: skip
    p.add_argument(
        "--image", dest="file", metavar="IMAGE", help="image of the catalogue, or a file, that NAME is made from"
    )
    p.add_argument("--name", help="name of the guest (by default the image's, with a number where it is taken)")
    p.add_argument("--memory", type=mebibytes, metavar="MIB", help=f"memory, also as 2G ({MEMORY}; tiny {TINY_MEMORY})")
    p.add_argument("--cpus", type=count, default=1, metavar="NUMBER")
    p.add_argument("--disk", type=gibibytes, default=10.0, metavar="GIB", help="size of its own disk (10)")
    p.add_argument(
        "--network", default="auto", help="auto, user, none, a network's name, or as virt-install's --network (auto)"
    )
    p.add_argument("--publish", action="append", default=[], metavar="HOST:GUEST[/udp]",
                   help="a port of this host's loopback that leads into the guest")  # fmt: skip
    p.add_argument("--virt-type", choices=("kvm", "qemu"), help="hardware or software; the best there is by default")
    p.add_argument("--ssh-key", metavar="FILE", help="public key for the image's user (by default yours in ~/.ssh)")
    p.add_argument("--no-cloud-init", dest="cloud_init", action="store_false", help="no seed for cloud-init")
    p.add_argument("--osinfo", help="the system in the image, as virt-install's")
    p.add_argument("--console", dest="console", action="store_true", help="open its console when it runs")
    p.add_argument("--no-console", dest="console", action="store_false", help="open no console (the default)")
    p.set_defaults(run=launch, console=False)


def tiny_folder() -> str:
    """The folder of the tiny guest. Ends with the command that makes it when there is none."""
    found = places.tiny()
    if found:
        return found
    fail("the tiny guest is not built yet", f"{places.PROJECT}/scripts/tiny-guest")


def quoted(word: str) -> str:
    """A value for an option string of virt-install, whose parts are set apart by commas."""
    if '"' in word or "\n" in word:
        fail(f"a path with quotes cannot be used: {word!r}")
    return f'"{word}"' if "," in word or "'" in word or " " in word else word


def tiny_words() -> list[str]:
    folder = tiny_folder()
    with open(os.path.join(folder, "cmdline"), encoding="ascii") as file:
        line = file.read().strip()
    boot = f"kernel={folder}/kernel,initrd={folder}/initramfs,kernel_args='{line}'"
    words = ["--boot", boot, "--disk", "none", "--osinfo", "linux2022", "--rng", "/dev/urandom"]
    words += ["--channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0"]
    return [*words, "--controller", "usb,model=none", "--memballoon", "virtio", "--video", "none", "--sound", "none"]


def image_format(image: str) -> str:
    from kvasir.storage import probe

    fd = probe.open_volume(image)
    try:
        return probe.probe(fd).format
    finally:
        os.close(fd)


def image_words(image: str, options: argparse.Namespace, osinfo: str, seeded: str) -> list[str]:
    """A disk of the guest's own: over the image, or empty beside an installer's medium; and the seed."""
    words = ["--osinfo", osinfo] if osinfo else ["--osinfo", "detect=on,require=off"]
    if image.endswith(".iso"):
        return [*words, "--disk", f"size={options.disk},bus=virtio", "--cdrom", image, "--graphics", "vnc"]
    disk = f"size={options.disk},backing_store={quoted(image)},backing_format={image_format(image)},bus=virtio"
    words += ["--import", "--disk", disk, "--graphics", "none"]
    words += ["--channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0", "--rng", "/dev/urandom"]
    return [*words, "--disk", f"path={quoted(seeded)},device=cdrom,readonly=on"] if seeded else words


def own_key() -> str:
    """The private key that is made where the user has none."""
    return os.path.join(home(), "ssh", "id_ed25519")


def public_key(said: str | None) -> str:
    """The user's public key: the one named, the first of ~/.ssh (of who called sudo), or one made now for ``kvasir ssh``."""
    if said:
        if not os.path.exists(said):
            fail(f"no public key {said!r}")
        return os.path.abspath(said)
    user = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
    folder = os.path.expanduser(f"~{user}/.ssh" if user else "~/.ssh")
    for name in KEYS:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    key = own_key()
    if not os.path.exists(f"{key}.pub"):
        import shutil
        import subprocess

        if not shutil.which("ssh-keygen"):
            fail("you have no ssh key, and ssh-keygen is missing", "apt-get install openssh-client")
        os.makedirs(os.path.dirname(key), 0o700, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kvasir", "-f", key], check=True)
    return f"{key}.pub"


def free_name(connection: Any, stem: str) -> str:
    """The stem, or the stem with the first number that is free."""
    names = {d.name() for d in connection.listAllDomains(0)}
    return next(n for i in range(1, 10000) if (n := stem if i == 1 else f"{stem}-{i}") not in names)


def chosen(options: argparse.Namespace) -> tuple[str, str | None]:
    """The image, and the guest's name when one was said."""
    if options.file:
        return options.file, options.name or (None if options.image == "tiny" else options.image)
    return options.image, options.name


def launch(options: argparse.Namespace) -> int:
    """Make and start a guest, tell how to reach it."""
    from kvasir.cli import virt_install

    from . import catalogue

    connection = connect(options)
    seeds: list[str] = []
    word, name = chosen(options)
    stem = os.path.basename(word).partition(".")[0].partition(":")[0]
    if name and exists(connection, name):
        fail(f"there is a guest {name!r}", f"kvasir start {name}")
    name = name or free_name(connection, stem)
    words = [f"--name={name}", "--vcpus", str(options.cpus), "--noautoconsole", "--quiet"]
    user, memory = "", options.memory or MEMORY
    if word == "tiny":
        words += [*tiny_words(), "--import", "--graphics", "none"]
        user, memory = "root", options.memory or TINY_MEMORY
    elif os.path.exists(word):
        seeds = wanted_seed(name, options) if not word.endswith(".iso") else []
        words += image_words(os.path.abspath(word), options, options.osinfo or "", "".join(seeds))
    else:
        entry = catalogue.find(word)
        if entry is None:
            no_image(word)
        from .images import ensure

        path, user = ensure(entry, connection), entry.user
        seeds = wanted_seed(name, options)
        words += image_words(path, options, options.osinfo or entry.osinfo, "".join(seeds))
    words += ["--memory", str(memory), "--network", network.words(connection, options.network, options.publish)]
    words += ["--connect", options.connect] if options.connect else []
    words += ["--virt-type", options.virt_type or virt_type(connection)]
    try:
        code = virt_install.main(words, brief=True)
    except SystemExit:
        seed.remove(seeds)
        raise
    if code:
        seed.remove(seeds)
    return code or after(connection, name, user, options)


def no_image(word: str) -> NoReturn:
    """Nothing is known by that word: a file that is not there, a misspelled image, or the name of a guest to be."""
    import difflib

    from . import catalogue

    names = catalogue.names()
    if "/" in word or word.endswith((".qcow2", ".img", ".raw", ".iso")):
        fail(f"there is no file {word!r}", "kvasir images")
    near = difflib.get_close_matches(word, names, 1)
    hint = f"kvasir launch {near[0]}" if near else f"kvasir launch {word} --image tiny"
    fail(f"no image {word!r}: name a disk image, an ISO image, or one of {', '.join(names)}", hint)


def wanted_seed(name: str, options: argparse.Namespace) -> list[str]:
    """The seed's path; none where it is not wanted."""
    return [seed.make(name, public_key(options.ssh_key))] if options.cloud_init else []


def virt_type(connection: Any) -> str:
    """Hardware virtualization where the daemon has it; where it has not, a word about it."""
    if "<domain type='kvm'" in connection.getCapabilities():
        return "kvm"
    print("kvasir: no KVM here: the guest is emulated, which is slow; kvasir doctor tells why", file=sys.stderr)
    return "qemu"


def exists(connection: Any, name: str) -> bool:
    from kvasir.errors import Error

    try:
        connection.lookupByName(name)
    except Error as error:
        if int(error.code) != NO_DOMAIN:
            raise
        return False
    return True


def after(connection: Any, name: str, user: str, options: argparse.Namespace) -> int:
    """Note the image's user in the guest, tell the next words, open the console when asked."""
    domain = connection.lookupByName(name)
    if user:
        domain.setMetadata(2, f"<machine user='{user}'/>", "kvasir", NAMESPACE, 3)
    told = [f"{name} is running. Its console: kvasir console {name}   Its end: kvasir stop {name}"]
    ports = [row for row in network.forwards(domain.XMLDesc(0)) if row["guest"] == network.SSH]
    if user and user != "root":
        told.append(f"Log in as {user}: kvasir ssh {name}")
    if user != "root":  # the tiny guest has no ssh server
        told += [f"Its port {row['guest']} is {row['address']}:{row['host']} here." for row in ports]
    print("\n".join(told))
    if options.console and sys.stdin.isatty():
        options.name = name
        return console(options)
    return 0
