"""Seeds for cloud-init (NoCloud): user-data, meta-data and network-config on a small ISO image labelled ``cidata``."""

from __future__ import annotations

import json
import os
import secrets
import string
import uuid
from dataclasses import dataclass, field
from typing import Any

from .grammar import OptionError


@dataclass
class CloudInit:
    """What ``--cloud-init`` said. Files are read when the seed is made."""

    generate: bool = False
    password_file: str = ""
    disable: bool = False
    root_key: str = ""
    user_key: str = ""
    user_data: str = ""
    meta_data: str = ""
    network_config: str = ""
    _password: str = field(default="", repr=False)

    @property
    def password(self) -> str:
        """Root's password: one made up once where it is to be generated, else the first line of the file."""
        if self.password_file:
            return first_line(self.password_file)
        if self.generate and not self._password:
            self._password = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
        return self._password

    def files(self, name: str) -> dict[str, str]:
        """Name -> content of all files of the seed. Raises OptionError for a file that cannot be read."""
        out = {"meta-data": self._meta(name), "user-data": self._user()}
        if self.network_config:
            out["network-config"] = read(self.network_config)
        return out

    def _meta(self, name: str) -> str:
        if self.meta_data:
            return read(self.meta_data)
        return json.dumps({"instance-id": f"iid-{uuid.uuid4()}", "local-hostname": name}) + "\n"

    def _user(self) -> str:
        if self.user_data:
            return read(self.user_data)
        return "#cloud-config\n" + json.dumps(self.config(), indent=2) + "\n"

    def config(self) -> dict[str, Any]:
        """The configuration as a document (JSON is YAML). A password is never set but when asked for."""
        out: dict[str, Any] = {}
        if self.password:
            out["chpasswd"] = {"list": f"root:{self.password}\n", "expire": self.generate and not self.password_file}
        users: list[Any] = []
        if self.root_key:
            users.append({"name": "root", "ssh_authorized_keys": [first_line(self.root_key)]})
            out["disable_root"] = False
        if self.user_key:
            users.append("default")
            out["ssh_authorized_keys"] = [first_line(self.user_key)]
        if users:
            out["users"] = users
        if self.disable:
            out["runcmd"] = ["touch /etc/cloud/cloud-init.disabled"]
        return out

    def make(self, folder: str, name: str) -> str:
        """Write the seed image into a folder and give its path."""
        return make_image(folder, "cidata", {k: v.encode() for k, v in self.files(name).items()})


def read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read(4 << 20)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"Error: --cloud-init: cannot read {path}: {error}") from None


def first_line(path: str) -> str:
    return read(path).partition("\n")[0].rstrip("\r")


def make_image(folder: str, label: str, files: dict[str, bytes]) -> str:
    """An ISO image with files in its root; it is readable by its owner only (it may hold passwords)."""
    import io
    import tempfile

    try:
        import pycdlib
    except ImportError:
        raise OptionError("making an ISO image needs pycdlib: pip install pycdlib") from None
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=label)
    folders: set[str] = set()
    for number, (name, data) in enumerate(files.items()):
        _folders(iso, name, folders)
        iso.add_fp(
            io.BytesIO(data),
            len(data),
            f"{_iso_folder(name)}/F{number}.;1",
            rr_name=os.path.basename(name),
            joliet_path=f"/{name}",
        )
    os.makedirs(folder, exist_ok=True)
    fd, path = tempfile.mkstemp(prefix="virtinst-", suffix=f"-{label.lower()}.iso", dir=folder)
    with os.fdopen(fd, "wb") as out:
        iso.write_fp(out)
    iso.close()
    return path


def _iso_folder(name: str) -> str:
    parts = name.split("/")[:-1]
    return "".join(f"/{p.upper().strip('$')[:8]}" for p in parts)


def _folders(iso: Any, name: str, made: set[str]) -> None:
    parts = name.split("/")[:-1]
    for i in range(1, len(parts) + 1):
        path = "/".join(parts[:i])
        if path not in made:
            made.add(path)
            iso.add_directory(_iso_folder(path + "/x"), rr_name=parts[i - 1], joliet_path=f"/{path}")
