"""More command lines: memory, what the guest's agent does, the most CPUs, and where each command takes effect."""

MEMORY = """\
define {idle}
dumpxml idle --xpath //memory
dumpxml idle --xpath //currentMemory
setmaxmem idle 1000001b --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 1000001bytes --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 2000KB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 2048k --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 2048KiB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 100MB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 100M --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 100MiB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 1GB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 1G --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 2GiB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 1TB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 1T --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 1TiB --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 5x --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle 0 --config
dumpxml idle --inactive --xpath //memory
setmaxmem idle -1 --config
dumpxml idle --inactive --xpath //memory
dumpxml idle --inactive --xpath //memory
setmaxmem idle 300M
setmem idle 100M
setmem idle 100M --config
setmem idle --kilobytes 90000 --config
setmem idle --size 80000 --config
setmem idle 1000001b --config
dumpxml idle --inactive --xpath //currentMemory
setmem idle 900M --config
setmem idle 100M --live
setmem idle 100M --current
dumpxml idle --inactive --xpath //currentMemory
setmem idle 4000 --config
setmem idle 0 --config
setmem idle 50M --config --current
setmaxmem idle 200M --current
setmaxmem idle 200M --live
dumpxml idle --inactive --xpath //memory
setmaxmem idle 4000 --config
dumpxml idle --inactive --xpath //memory
undefine idle
setmem hp 300M
setmem hp 290M --live
setmem hp 280M --current
setmem hp 900M
setmem hp 900M --live
setmem hp 900M --config
setmem hp 270M --config
dumpxml hp --inactive --xpath //currentMemory
setmem hp 260M --live --config
setmem hp 10000 --config
dumpxml hp --inactive --xpath //currentMemory
setmaxmem hp 400M
setmaxmem hp 400M --live
setmaxmem hp 400M --config
setmaxmem hp 400M --current
dommemstat hp --period 3
dommemstat hp --period 3 --live
dommemstat hp --period 4 --config
dommemstat hp --period 5 --current
dommemstat hp --period -1
dommemstat hp --period 3 --live --current
dumpxml hp --xpath //memballoon
dumpxml hp --inactive --xpath //memballoon
"""
AGENT = """\
guestvcpus hp
vcpucount hp --guest
setvcpus hp 1
setvcpus hp 1 --guest
vcpucount hp --guest
vcpucount hp --active --live
setvcpus hp 2 --guest
vcpucount hp --guest
setvcpus hp 3 --guest
setvcpus hp 2 --guest --live
setvcpus hp 2 --guest --config
vcpucount hp --guest --config
setvcpus hp 2 --current
setvcpus hp 4 --maximum --live
setvcpus hp 4 --maximum
domfstrim hp
domfstrim hp --minimum 4096
domfstrim hp --mountpoint /nosuch
domfstrim hp --minimum x
domfsfreeze hp --mountpoint /nosuch
domfsthaw hp --mountpoint /nosuch
set-user-password hp root secret
set-user-password hp nosuch secret
domhostname hp
domtime hp --time 1700000000
guest-agent-timeout hp --timeout 5
guest-agent-timeout hp --timeout -3
guestinfo hp --hostname
guestinfo hp --os
domfsinfo hp
blkdeviotune hp vda --write-bytes-sec 2M --read-iops-sec 10 --write-iops-sec 20 --current
blkdeviotune hp vda --current
blkdeviotune hp vda --live --current
"""
MAXIMUM = """\
setvcpus hp 6 --maximum --config --live
setvcpus hp 3 --maximum --config
setvcpus hp 6 --maximum --config
vcpucount hp
dumpxml hp --inactive --xpath //vcpu
dumpxml hp --inactive --xpath //numa
setvcpus hp 4 --maximum --config
"""
COMMANDS = (
    "setmem {g} 60M", "setmaxmem {g} 330M", "setvcpus {g} 1", "dommemstat {g} --period 2", "blkdeviotune {g} sdz",
    "set-lifecycle-action {g} poweroff destroy", "iothreaddel {g} 77", "update-device {g} /nonexist",
    "detach-device-alias {g} nosuch", "domiftune {g} 52:54:00:00:00:09", "schedinfo {g} --set x=1",
    "memtune {g} --hard-limit 1G", "numatune {g} --mode strict --nodeset 0", "vcpucount {g} --maximum", "emulatorpin {g} 0",
    "vcpupin {g} 0 0",
)  # fmt: skip
FLAGS = ("", "--config", "--live", "--current", "--live --config", "--current --live", "--current --config")
UNSAFE = "setvcpus {g} 1"
"""Unplugging a CPU may crash QEMU's own emulation, so that this runs on a guest that is off only."""
SCOPES = "\n".join(
    ["define {idle}"]
    + [
        f"{command.replace('{g}', guest)} {flags}".strip()
        for guest in ("idle", "hp")
        for command in COMMANDS
        for flags in FLAGS
        if not (guest == "hp" and command == UNSAFE)
    ]
    + ["undefine idle", ""]
)
