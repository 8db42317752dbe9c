"""Commands that change things: each script runs once with either virsh from the same start; the transcripts are equal."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.virsh.conftest import GUEST, Both, masked

LIFE = """
define {folder}/life.xml
list --all
start life
start life
domstate life --reason
dominfo life
suspend life
domstate life --reason
resume life
reset life
reboot life
shutdown life --mode acpi
autostart life
dominfo life
autostart life --disable
undefine life
list --transient
destroy life
list --all
define {folder}/life.xml --validate
start life --paused
domstate life --reason
destroy life --graceful
domrename life other
domrename other life
start life --force-boot
destroy life
undefine life
undefine life
"""
TEXTS = """
define {folder}/life.xml
desc life some new text
desc life
desc life --title new title
desc life --title
desc life --title --new-desc ''
desc life --title
desc life --live x
metadata life http://a.b/d --key k --set '<foo/>'
metadata life http://a.b/d
metadata life http://a.b/d --remove
metadata life http://a.b/d
set-lifecycle-action life poweroff restart --config
set-lifecycle-action life poweroff restart --live
dumpxml life
undefine life
"""
DEVICES = """
create {folder}/life.xml
domif-setlink life 52:54:00:00:00:02 up
domif-getlink life 52:54:00:00:00:02
domif-setlink life 52:54:00:00:00:02 down
domif-getlink life 52:54:00:00:00:02
domif-setlink life 52:54:00:00:00:02 up --config
dommemstat life --period 5
inject-nmi life
send-key life KEY_LEFTCTRL KEY_LEFTALT KEY_DELETE
send-key life --codeset xt --holdtime 20 30
screenshot life {folder}/life.png
screenshot life
destroy life
"""
SAVES = """
define {folder}/life.xml
start life
managedsave life
list --all --managed-save
list --all --with-managed-save
managedsave-dumpxml life
undefine life
managedsave-remove life
managedsave-remove life
start life
save life {folder}/life.save
domstate life --reason
save-image-dumpxml {folder}/life.save --xpath //name
save-image-define {folder}/life.save {folder}/life.xml --paused
restore {folder}/life.save
domstate life --reason
managedsave life --running --verbose
start life
domstate life --reason
destroy life
undefine life --managed-save --nvram --snapshots-metadata
"""

LIFE_ROWS = [
    "virsh-start",
    "virsh-start-opt-paused",
    "virsh-start-opt-force-boot",
    "virsh-autostart",
    "virsh-autostart-opt-disable",
    "virsh-reboot",
    "virsh-resume",
    "virsh-define",
    "virsh-shutdown",
    "virsh-shutdown-opt-mode",
    "virsh-suspend",
    "virsh-reset",
    "virsh-destroy",
    "virsh-destroy-opt-graceful",
]
DEVICE_ROWS = [
    "virsh-domif-setlink",
    "virsh-domif-setlink-opt-config",
    "virsh-dommemstat-opt-period",
    "virsh-inject-nmi",
]
SAVE_ROWS = [
    "virsh-managedsave",
    "virsh-managedsave-remove",
    "virsh-managedsave-opt-running",
    "virsh-managedsave-opt-verbose",
    "virsh-save",
    "virsh-save-arg-file",
    "virsh-restore",
    "virsh-save-image-dumpxml",
    "virsh-save-image-define",
    "virsh-save-image-define-opt-paused",
    "error-undefine-managed-save",
    "virsh-undefine-opt-managed-save",
]

STORAGE = """
pool-define-as pit dir --target {folder}/pit
pool-list --all
pool-build pit
pool-start pit
pool-start pit
pool-list --name
pool-info nosuch
pool-autostart pit
pool-autostart pit --disable
pool-refresh pit
pool-dumpxml pit --xpath //path
vol-create-as pit one 1M
vol-create-as pit two 2M --format qcow2 --allocation 0
vol-create-as pit three 1M --print-xml
vol-create-as pit four 1q
vol-list pit
vol-list pit --details
vol-info one pit
vol-info --pool pit two --bytes
vol-info nosuch
vol-path one pit
vol-key --pool pit one
vol-name {folder}/pit/one
vol-pool {folder}/pit/one
vol-resize one 3M --pool pit
vol-upload one {folder}/life.xml pit
vol-download one {folder}/back pit
vol-wipe one pit
vol-delete one pit
vol-delete one pit
vol-delete two --pool pit
pool-destroy pit
vol-list pit
pool-delete pit
pool-undefine pit
pool-info pit
pool-define-as pit netfs --source-host h --source-path /x --source-format nfs --target /mnt --print-xml
"""
TUNING = """
define {folder}/life.xml
setmem life 10M
setmem life 40000 --config
setmaxmem life 70MiB --config
setmem life x
setvcpus life 0
setvcpus life 1
setvcpus life 1 --maximum
setvcpus life 1 --config
setvcpus life 9 --config
start life
setmem life 40000
setmem life 50000 --live --config
setvcpus life 1 --guest
attach-device life /nonexist
attach-device life {folder}/broken.xml --live --current
detach-device-alias life nosuch
dominfo life
destroy life
undefine life
"""
STORAGE_ROWS = [
    "storage-virsh-pool-define-as",
    "storage-virsh-pool-build",
    "storage-virsh-pool-start",
    "storage-virsh-vol-create-as",
    "storage-virsh-vol-list",
    "storage-virsh-vol-info",
    "storage-virsh-vol-upload",
    "storage-virsh-vol-download",
    "storage-virsh-vol-resize",
    "storage-virsh-vol-delete",
    "virsh-vol-path",
    "virsh-vol-key",
    "virsh-vol-name",
    "virsh-vol-pool",
]
TUNING_ROWS = ["virsh-setmem", "virsh-setmem-opt-config", "virsh-setvcpus-opt-config", "error-setvcpus-inactive"]


def transcript(both: Both, which: str, script: str) -> list[tuple[str, str, str, int]]:
    """What one virsh says to each line, numbers of ids masked."""
    found = []
    for line in script.strip().splitlines():
        done = getattr(both, which)(*shlex.split(line.format(folder=both.folder)))
        output = re.sub(
            r"^Id: .*|^ \d+ +|\bid='\d+'|pts/\d+|domain-\d+-|port='59\d\d'", "#", masked(done.stdout), flags=re.M
        )
        found.append((line, re.sub(r" +(?=\w)", " ", re.sub("-{4,}", "-", output)), done.stderr, done.returncode))
    return found


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(LIFE, id="life", marks=pytest.mark.guide(*LIFE_ROWS)),
        pytest.param(TEXTS, id="texts"),
        pytest.param(DEVICES, id="devices", marks=pytest.mark.guide(*DEVICE_ROWS)),
        pytest.param(STORAGE, id="storage", marks=pytest.mark.guide(*STORAGE_ROWS)),
        pytest.param(TUNING, id="tuning", marks=pytest.mark.guide(*TUNING_ROWS)),
        pytest.param(SAVES, id="saves", marks=pytest.mark.guide(*SAVE_ROWS)),
    ],
)
def test_transcripts(both: Both, script: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (both.folder / "life.img").write_bytes(bytes(1_000_000))
    (both.folder / "life.xml").write_text(GUEST.format(name="life", number=9, title="t", folder=both.folder))
    real = transcript(both, "real", script)
    ours = transcript(both, "ours", script)
    for theirs, mine in zip(real, ours, strict=True):
        assert mine == theirs
    assert any(code == 0 for *_, code in ours)
