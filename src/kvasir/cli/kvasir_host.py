"""``kvasir host``: is this host good for its guests; ``kvasir plan``: how much disk will images take."""

from __future__ import annotations

import os

from kvasir.cli import hostcheck, hostclock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

IMAGES = "/var/lib/libvirt/images"


def totals(connection: Any) -> tuple[int, int, float]:
    """(virtual CPUs, MiB, GB of disk) of all guests of a connection."""
    import xml.etree.ElementTree as ET

    cpus = mebibytes = 0
    disk = 0.0
    for domain in connection.listAllDomains():
        _, most, _, count, _ = domain.info()
        cpus, mebibytes = cpus + count, mebibytes + most // 1024
        for source in ET.fromstring(domain.XMLDesc(2)).findall("devices/disk[@device='disk']/source"):
            path = source.get("file") or source.get("dev")
            if path:
                try:
                    disk += domain.blockInfo(path).capacity / 1e9
                except Exception:  # an image that is not there yet takes nothing
                    continue
    return cpus, mebibytes, disk


def host(connection: Any, root: str = "", images: str = IMAGES) -> int:
    """Print the host's facts, and what it lacks; 1 when it lacks something."""
    from kvasir.install import sizing

    found, memory = hostcheck.processor(root), hostcheck.memory(root)
    free, threads = hostcheck.free_disk(root + images), os.cpu_count() or 1
    cpus, mebibytes, disk = totals(connection)
    wanted = hostcheck.Wanted(cpus, mebibytes, disk)
    total = memory.get("MemTotal", 0)
    rows = (
        ("processor", f"{found.vendor or 'unknown'}, {found.extension or 'no virtualization extensions'}"),
        ("module", found.module or "none of kvm_intel, kvm_amd"),
        ("counter", hostclock.counter(root)),
        ("time", hostclock.time(root)),
        ("memory", f"{memory.get('MemTotal', 0)} MiB"),
        ("swap", f"{memory.get('SwapTotal', 0)} MiB, {memory.get('SwapFree', 0)} MiB free"),
        ("disk", f"{free:.1f} GB free in {images}"),
        ("guests", f"{cpus} virtual CPUs, {mebibytes} MiB, {disk:.1f} GB"),
        (
            "overcommit",
            f"{cpus / threads:.1f} virtual CPUs for each thread, {mebibytes / max(total, 1):.1f} of the memory",
        ),
        ("recommended", f"{wanted.threads} threads, {wanted.memory} MiB, {wanted.disk:.1f} GB"),
    )
    for name, text in rows:
        print(f"{name:<12} {text}")
    wrong = hostcheck.too_little(free, total) + wanted.short(threads, total, free)
    wrong += sizing.advice(sizing.Host(total << 20, memory.get("SwapTotal", 0) << 20, threads), mebibytes << 20, cpus)
    for text in wrong:
        print(f"warning: {text}")
    if found.hint:
        print(f"hint: {found.hint}")
    return 1 if wrong else 0


def plan(options: argparse.Namespace) -> int:
    """Print the GB that images of those sizes take in all."""
    total = hostcheck.disk_space(options.raw, options.qcow2, options.host, options.swap)
    print(f"{total:g} GB")
    return 0


def host_options(parser: argparse.ArgumentParser) -> None:
    from kvasir.cli.friendly.base import connect

    parser.add_argument("--images", default=IMAGES, help=f"where the images lie ({IMAGES})")
    parser.set_defaults(run=lambda options: host(connect(options), images=options.images))


def plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--raw", type=float, action="append", default=[], metavar="GB", help="a raw image (may be repeated)"
    )
    parser.add_argument(
        "--qcow2", type=float, action="append", default=[], metavar="GB", help="the most that one will hold"
    )
    parser.add_argument("--host", type=float, default=hostcheck.HOST_DISK, metavar="GB", help="for the host itself (6)")
    parser.add_argument("--swap", type=float, default=0, metavar="GB", help="swap space of the guests (0)")
    parser.set_defaults(run=plan)
