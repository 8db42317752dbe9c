"""Seeds for cloud-init that stay with their guest: it may reboot, and go back to snapshots, as often as it likes."""

from __future__ import annotations

import os

from .base import home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def folder() -> str:
    """Where the seeds lie; others may pass, so that QEMU's user comes to its own."""
    path = os.path.join(home(), "seeds")
    os.makedirs(path, 0o755, exist_ok=True)
    return path


def make(name: str, key: str) -> str:
    """A seed with the guest's name and a public key for the image's user; no password. Its path."""
    from kvasir.install.cloudinit import CloudInit

    return CloudInit(user_key=key).make(folder(), name)


def of(text: str) -> list[str]:
    """The seeds that a guest's document names."""
    import xml.etree.ElementTree as ET

    found = [s.get("file") or "" for s in ET.fromstring(text).findall("devices/disk[@device='cdrom']/source")]
    return [path for path in found if os.path.dirname(path) == os.path.join(home(), "seeds")]


def remove(paths: list[str]) -> None:
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)


def renew(connection: Any, domain: Any) -> None:
    """Give a clone a seed of its own, with its name: cloud-init in it sees a new machine, and makes new host keys."""
    import io
    import json
    import uuid

    text = domain.XMLDesc(3)
    for path in of(text):
        import pycdlib

        from kvasir.install.cloudinit import make_image

        iso = pycdlib.PyCdlib()
        iso.open(path)
        try:
            data = io.BytesIO()
            iso.get_file_from_iso_fp(data, joliet_path="/user-data")
        finally:
            iso.close()
        meta = json.dumps({"instance-id": f"iid-{uuid.uuid4()}", "local-hostname": domain.name()}) + "\n"
        new = make_image(folder(), "cidata", {"meta-data": meta.encode(), "user-data": data.getvalue()})
        text = text.replace(path, new)
        connection.defineXML(text)
