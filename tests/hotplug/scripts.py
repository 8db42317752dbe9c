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
attach-interface hp bridge kvbr0 --mac 52:54:00:aa:bb:d1 --model virtio --live
attach-interface hp bridge kvbr0 --mac 52:54:00:aa:bb:d2 --model virtio --current
attach-interface hp bridge kvbr0 --mac 52:54:00:aa:bb:d3 --live --current
domiflist hp --inactive
detach-interface hp bridge --mac 52:54:00:aa:bb:d1 --live
detach-interface hp bridge --mac 52:54:00:aa:bb:d2 --current
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
change-media hp sda --eject --current
change-media hp sda {images}/e.raw --insert --current
change-media hp sda --eject --current --config
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
guestvcpus hp --cpulist 1 --disable
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
