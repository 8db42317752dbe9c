"""Command lines that only look, right and wrong ones: both virsh print the same bytes and exit alike.

A line is ``words of the command   # guide rows that it shows``; ``{folder}`` is the folder of the test's files.
"""

from __future__ import annotations

import shlex

import pytest

from tests.virsh.conftest import Both

LINES = r"""
list                                     # virsh-list virsh-list-state-running virsh-list-state-paused
list --all                               # virsh-list-opt-all virsh-list-state-shut-off
list --inactive                          # virsh-list-opt-inactive
list --all --name                        # virsh-list-opt-name
list --all --uuid                        # virsh-list-opt-uuid
list --all --id
list --all --id --name --uuid
list --all --table                       # virsh-list-opt-table
list --all --title                       # virsh-list-opt-title
list --all --managed-save                # virsh-list-opt-managed-save
list --all --persistent                  # virsh-list-opt-persistent
list --transient                         # virsh-list-opt-transient
list --all --state-running               # virsh-list-opt-state-running
list --all --state-paused                # virsh-list-opt-state-paused
list --all --state-shutoff               # virsh-list-opt-state-shutoff
list --all --state-other                 # virsh-list-opt-state-other
list --all --autostart                   # virsh-list-opt-autostart
list --all --no-autostart                # virsh-list-opt-no-autostart
list --all --with-snapshot               # virsh-list-opt-with-snapshot
list --all --without-snapshot            # virsh-list-opt-without-snapshot
list --all --with-managed-save           # virsh-list-opt-with-managed-save
list --all --without-managed-save        # virsh-list-opt-without-managed-save
list --all --with-checkpoint
list --all --without-checkpoint
list --table --name
list --table --uuid
list --bogus
list word
list --all=1
list -- word
-q list --all
-t list
-r list
dominfo run
dominfo idle
dominfo --domain=still
dominfo gone
dominfo
dominfo ''
dominfo --domain
dominfo run idle
dominfo 00000001-1111-1111-1111-111111111111   # virsh-domain-identifier
domstate run
domstate still --reason
domstate idle --reason
domid run
domid idle
domname 00000002-1111-1111-1111-111111111111
domuuid idle
domcontrol run
domblklist run                           # virsh-domblklist
domblklist run --details                 # virsh-domblklist-opt-details
domblklist run --inactive --details      # virsh-domblklist-opt-inactive
-q domblklist run
domblkinfo run vda                       # virsh-domblkinfo
domblkinfo run vda --human
domblkinfo run --all
domblkinfo idle --all --human
domblkinfo run
domblkinfo run zz
domblkinfo run --all vda
domblkstat still vda                     # virsh-domblkstat virsh-domblkstat-arg-device
domblkstat still vda --human             # virsh-domblkstat-opt-human
domblkstat still
domblkstat still zz
domblkstat idle vda
domblkerror run                          # virsh-domblkerror
domiflist run                            # virsh-domiflist
domiflist run --inactive                 # virsh-domiflist-opt-inactive
domifstat run nocard
domifaddr run
domifaddr run --source nobody
domifaddr run --source agent
domif-getlink run 52:54:00:00:00:01      # virsh-domif-getlink virsh-domif-setlink-arg-interface
domif-getlink run 52:54:0:0:0:2
domif-getlink run nocard
domif-getlink run 52:54:00:00:00:02 --config   # virsh-domif-getlink-opt-config
domif-setlink run 52:54:00:00:00:02 up --print-xml
domif-setlink run 52:54:00:00:00:01 sideways
domif-setlink run nocard up
dommemstat idle
dommemstat run --period x
dommemstat run --period -1
dommemstat run --live --current
domstats run --state
domstats --state --list-paused
domstats run still --state --balloon --raw
domstats nosuch
domdisplay run
domdisplay run --all
domdisplay run --include-password
domdisplay run --type spice
domdisplay idle
vncdisplay run
ttyconsole run
ttyconsole idle
vcpucount run                            # virsh-vcpucount
vcpucount run --maximum                  # virsh-vcpucount-opt-maximum
vcpucount run --active                   # virsh-vcpucount-opt-active
vcpucount run --maximum --live           # virsh-vcpucount-opt-live
vcpucount idle --maximum --live
vcpucount run --active --config          # virsh-vcpucount-opt-config
vcpucount run --current                  # virsh-vcpucount-opt-current
vcpucount run --guest                    # virsh-vcpucount-opt-guest
vcpucount run --current --live
vcpucount run --maximum --current --live
vcpucount run --active --maximum
vcpuinfo idle
vcpuinfo idle --pretty
nodeinfo
version                                  # virsh-version
version --daemon                         # virsh-version-opt-daemon
uri                                      # virsh-uri
hostname                                 # virsh-hostname
sysinfo                                  # virsh-sysinfo
nodecpumap
nodecpumap --pretty
maxvcpus
maxvcpus --type qemu
cpu-models x86_64                        # virsh-cpu-models
cpu-models nosuch
freecell 7
freecell --all 0
freecell x
domcapabilities --virttype qemu
domcapabilities nosuch
nodecpustats 9
nodememstats 9
console run
console idle
desc run
desc idle --title
metadata run http://a.b/c
metadata run http://no.such
metadata run x --set a --remove
metadata run x --set a
dumpxml run
dumpxml run --inactive
dumpxml run --security-info
dumpxml run --migratable
dumpxml idle --update-cpu
dumpxml nosuch
dumpxml run --xpath //disk/source
dumpxml run --xpath //disk --wrap
dumpxml run --xpath "//disk[@device='cdrom']/target/@dev"
dumpxml run --xpath "//disk[target/@dev='vda']"
dumpxml run --xpath ''
define
define /nonexist
define {folder}/broken.xml
create /nonexist
create {folder}
start run
start nosuch
start 3
shutdown run --mode nonsense
shutdown run --mode acpi,nonsense
reboot run --mode nonsense
destroy nosuch
undefine idle --nvram --keep-nvram
undefine run --storage vda               # error-undefine-storage-active
undefine run --wipe-storage
undefine run --delete-storage-volume-snapshots
domrename run other
domrename
managedsave-remove run
managedsave-dumpxml run
managedsave idle
save run /nonexist/a
save run
restore /nonexist
restore /nonexist --running --paused
save-image-dumpxml {folder}/broken.xml
save-image-define {folder}/broken.xml /nonexist
domjobabort run
domxml-to-native qemu-argv
domxml-to-native nonsense --domain run
domxml-to-native qemu-argv --domain run --xml {folder}/run.xml
domxml-from-native qemu-argv {folder}/run.xml
domtime run
domtime run --now --sync
domhostname run --source nobody
domfsinfo run
domfsfreeze run
domfsthaw run
domfstrim run --minimum x
guestinfo run
set-user-password run root word
guest-agent-timeout run --timeout -5
qemu-monitor-command run --hmp info name
qemu-monitor-command run --hmp --pretty info name
qemu-monitor-command run '{{"execute":"query-name"}}' --pretty
qemu-monitor-command run query-name --return-value
qemu-monitor-command run nonsense
qemu-agent-command run nonsense
qemu-agent-command run nonsense --timeout -3
qemu-agent-command run nonsense --block --async
set-lifecycle-action run nonsense restart
set-lifecycle-action run crash nonsense
inject-nmi idle
send-key run KEY_NOSUCH
send-key run --codeset nonsense 1
send-key run 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
send-process-signal run 1 nonsense
screenshot run --screen 7
dompmsuspend run nonsense
dompmwakeup run
event
event --list
event --event nonsense
event --all --event lifecycle
event --all --timeout 0
event nosuch --all
pwd
cd /tmp
echo                                     # virsh-echo
echo a b
echo --shell a 'b c' "it's" ''           # virsh-echo-opt-shell
echo --xml '<a & "b">' "'"               # virsh-echo-opt-xml
echo --split a,b,,c d
echo --shell --xml a
echo --err x
echo -- --shell x
-q echo a
-t echo a
quit
exit
quit word
connect
connect --readonly
connect nosuch
nosuch
nosuch --help
help nosuch
-d 0 domstate run
-d 9 echo x
-d x echo
-k 5 echo a
-k x echo
-K -1 echo
-e abc echo
-e ^a echo x
-v
--version
--version=short
--nosuch
-Z
-qt echo a
""".strip().splitlines()

