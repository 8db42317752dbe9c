"""``kvasir nested`` (guide, chapter 12) on made-up hosts: trees of /proc, /sys and /etc, and a stand-in for modprobe. No KVM here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kvasir.cli import kvasir as front
from kvasir.cli.friendly import doctor_host

FLAGS = {"kvm_intel": "vmx ept", "kvm_amd": "svm npt"}


def host(
    root: Path, module: str, nested: str = "N", flags: str = "", release: str = "3.10.0-957.el7.x86_64", conf: str = ""
) -> str:
    files = {
        "proc/cpuinfo": f"processor\t: 0\nflags\t\t: fpu {flags or FLAGS[module]} lm\n", "proc/sys/kernel/osrelease": release + "\n",
        f"sys/module/{module}/parameters/nested": nested + "\n", f"sys/module/{module}/refcnt": "0\n",
        "etc/os-release": 'NAME="Red Hat"\nPRETTY_NAME="Red Hat Enterprise Linux 7.6"\n',
    }  # fmt: skip
    if conf:
        files["etc/modprobe.d/kvm.conf"] = conf
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return str(root)


def asked(capsys: pytest.CaptureFixture[str], root: str, *words: str) -> tuple[int, str]:
    code = front.main(["nested", "--root", root, *words])
    return code, capsys.readouterr().out


CASES = [("kvm_intel", "Y", "enabled"), ("kvm_intel", "1", "enabled"), ("kvm_intel", "N", "disabled"), ("kvm_intel", "0", "disabled"),
         ("kvm_amd", "1", "enabled"), ("kvm_amd", "Y", "enabled"), ("kvm_amd", "0", "disabled"), ("kvm_amd", "N", "disabled")]  # fmt: skip


@pytest.mark.guide("nested-enable-intel", "nested-enable-amd", "limit-nested-os")
@pytest.mark.parametrize(("module", "value", "words"), CASES)
def test_the_parameter_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], module: str, value: str, words: str
) -> None:
    root = host(tmp_path, module, value, conf=f"options {module} nested=1\n")
    code, said = asked(capsys, root)
    assert said == f"{module}: nested virtualization is {words}; host: Red Hat Enterprise Linux 7.6\n"
    assert code == (0 if words == "enabled" else 1)


@pytest.mark.guide("nested-enable-intel", "nested-enable-amd")
@pytest.mark.parametrize("module", FLAGS)
def test_it_is_switched_on_and_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """The option file is written, other lines of it stay, the module is loaded anew; not while guests run."""
    root = host(tmp_path / "host", module, "N", conf="options kvm ignore_msrs=1\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    script = f'#!/bin/sh\necho "$*" >> {tools}/log\ncase $2 in nested=*) echo ${{2#nested=}} > {root}/sys/module/$1/parameters/nested ;; esac\n'
    (tools / "modprobe").write_text(script)
    (tools / "modprobe").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    (tmp_path / f"host/sys/module/{module}/refcnt").write_text("2\n")
    with pytest.raises(SystemExit):
        front.main(["nested", "--root", root, "--enable"])
    assert "is in use: guests run" in capsys.readouterr().err and not (tools / "log").exists()
    conf = tmp_path / "host/etc/modprobe.d/kvm.conf"
    assert conf.read_text() == "options kvm ignore_msrs=1\n"
    (tmp_path / f"host/sys/module/{module}/refcnt").write_text("0\n")
    code, said = asked(capsys, root, "--enable")
    assert code == 0 and "is enabled;" in said
    assert conf.read_text() == f"options kvm ignore_msrs=1\noptions {module} nested=1\n"
    assert (tools / "log").read_text() == f"-r {module}\n{module} nested=1\n"
    code, said = asked(capsys, root, "--disable")
    assert code == 1 and "is disabled;" in said and conf.read_text().endswith(f"options {module} nested=0\n")


@pytest.mark.guide("file-modprobe-kvm-conf")
def test_for_how_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (release, conf, words) in enumerate((
        ("3.10.0", "", "enabled now, not persistent"), ("3.10.0", "options kvm_intel nested=1\n", "enabled"),
        ("3.10.0", "options kvm_intel ept=1 nested=Y\n", "enabled"), ("3.10.0", "options kvm_amd nested=1\n", "enabled now, not persistent"),
        ("6.1.0-50-amd64", "", "enabled"), ("6.1.0-50-amd64", "options kvm_intel nested=0\n", "enabled now, not persistent"),
    )):  # fmt: skip
        root = host(tmp_path / str(number), "kvm_intel", "Y", release=release, conf=conf)
        code, said = asked(capsys, root)
        assert code == 0 and f"is {words};" in said, (release, conf, said)
        assert ("kvasir nested --enable" in said) == ("not persistent" in words)
        notes = [f.text for f in doctor_host.nested(root) if f.verdict == "note"]
        assert notes == (["enabled now, not persistent"] if "not" in words else [])


@pytest.mark.guide("limit-nested-cpu-flags")
@pytest.mark.parametrize(
    ("module", "flags", "lacks"),
    [("kvm_intel", "vmx ept", ""), ("kvm_intel", "vmx", "ept"), ("kvm_amd", "svm npt", ""), ("kvm_amd", "svm", "npt")],
)
def test_flags_of_the_processor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], module: str, flags: str, lacks: str
) -> None:
    root = host(tmp_path, module, "1", flags, conf=f"options {module} nested=1\n")
    code, said = asked(capsys, root)
    assert code == (1 if lacks else 0)
    assert (f"the processor lacks {lacks}, without which guests cannot" in said) == bool(lacks)
    code, said = asked(capsys, root, "--json")
    assert json.loads(said)[0]["missing"] == ([lacks] if lacks else [])
    assert [lacks in f.text for f in doctor_host.nested(root) if f.verdict == "note"] == ([True] if lacks else [])
