"""Earlier spellings of virt-install's options, turned into today's; each that is not silent in the original warns."""

from __future__ import annotations

import argparse
from typing import Any

from .virt_common import fail, warn


def add(group: Any) -> None:
    """Options that no longer stand in the help."""
    hidden = argparse.SUPPRESS
    group.add_argument("-r", "--ram", dest="oldmemory", help=hidden)
    group.add_argument("-u", "--uuid", help=hidden)
    group.add_argument("--description", help=hidden)
    group.add_argument("-c", dest="cdrom_short", help=hidden)
    group.add_argument("--livecd", action="store_true", help=hidden)
    group.add_argument("--init", help=hidden)
    group.add_argument("-f", "--file", dest="old_file", action="append", help=hidden)
    group.add_argument("-s", "--file-size", dest="old_size", action="append", type=float, help=hidden)
    group.add_argument("--nonsparse", dest="old_sparse", action="store_false", help=hidden)
    group.add_argument("--nodisks", action="store_true", help=hidden)
    group.add_argument("--nonetworks", action="store_true", help=hidden)
    group.add_argument("-b", "--bridge", action="append", help=hidden)
    group.add_argument("-m", "--mac", action="append", help=hidden)
    group.add_argument("--vnc", action="store_true", help=hidden)
    group.add_argument("--vncport", type=int, help=hidden)
    group.add_argument("--vnclisten", help=hidden)
    group.add_argument("-k", "--keymap", help=hidden)
    group.add_argument("--sdl", action="store_true", help=hidden)
    group.add_argument("--nographics", action="store_true", help=hidden)
    group.add_argument("--cpuset", help=hidden)
    group.add_argument("--check-cpu", action="store_true", help=hidden)
    group.add_argument("--accelerate", action="store_true", help=hidden)
    group.add_argument("--noapic", action="store_true", help=hidden)
    group.add_argument("--noacpi", action="store_true", help=hidden)
    group.add_argument("--prompt", action="store_true", help=hidden)
    group.add_argument("--force", action="store_true", help=hidden)
    group.add_argument("--print-step", dest="xmlstep", help=hidden)


def convert(options: argparse.Namespace) -> None:
    """Turn earlier spellings into today's. Ends with 1 where old and new contradict."""
    _cdrom(options)
    if options.force:
        options.check = ["all=off"]
    if options.prompt:
        warn("--prompt mode is no longer supported.")
    if options.oldmemory and not options.memory:
        options.memory = [options.oldmemory]
    if options.os_type:
        warn("--os-type is deprecated and does nothing. Please stop using it.")
    if options.check_cpu:
        warn("--check-cpu does nothing any more.")
    _disks(options)
    _networks(options)
    _graphics(options)
    off = [f"{n}=off" for n in ("acpi", "apic") if getattr(options, f"no{n}")]
    if off and not options.features:
        options.features = [",".join(off)]
    if options.cpuset:
        options.vcpus = [*(options.vcpus or []), f"cpuset={options.cpuset}"]
    if options.init:
        options.boot = [*(options.boot or [""])[:-1], f"{(options.boot or [''])[-1]},init={options.init}".lstrip(",")]
    if options.wait == 0:
        warn("Treating --wait 0 as --noautoconsole")
        options.autoconsole, options.wait = "none", None


def _cdrom(options: argparse.Namespace) -> None:
    if not options.cdrom_short:
        return
    if options.cdrom:
        fail("Cannot use -c and --cdrom at the same time")
    if "://" in options.cdrom_short:
        fail(
            "-c specified with what looks like a libvirt URI. Did you mean to use --connect? If not, use --cdrom instead"
        )
    options.cdrom = options.cdrom_short


def _disks(options: argparse.Namespace) -> None:
    files, sizes = options.old_file or [], options.old_size or []
    if options.nodisks and (files or options.disk or sizes):
        fail("Cannot specify storage and use --nodisks")
    if options.disk and (files or sizes or not options.old_sparse):
        fail(
            "Cannot mix --file, --nonsparse, or --file-size with --disk options. "
            "Use --disk PATH[,size=SIZE][,sparse=yes|no]"
        )
    if options.nodisks:
        options.disk = ["none"]
    if options.disk:
        return
    rows = []
    for i in range(max(len(files), len(sizes))):
        words = [f"path={files[i]}"] if i < len(files) else []
        words += [f"size={sizes[i]}"] if i < len(sizes) else []
        words += ["sparse=no"] if not options.old_sparse else []
        rows.append(",".join(words))
    options.disk = rows


def _networks(options: argparse.Namespace) -> None:
    if options.nonetworks:
        options.network = ["none"]
    if options.bridge and options.network:
        fail("Cannot use --bridge and --network at the same time")
    networks = [f"bridge={b}" for b in options.bridge or []] or list(options.network or [])
    macs = options.mac or []
    networks += ["default"] * (max(len(macs), 1) - len(networks))
    for i, mac in enumerate(macs):
        networks[i] += f",mac={mac}"
    for i, text in enumerate(networks):
        for word in ("network", "bridge"):
            if text.startswith(word + ":"):
                networks[i] = text.replace(word + ":", word + "=")
    options.network = networks


def _graphics(options: argparse.Namespace) -> None:
    old = [options.vnc, options.sdl, options.keymap, options.vncport, options.vnclisten]
    if options.graphics and any(old):
        fail("Cannot mix --graphics and old style graphical options")
    kinds = [bool(x) for x in (options.vnc, options.nographics, options.sdl, options.graphics)]
    if sum(kinds) > 1:
        fail("Can't specify more than one of VNC, SDL, --graphics or --nographics")
    if options.graphics or not any(kinds):
        return
    text = "vnc" if options.vnc else "sdl" if options.sdl else "none"
    for word, value in (("listen", options.vnclisten), ("port", options.vncport), ("keymap", options.keymap)):
        text += f",{word}={value}" if value else ""
    options.graphics = [text]