SCRIPTS = r"""
echo a; echo b
echo a; nosuch; echo b
echo 'a b'  "c d" e\ f
echo "a
echo 'a
echo a\
domid nosuch; echo b
echo b; domid nosuch
# comment
echo a # comment
echo "a # b"
echo a#b
;;echo x;;
list --all;domstate run
quit; echo a
echo "a\"b" 'c\d'
domstate   --domain   run  --reason
""".strip("\n").splitlines()


def cases() -> list[object]:
    """A parameter for each line, marked with its guide rows."""
    found = []
    for line in LINES:
        words, mark, rows = line.partition("  # ")
        marks = [pytest.mark.guide(*rows.split())] if mark else []
        found.append(pytest.param(words.strip(), id=words.strip().replace(" ", "_"), marks=marks))
    return found


@pytest.mark.parametrize("line", cases())
def test_line(both: Both, line: str) -> None:
    (both.folder / "broken.xml").write_text("<domain\n")
    both.same(*shlex.split(line.format(folder=both.folder)))


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_in_one_word(both: Both, script: str) -> None:
    both.same(script)


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "qemu+unix:///system?socket=/nonexist", "list"],
        ["-c", "qemu+unix:///system?socket=/nonexist", "echo", "x"],
        ["-c", "nonsense", "list"],
        ["-c", "qemu+nonsense:///system", "list"],
        ["-c"],
        ["--conn"],
    ],
)
@pytest.mark.guide("virsh-connect-option")
def test_without_daemon(both: Both, words: list[str]) -> None:
    both.same(*words, uri=False)


def test_log_file(both: Both) -> None:
    """-l writes what was said and what went wrong, in the real one's form."""
    import re

    texts = []
    for run, name in ((both.real, "real.log"), (both.ours, "ours.log")):
        run("-d", "0", "-l", str(both.folder / name), "domid", "nosuch")
        text = (both.folder / name).read_text()
        texts.append(re.sub(r"^\[[\d.]+ [\d:]+ virsh \d+\]", "[WHEN]", text, flags=re.M))
    assert texts[0] == texts[1] and "ERROR failed to get domain 'nosuch'" in texts[1]


@pytest.mark.parametrize(
    "script",
    [
        "net-info nosuch; pool-info nosuch; echo --str a b",
        "iface-mac nosuch; iface-name 52:54:00:00:00:11; secret-dumpxml nosuch; domid 5",
        "nwfilter-dumpxml 6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f7; nwfilter-binding-dumpxml nosuch",
        "vol-info nosuch; vol-pool /nosuch; net-port-dumpxml nosuch x; pool-uuid 6f1d5a1e-2b3c-4d5e-8f90-a1b2c3d4e5f7",
    ],
)
@pytest.mark.parametrize("level", ["0", "1", "2"])
def test_debug_says_what_is_looked_for(both: Both, level: str, script: str) -> None:
    both.same("-d", level, script)
