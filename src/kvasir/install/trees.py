"""Which system an install tree without ``.treeinfo`` holds: Debian and Ubuntu by folder names, Debian's netboot package, SUSE's lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Read = Callable[[str], "str | None"]
CODENAME = re.compile(r"/dists/([a-z]+)(?:/|\Z)")
VERSION = re.compile(r"Debian version:\s*(\d+)")
SUSE = (
    (re.compile(r"openSUSE[- ]Leap\s+(\d+\.\d+)"), "opensuse{}"), (re.compile(r"openSUSE[- ]Tumbleweed"), "opensusetumbleweed"),
    (re.compile(r"openSUSE\s+(\d+\.\d+)"), "opensuse{}"), (re.compile(r"SLES?D?(\d+)[- ]SP(\d)"), "sles{}sp{}"),
    (re.compile(r"SLES?D?[- ]?(\d+)(?!\d|[- ]SP)"), "sle{}"),
)  # fmt: skip


def candidates(where: str, read: Read) -> Iterator[str]:
    """Short names of systems that it may be, the surest first."""
    found = CODENAME.search(where)
    if found:
        order = ("ubuntu", "debian") if "ubuntu" in where else ("debian", "ubuntu")
        yield from (f"{distro}{found[1]}" for distro in order)
    said = VERSION.search(read("version.info") or "")
    if said:
        yield f"debian{said[1]}"
    for name in ("media.1/products", "content"):
        text = read(name)
        for pattern, form in SUSE if text else ():
            match = pattern.search(text or "")
            if match:
                yield form.format(*match.groups())
                break


def system(where: str, read: Read) -> str:
    """The short name of the tree's system, '' where nothing tells."""
    from . import osinfo

    found = (osinfo.lookup(name) for name in candidates(where, read))
    return next((one.name for one in found if one is not None), "")
