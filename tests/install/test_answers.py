"""Seeds for cloud-init, answer files for installers, what media and the OS database say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import cloudinit, media, osinfo, unattended
from kvasir.install.grammar import OptionError


def seed(data: cloudinit.CloudInit, folder: Path) -> dict[str, bytes]:
    """Make a seed and read its files back."""
    import pycdlib

    path = data.make(str(folder), "guest")
    assert Path(path).stat().st_mode & 0o077 == 0
    assert media.labels(path)["volume-id"] == "cidata"
    iso = pycdlib.PyCdlib()
    iso.open(path)
    out = {}
    for kid in iso.list_children(rr_path="/"):
        name = kid.rock_ridge.name().decode() if kid.rock_ridge else ""
        if kid.is_file():
            into = io.BytesIO()
            iso.get_file_from_iso_fp(into, rr_path=f"/{name}")
            out[name] = into.getvalue()
    iso.close()
    return out


def config(files: dict[str, bytes]) -> dict[str, Any]:
    head, _, rest = files["user-data"].decode().partition("\n")
    assert head == "#cloud-config"
    found: dict[str, Any] = json.loads(rest)
    return found


def test_seeds_say_what_was_asked_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ssh-rsa AAA me\nsecond line\n")
    (tmp_path / "password").write_text("s3cret: 'x'\n")
    plain = config(seed(cloudinit.CloudInit(), tmp_path))
    assert plain == {}, "no default password, no key"
    root = config(seed(cloudinit.CloudInit(root_key=str(tmp_path / "key")), tmp_path))
    assert root["users"] == [{"name": "root", "ssh_authorized_keys": ["ssh-rsa AAA me"]}]
    user = config(seed(cloudinit.CloudInit(user_key=str(tmp_path / "key"), disable=True), tmp_path))
    assert (user["users"], user["ssh_authorized_keys"]) == (["default"], ["ssh-rsa AAA me"])
    assert user["runcmd"] == ["touch /etc/cloud/cloud-init.disabled"]
    given = config(seed(cloudinit.CloudInit(password_file=str(tmp_path / "password"), generate=True), tmp_path))
    assert given["chpasswd"] == {"list": "root:s3cret: 'x'\n", "expire": False}
    made = cloudinit.CloudInit(generate=True)
    assert config(seed(made, tmp_path))["chpasswd"] == {"list": f"root:{made.password}\n", "expire": True}
    assert len(made.password) == 16 and made.password != cloudinit.CloudInit(generate=True).password
    for name in ("user", "meta", "network"):
        (tmp_path / name).write_text(f"own {name}\n")
    own = cloudinit.CloudInit(
        user_data=str(tmp_path / "user"), meta_data=str(tmp_path / "meta"), network_config=str(tmp_path / "network")
    )
    assert seed(own, tmp_path) == {
        "user-data": b"own user\n",
        "meta-data": b"own meta\n",
        "network-config": b"own network\n",
    }
    with pytest.raises(OptionError, match="cannot read /nonexistent"):
        cloudinit.CloudInit(root_key="/nonexistent").files("x")


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [
        ("debian12", "preseed.cfg", ["d-i passwd/root-password password topsecret", "d-i netcfg/get_hostname string box"]),
        ("ubuntu18.04", "preseed.cfg", ["d-i passwd/username string ann"]),
        ("fedora36", "ks.cfg", ["rootpw --plaintext topsecret", "user --name=ann", "autopart", "@core"]),
        ("rhel9.0", "ks.cfg", ["bootloader", "--hostname=box"]),
        ("win11", "autounattend.xml", ["<ComputerName>box</ComputerName>", "<Value>topsecret</Value>", "<Type>EFI</Type>", "<Key>AAAA-BBBB</Key>"]),
        ("win10", "autounattend.xml", ["<Name>ann</Name>"]),
    ],
)  # fmt: skip
def test_answer_files(tmp_path: Path, name: str, file: str, words: list[str]) -> None:
    (tmp_path / "root").write_text("topsecret\n")
    (tmp_path / "user").write_text("annsecret\n")
    system = osinfo.lookup(name)
    assert system is not None
    answers = unattended.Answers(
        admin_password_file=str(tmp_path / "root"), user_login="ann", user_password_file=str(tmp_path / "user"),
        hostname="box", product_key="AAAA-BBBB",
    )  # fmt: skip
    script = unattended.script(system, answers)
    assert script.name == file
    assert [w for w in words if w not in script.content] == []
    if file.endswith(".xml"):
        ET.fromstring(script.content.encode())


def test_ubuntu_has_autoinstall_and_no_system_has_a_default_password(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("annsecret\n")
    system = osinfo.lookup("ubuntu22.04")
    assert system is not None
    script = unattended.script(
        system, unattended.Answers(user_login="ann", user_password_file=str(tmp_path / "user"), hostname="box")
    )
    identity = json.loads(script.content.partition("\n")[2])["autoinstall"]["identity"]
    assert identity["username"] == "ann" and identity["password"].startswith("$6$")
    assert "annsecret" not in script.content
    for name in ("debian11", "fedora36", "ubuntu22.04", "win10"):
        found = osinfo.lookup(name)
        assert found is not None
        with pytest.raises(OptionError, match="there is no default password"):
            unattended.script(found, unattended.Answers())
    unknown = osinfo.lookup("openbsd7.0")
    assert unknown is not None
    with pytest.raises(OptionError, match="does not support unattended"):
        unattended.script(unknown, unattended.Answers())


def test_media_say_what_they_are(tmp_path: Path) -> None:
    import pycdlib

    for label, system in (
        ("Debian 11.5.0 amd64 n", "debian11"),
        ("Debian 12.8.0 amd64 n", "debian12"),
        ("Fedora-WS-Live-36-1-5", "fedora36"),
    ):
        iso = pycdlib.PyCdlib()
        iso.new(vol_ident=label, sys_ident="LINUX")
        iso.write(str(tmp_path / "m.iso"))
        iso.close()
        rule = osinfo.identify("media", media.labels(str(tmp_path / "m.iso")))
        assert rule is not None and rule["os"] == system, (label, rule)
    (tmp_path / "no.iso").write_bytes(b"\0" * 50000)
    assert media.labels(str(tmp_path / "no.iso")) == {}


def test_lookups_are_quick_and_the_overlay_is_there() -> None:
    import time

    osinfo.lookup("debian11")
    best = min(_timed(time.perf_counter) for _ in range(5))
    assert best < 0.005, f"{best * 1000:.1f} ms"
    new = osinfo.lookup("debian12")
    assert new is not None and osinfo.has(new, "virtio-gpu") and new.ram == 1 << 30
    windows = osinfo.lookup("win11")
    assert windows is not None and windows.needs_uefi


def _timed(clock: Any) -> float:
    start = clock()
    osinfo.lookup("fedora36")
    return float(clock() - start)
