"""Command lines of virsh, a script for each group: run by either virsh on either daemon, and the answers compared."""

DISKS = """\
attach-disk hp {images}/a.raw vdb --print-xml
attach-disk hp {images}/a.raw sdb --targetbus scsi --print-xml
attach-disk hp {images}/a.raw hdc --type cdrom --mode readonly --print-xml
attach-disk hp /dev/sda vdb --print-xml
attach-disk hp {images}/a.raw vdb --sourcetype block --print-xml
attach-disk hp vol vdb --sourcetype network --source-protocol nbd --source-host-name h:1 --source-host-transport tcp --print-xml
attach-disk hp vol vdb --sourcetype network --source-protocol nbd --source-host-name h --source-host-transport unix --source-host-socket /x --print-xml
attach-disk hp vol vdb --source-protocol rbd --print-xml
attach-disk hp /a vdb --driver qemu --subdriver qcow2 --iothread 1 --cache none --io native --serial S --wwn 5000c50015ea71ad --alias ua-x --rawio --mode shareable --print-xml
attach-disk hp /a vdb --address pci:0000.00.0a.0 --print-xml
attach-disk hp /a vdb --address pci:0000.00.0a.0 --multifunction --print-xml
attach-disk hp /a sdb --address scsi:0.0.3 --print-xml
attach-disk hp /a hda --address ide:0.1.1 --print-xml
attach-disk hp /a sdb --targetbus sata --address sata:0.0.2 --print-xml
attach-disk hp /a sdb --targetbus usb --address usb:1.2 --print-xml
attach-disk hp /a vda --address ccw:0xfe.0.1 --print-xml
attach-disk hp /a vda --address foo:1 --print-xml
attach-disk hp /a vda --address pci:zz --print-xml
attach-disk hp /a vda --address ide:0.1.1 --print-xml
attach-disk hp /a sdb --address pci:0000.00.0a.0 --print-xml
attach-disk hp /a foo --address pci:0000.00.0a.0 --print-xml
attach-disk hp /a fda --type floppy --print-xml
attach-disk hp /a vdb --type foo
attach-disk hp /a vdb --mode foo
attach-disk hp /a vdb --mode readonly --print-xml
attach-disk hp /a vdb --sourcetype foo
attach-disk hp /a vdb --live --current
attach-disk hp '' hdc --type cdrom --print-xml
attach-disk hp '' vdb --print-xml
attach-disk hp {images}/a.raw vdb
attach-disk hp {images}/a.raw vdb
attach-disk hp {images}/b.qcow2 vdc --subdriver qcow2 --persistent
attach-disk hp {images}/c.raw sdc --targetbus scsi --config
attach-disk hp {images}/nosuch vdd
domblklist hp
detach-disk hp vdb --print-xml
detach-disk hp vdb
detach-disk hp vdb
detach-disk hp vdc --persistent
detach-disk hp sdc --config
detach-disk hp sdc --config
detach-disk hp sdc --live
detach-disk hp {images}/f.raw --print-xml
detach-disk hp sda
detach-disk hp ''
"""
CARDS = """\
attach-interface hp bridge kvbr0 --print-xml
attach-interface hp bridge kvbr0 --target foo0 --mac 52:54:00:aa:bb:cc --script /x --model virtio --alias ua-n --print-xml
attach-interface hp network default --inbound 100 --outbound 200,300,400 --print-xml
attach-interface hp network default --inbound 100,200,300,50 --print-xml
attach-interface hp network default --inbound x
attach-interface hp network default --inbound 0
attach-interface hp network default --inbound 1,2,3,4,5
attach-interface hp network default --outbound 1,2,3,4
attach-interface hp network default --inbound ,2
attach-interface hp direct eth0 --source-mode foo --print-xml
attach-interface hp hostdev 0000:01:10.0 --managed --print-xml
attach-interface hp hostdev pci_0000_01_10_0 --print-xml
attach-interface hp hostdev zz --print-xml
attach-interface hp user x --print-xml
attach-interface hp foo x
attach-interface hp bridge kvbr0 --mac 52:54:00:aa:bb:cc --model virtio
attach-interface hp bridge kvbr0 --mac 52:54:00:aa:bb:cd --persistent
attach-interface hp bridge kvbr0 --mac 52:54:00:aa:bb:ce --config
attach-interface hp bridge nosuch
attach-interface hp bridge kvbr0 --mac zz
domiflist hp --inactive
detach-interface hp bridge
detach-interface hp bridge --mac 52:54:00:aa:bb:cc --print-xml
detach-interface hp bridge --mac 52:54:00:aa:bb:cc
detach-interface hp bridge --mac 52:54:00:aa:bb:cc
detach-interface hp bridge --mac 52:54:00:aa:bb:cd --persistent
detach-interface hp bridge --mac 52:54:00:aa:bb:ce --config
detach-interface hp bridge --mac 52:54:00:aa:bb:ce --config
detach-interface hp user
detach-interface hp network
detach-interface hp user --config
"""
MEDIA = """\
change-media hp sda
change-media hp sda --eject --print-xml
change-media hp sda --eject
change-media hp sda --eject
change-media hp sda {images}/d.raw --insert --print-xml
change-media hp sda {images}/d.raw --insert
change-media hp sda {images}/d.raw --insert
change-media hp sda {images}/e.raw --update
change-media hp sda {images}/d.raw
change-media hp sda
change-media hp sda --insert
change-media hp sda {images}/nosuch
change-media hp sda /dev/zero --block --print-xml
change-media hp vda --eject
change-media hp nosuch --eject
change-media hp sdb {images}/e.raw --insert --config
change-media hp sdb --eject --config
change-media hp sdb --eject --live
change-media hp sdb {images}/e.raw --live --config
change-media hp sdb --eject --live --config --force
change-media hp sda --eject --insert
change-media hp sda --eject --update
change-media hp sda --update --insert
change-media hp sda --eject --live --current
"""
TUNES = """\
domiftune hp 52:54:00:00:00:02
domiftune hp 52:54:00:00:00:01 --config
domiftune hp nosuch
domiftune hp 52:54:00:00:00:01 --inbound 100,200,300 --config
domiftune hp 52:54:00:00:00:01 --outbound 100 --config
domiftune hp 52:54:00:00:00:01 --config
domiftune hp 52:54:00:00:00:01 --inbound 0 --config
domiftune hp 52:54:00:00:00:01 --config
domiftune hp 52:54:00:00:00:01 --inbound x
domiftune hp 52:54:00:00:00:01 --inbound 1,2,3,4 --config
domiftune hp 52:54:00:00:00:01 --inbound 1,2,3,4,5 --config
domiftune hp 52:54:00:00:00:01 --outbound 1,2,3,4
domiftune hp 52:54:00:00:00:01 --inbound ,1
domiftune hp 52:54:00:00:00:01 --live --current
domiftune hp 52:54:00:00:00:02 --inbound 100 --live
domiftune hp 52:54:00:00:00:02 --outbound 0 --live
domiftune hp 52:54:00:00:00:02 --live
blkdeviotune hp vda
blkdeviotune hp nosuch
blkdeviotune hp vda --total-bytes-sec 1M --total-iops-sec 100
blkdeviotune hp vda
blkdeviotune hp vda --read-bytes-sec 5
blkdeviotune hp vda --read_bytes_sec 5 --total-bytes-sec 0
blkdeviotune hp vda
blkdeviotune hp vda --read-bytes-sec-max 50
blkdeviotune hp vda --read-bytes-sec-max 50 --read-bytes-sec-max-length 3
blkdeviotune hp vda --write-iops-sec-max-length 3
blkdeviotune hp vda --group-name grp --live
blkdeviotune hp vda --config --total-iops-sec 7
blkdeviotune hp vda --config
blkdeviotune hp vda --live --config --size-iops-sec 4096
blkdeviotune hp vda --total-bytes-sec x
blkdeviotune hp vda --total-bytes-sec -1
blkdeviotune hp sdb --total-iops-sec 5
blkdeviotune hp sda --total-iops-sec 5
blkdeviotune hp sda
blkdeviotune hp vda --total-iops-sec 0 --read-bytes-sec 0 --read-bytes-sec-max 0
blkdeviotune hp vda
dumpxml hp --xpath //iotune
dumpxml hp --inactive --xpath //iotune
"""
CPUS = """\
setvcpus hp 3 --config
dumpxml hp --inactive --xpath //vcpus
dumpxml hp --inactive --xpath //vcpu
setvcpus hp 4 --config
dumpxml hp --inactive --xpath //vcpus
dumpxml hp --inactive --xpath //vcpu
setvcpus hp 1 --config
dumpxml hp --inactive --xpath //vcpus
setvcpus hp 2 --config
dumpxml hp --inactive --xpath //vcpus
setvcpus hp 4 --live --config
dumpxml hp --inactive --xpath //vcpus
vcpucount hp --guest
setvcpus hp 9 --guest
guestvcpus hp
guestvcpus hp --cpulist 1 --disable
guestvcpus hp
guestvcpus hp --cpulist 1 --enable
guestvcpus hp --cpulist 0 --disable
guestvcpus hp --cpulist 9 --enable
setvcpu hp 3 --enable --config
dumpxml hp --inactive --xpath //vcpus
setvcpu hp 3 --disable --config
dumpxml hp --inactive --xpath //vcpus
setvcpu hp 9 --enable
setvcpu hp 9 --enable --config
setvcpu hp 0 --disable
setvcpu hp 3 --enable
setvcpu hp 3 --enable
setvcpu hp 1 --disable
"""
THREADS = """\
iothreadadd hp 1
iothreadadd hp 1
iothreadinfo hp
iothreadadd hp 5 --live --config
dumpxml hp --xpath //iothreadids
dumpxml hp --xpath //iothreads
dumpxml hp --inactive --xpath //iothreadids
dumpxml hp --inactive --xpath //iothreads
iothreadset hp 1 --poll-max-ns 1000 --poll-grow 2 --poll-shrink 2
iothreadset hp 1 --poll-max-ns 1000 --config
iothreadset hp 5 --thread-pool-min 1 --thread-pool-max 4 --live --config
iothreadset hp 5 --thread-pool-min 8 --live
iothreadset hp 5 --thread-pool-max 2 --live
iothreadset hp 5 --thread-pool-min 8 --config
iothreadset hp 5 --thread-pool-max -1
iothreadset hp 9 --poll-grow 1
iothreadset hp 9 --poll-grow 1 --config
domstats hp --iothread
dumpxml hp --xpath //iothreadids
dumpxml hp --inactive --xpath //iothreadids
iothreaddel hp 9
iothreaddel hp 1
iothreaddel hp 5 --config
iothreaddel hp 5 --live
iothreaddel hp 5
attach-disk hp {images}/a.raw vdb --iothread 3
iothreadadd hp 3
attach-disk hp {images}/a.raw vdb --iothread 3
iothreaddel hp 3
iothreaddel hp 3
dumpxml hp --xpath //iothreads
"""
RARE = """\
detach-disk hp vdb
get-user-sshkeys hp root
set-user-sshkeys hp root --file {keys}
get-user-sshkeys hp root
set-user-sshkeys hp root --file {keys} --remove
get-user-sshkeys hp root
set-user-sshkeys hp root --reset
set-user-sshkeys hp root
set-user-sshkeys hp root --remove --reset
get-user-sshkeys hp nosuch
domdirtyrate-calc hp
domdirtyrate-calc hp --seconds 2 --mode dirty-bitmap
domdirtyrate-calc hp --seconds 0
domdirtyrate-calc hp --seconds 61
domdirtyrate-calc hp --mode foo
domdirtyrate-calc hp --mode dirty-ring
domlaunchsecinfo hp
domsetlaunchsecstate hp
domsetlaunchsecstate hp --secrethdr {keys} --secret {keys}
update-memory-device hp
update-memory-device hp --alias x --requested-size 1M
update-memory-device hp --node 0 --requested-size 1M
update-memory-device hp --alias x --node 0
qemu-attach 1
qemu-attach x
lxc-enter-namespace hp /bin/true
migrate-compcache hp
migrate-compcache hp --size 1
migrate-postcopy hp
"""
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
setmaxmem idle 9999999TiB --config
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
SCOPES = """\
define {idle}
setmem idle 60M
setmem idle 60M --config
setmem idle 60M --live
setmem idle 60M --current
setmem idle 60M --live --config
setmem idle 60M --current --live
setmem idle 60M --current --config
setmaxmem idle 330M
setmaxmem idle 330M --config
setmaxmem idle 330M --live
setmaxmem idle 330M --current
setmaxmem idle 330M --live --config
setmaxmem idle 330M --current --live
setmaxmem idle 330M --current --config
setvcpus idle 1
setvcpus idle 1 --config
setvcpus idle 1 --live
setvcpus idle 1 --current
setvcpus idle 1 --live --config
setvcpus idle 1 --current --live
setvcpus idle 1 --current --config
dommemstat idle --period 2
dommemstat idle --period 2 --config
dommemstat idle --period 2 --live
dommemstat idle --period 2 --current
dommemstat idle --period 2 --live --config
dommemstat idle --period 2 --current --live
dommemstat idle --period 2 --current --config
blkdeviotune idle sdz
blkdeviotune idle sdz --config
blkdeviotune idle sdz --live
blkdeviotune idle sdz --current
blkdeviotune idle sdz --live --config
blkdeviotune idle sdz --current --live
blkdeviotune idle sdz --current --config
set-lifecycle-action idle poweroff destroy
set-lifecycle-action idle poweroff destroy --config
set-lifecycle-action idle poweroff destroy --live
set-lifecycle-action idle poweroff destroy --current
set-lifecycle-action idle poweroff destroy --live --config
set-lifecycle-action idle poweroff destroy --current --live
set-lifecycle-action idle poweroff destroy --current --config
iothreaddel idle 77
iothreaddel idle 77 --config
iothreaddel idle 77 --live
iothreaddel idle 77 --current
iothreaddel idle 77 --live --config
iothreaddel idle 77 --current --live
iothreaddel idle 77 --current --config
update-device idle /nonexist
update-device idle /nonexist --config
update-device idle /nonexist --live
update-device idle /nonexist --current
update-device idle /nonexist --live --config
update-device idle /nonexist --current --live
update-device idle /nonexist --current --config
detach-device-alias idle nosuch
detach-device-alias idle nosuch --config
detach-device-alias idle nosuch --live
detach-device-alias idle nosuch --current
detach-device-alias idle nosuch --live --config
detach-device-alias idle nosuch --current --live
detach-device-alias idle nosuch --current --config
domiftune idle 52:54:00:00:00:09
domiftune idle 52:54:00:00:00:09 --config
domiftune idle 52:54:00:00:00:09 --live
domiftune idle 52:54:00:00:00:09 --current
domiftune idle 52:54:00:00:00:09 --live --config
domiftune idle 52:54:00:00:00:09 --current --live
domiftune idle 52:54:00:00:00:09 --current --config
schedinfo idle --set x=1
schedinfo idle --set x=1 --config
schedinfo idle --set x=1 --live
schedinfo idle --set x=1 --current
schedinfo idle --set x=1 --live --config
schedinfo idle --set x=1 --current --live
schedinfo idle --set x=1 --current --config
memtune idle --hard-limit 1G
memtune idle --hard-limit 1G --config
memtune idle --hard-limit 1G --live
memtune idle --hard-limit 1G --current
memtune idle --hard-limit 1G --live --config
memtune idle --hard-limit 1G --current --live
memtune idle --hard-limit 1G --current --config
numatune idle --mode strict --nodeset 0
numatune idle --mode strict --nodeset 0 --config
numatune idle --mode strict --nodeset 0 --live
numatune idle --mode strict --nodeset 0 --current
numatune idle --mode strict --nodeset 0 --live --config
numatune idle --mode strict --nodeset 0 --current --live
numatune idle --mode strict --nodeset 0 --current --config
vcpucount idle --maximum
vcpucount idle --maximum --config
vcpucount idle --maximum --live
vcpucount idle --maximum --current
vcpucount idle --maximum --live --config
vcpucount idle --maximum --current --live
vcpucount idle --maximum --current --config
emulatorpin idle 0
emulatorpin idle 0 --config
emulatorpin idle 0 --live
emulatorpin idle 0 --current
emulatorpin idle 0 --live --config
emulatorpin idle 0 --current --live
emulatorpin idle 0 --current --config
vcpupin idle 0 0
vcpupin idle 0 0 --config
vcpupin idle 0 0 --live
vcpupin idle 0 0 --current
vcpupin idle 0 0 --live --config
vcpupin idle 0 0 --current --live
vcpupin idle 0 0 --current --config
setmem hp 60M
setmem hp 60M --config
setmem hp 60M --live
setmem hp 60M --current
setmem hp 60M --live --config
setmem hp 60M --current --live
setmem hp 60M --current --config
setmaxmem hp 330M
setmaxmem hp 330M --config
setmaxmem hp 330M --live
setmaxmem hp 330M --current
setmaxmem hp 330M --live --config
setmaxmem hp 330M --current --live
setmaxmem hp 330M --current --config
dommemstat hp --period 2
dommemstat hp --period 2 --config
dommemstat hp --period 2 --live
dommemstat hp --period 2 --current
dommemstat hp --period 2 --live --config
dommemstat hp --period 2 --current --live
dommemstat hp --period 2 --current --config
blkdeviotune hp sdz
blkdeviotune hp sdz --config
blkdeviotune hp sdz --live
blkdeviotune hp sdz --current
blkdeviotune hp sdz --live --config
blkdeviotune hp sdz --current --live
blkdeviotune hp sdz --current --config
set-lifecycle-action hp poweroff destroy
set-lifecycle-action hp poweroff destroy --config
set-lifecycle-action hp poweroff destroy --live
set-lifecycle-action hp poweroff destroy --current
set-lifecycle-action hp poweroff destroy --live --config
set-lifecycle-action hp poweroff destroy --current --live
set-lifecycle-action hp poweroff destroy --current --config
iothreaddel hp 77
iothreaddel hp 77 --config
iothreaddel hp 77 --live
iothreaddel hp 77 --current
iothreaddel hp 77 --live --config
iothreaddel hp 77 --current --live
iothreaddel hp 77 --current --config
update-device hp /nonexist
update-device hp /nonexist --config
update-device hp /nonexist --live
update-device hp /nonexist --current
update-device hp /nonexist --live --config
update-device hp /nonexist --current --live
update-device hp /nonexist --current --config
detach-device-alias hp nosuch
detach-device-alias hp nosuch --config
detach-device-alias hp nosuch --live
detach-device-alias hp nosuch --current
detach-device-alias hp nosuch --live --config
detach-device-alias hp nosuch --current --live
detach-device-alias hp nosuch --current --config
domiftune hp 52:54:00:00:00:09
domiftune hp 52:54:00:00:00:09 --config
domiftune hp 52:54:00:00:00:09 --live
domiftune hp 52:54:00:00:00:09 --current
domiftune hp 52:54:00:00:00:09 --live --config
domiftune hp 52:54:00:00:00:09 --current --live
domiftune hp 52:54:00:00:00:09 --current --config
schedinfo hp --set x=1
schedinfo hp --set x=1 --config
schedinfo hp --set x=1 --live
schedinfo hp --set x=1 --current
schedinfo hp --set x=1 --live --config
schedinfo hp --set x=1 --current --live
schedinfo hp --set x=1 --current --config
memtune hp --hard-limit 1G
memtune hp --hard-limit 1G --config
memtune hp --hard-limit 1G --live
memtune hp --hard-limit 1G --current
memtune hp --hard-limit 1G --live --config
memtune hp --hard-limit 1G --current --live
memtune hp --hard-limit 1G --current --config
numatune hp --mode strict --nodeset 0
numatune hp --mode strict --nodeset 0 --config
numatune hp --mode strict --nodeset 0 --live
numatune hp --mode strict --nodeset 0 --current
numatune hp --mode strict --nodeset 0 --live --config
numatune hp --mode strict --nodeset 0 --current --live
numatune hp --mode strict --nodeset 0 --current --config
vcpucount hp --maximum
vcpucount hp --maximum --config
vcpucount hp --maximum --live
vcpucount hp --maximum --current
vcpucount hp --maximum --live --config
vcpucount hp --maximum --current --live
vcpucount hp --maximum --current --config
emulatorpin hp 0
emulatorpin hp 0 --config
emulatorpin hp 0 --live
emulatorpin hp 0 --current
emulatorpin hp 0 --live --config
emulatorpin hp 0 --current --live
emulatorpin hp 0 --current --config
vcpupin hp 0 0
vcpupin hp 0 0 --config
vcpupin hp 0 0 --live
vcpupin hp 0 0 --current
vcpupin hp 0 0 --live --config
vcpupin hp 0 0 --current --live
vcpupin hp 0 0 --current --config
undefine idle
"""
