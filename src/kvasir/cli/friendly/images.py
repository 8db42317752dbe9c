"""``images``: what there is to launch from; pull one, remove one, update the list. Images lie in the pool ``kvasir-images``."""

from __future__ import annotations

import os
import sys

from kvasir.errors import Error

from . import catalogue
from .base import connect, fail, format_option, home, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from .catalogue import Image

POOL = "kvasir-images"


def images_options(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pull", metavar="IMAGE", help="download it")
    what.add_argument(
        "--remove", metavar="IMAGE", help="delete it here; guests that stand on it would be lost, so it stays then"
    )
    what.add_argument("--update", metavar="FILE|URL", help="take a newer list, with its signature beside it (.sig)")
    format_option(parser)
    parser.set_defaults(run=images)


def images(options: argparse.Namespace) -> int:
    """List, pull, remove or update."""
    if options.update:
        return update(options.update)
    if options.pull or options.remove:
        image = catalogue.find(options.pull or options.remove)
        if image is None:
            fail(
                f"no image {options.pull or options.remove!r}; there are: {', '.join(catalogue.names())}",
                "kvasir images",
            )
        if options.pull:
            print(ensure(image, connect(options)))
            return 0
        return remove(image, connect(options))
    rows: list[dict[str, Any]] = [
        {"image": "tiny", "here": "yes" if tiny_here() else "no", "user": "root", "aliases": [], "also": ""}
    ]
    for image in catalogue.images():
        here = "yes" if os.path.exists(image.path) else "part" if os.path.exists(f"{image.path}.part") else "no"
        row: dict[str, Any] = {
            "image": image.full,
            "here": here,
            "user": image.user,
            "aliases": image.aliases,
            "also": " ".join(image.aliases),
        }
        rows.append({**row, "path": image.path if here == "yes" else None, "mirrors": image.mirrors})
    show(options, rows, ("image", "here", "user", "also"))
    return 0


def tiny_here() -> bool:
    from .launch import tiny_folder

    try:
        stderr, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115  (closed below)
        try:
            return bool(tiny_folder())
        finally:
            sys.stderr.close()
            sys.stderr = stderr
    except SystemExit:
        return False


def ensure(image: Image, connection: Any) -> str:
    """The path of an image, downloaded when it is not here. Ends with what can be done when it cannot be had."""
    from . import download

    if not os.path.exists(image.path):
        told = sys.stderr.isatty()
        print(f"Downloading {image.full}", file=sys.stderr)
        try:
            download.fetch(image, image.path, lambda text: print(text, end="", file=sys.stderr, flush=True))
        except download.DownloadError as error:
            if error.offline:
                fail(f"this host is offline, or no mirror of {image.full} answers: {error}",
                     "kvasir launch tiny, or kvasir launch NAME --image FILE with an image that you have")  # fmt: skip
            fail(f"{image.full} cannot be had: {error}", f"kvasir images --pull {image.full}")
        except OSError as error:
            fail(f"{image.path}: {error.strerror}")
        finally:
            if told:
                print(file=sys.stderr)
    in_pool(connection)
    return image.path


def in_pool(connection: Any) -> None:
    """The daemon sees the images as volumes of a pool. One far away has no use for them."""
    folder = os.path.join(home(), "images")
    try:
        pool = connection.storagePoolLookupByName(POOL)
    except Error:
        import xml.etree.ElementTree as ET

        root = ET.Element("pool", {"type": "dir"})
        ET.SubElement(root, "name").text = POOL
        ET.SubElement(ET.SubElement(root, "target"), "path").text = folder
        pool = connection.storagePoolDefineXML(ET.tostring(root, encoding="unicode"), 0)
        pool.setAutostart(1)
    if not pool.isActive():
        pool.create(0)
    pool.refresh(0)


def standing_on(connection: Any, path: str) -> list[str]:
    """Guests whose disks have this backing file."""
    from .base import disks

    found = []
    for domain in connection.listAllDomains(0):
        for disk in disks(domain.XMLDesc(0)):
            if backing(connection, disk) == path:
                found.append(domain.name())
    return found


def backing(connection: Any, path: str) -> str:
    import xml.etree.ElementTree as ET

    try:
        text = connection.storageVolLookupByPath(path).XMLDesc(0)
    except Error:
        return ""
    return ET.fromstring(text).findtext("backingStore/path") or ""


def remove(image: Image, connection: Any) -> int:
    """Delete an image that no guest stands on."""
    users = standing_on(connection, image.path)
    if users:
        fail(f"{image.full} is under the disks of {', '.join(users)}", f"kvasir delete --purge {users[0]}")
    there = [path for path in (image.path, f"{image.path}.part", f"{image.path}.part.tag") if os.path.exists(path)]
    for path in there:
        os.unlink(path)
    if not there:
        print(f"{image.full} is not here", file=sys.stderr)
    return 0


def update(source: str) -> int:
    """Put a list in force whose signature is good."""
    from .download import reason

    new = f"{catalogue.updated()}.new"
    os.makedirs(home(), 0o755, exist_ok=True)
    try:
        for suffix in ("", ".sig"):
            with open(new + suffix, "wb") as file:
                file.write(signature(source) if suffix else content(source))
        catalogue.verify(new)
        with open(new, encoding="utf-8") as text:
            count = len(catalogue.parse(text.read(catalogue.MOST)))
        if catalogue.issued(new) < catalogue.issued(catalogue.updated()):
            raise ValueError(f"it is older than the list in force, of {catalogue.issued(catalogue.updated())}")
        for suffix in (".sig", ""):
            os.replace(new + suffix, catalogue.updated() + suffix)
    except OSError as error:
        fail(f"{source}: {reason(error)}")
    except ValueError as error:
        fail(f"{source}: {error}")
    finally:
        for suffix in ("", ".sig"):
            if os.path.exists(new + suffix):
                os.unlink(new + suffix)
    print(f"{count} images")
    return 0


def signature(source: str) -> bytes:
    """The signature beside a list. Raises ValueError where there is none."""
    try:
        return content(f"{source}.sig")
    except OSError as error:
        from .download import reason

        raise ValueError(f"its signature {source}.sig cannot be had: {reason(error)}") from None


def content(source: str) -> bytes:
    if "://" not in source:
        with open(source, "rb") as file:
            return file.read(catalogue.MOST)
    import urllib.request

    from .download import TIMEOUT, agent

    with urllib.request.urlopen(urllib.request.Request(source, headers=agent()), timeout=TIMEOUT) as answer:
        return bytes(answer.read(catalogue.MOST))
