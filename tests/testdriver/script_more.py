"""The parts about networks, storage, interfaces, devices and snapshots."""

from __future__ import annotations

STORE = """
net-define {folder}/net.xml
net-list --all
net-info lan
net-dumpxml lan
net-start lan
net-start lan
net-list
net-dumpxml lan
net-autostart lan
net-info lan
net-autostart lan --disable
net-update lan add ip-dhcp-host {folder}/host.xml --live --config
net-dumpxml lan
net-update lan delete ip-dhcp-host {folder}/host.xml --live
net-dumpxml lan
net-dumpxml lan --inactive
net-destroy lan
net-destroy lan
net-undefine lan
net-undefine lan
net-create {folder}/net.xml
net-info lan
net-destroy lan
net-list --all
net-undefine default
net-destroy default
net-undefine default
net-list --all
pool-define {folder}/pool.xml
pool-list --all
pool-info images
pool-start images
pool-start images
pool-list
pool-info images
pool-autostart images
pool-info images
pool-autostart images --disable
pool-refresh images
vol-create images {folder}/vol.xml
vol-create images {folder}/vol.xml
vol-list images
vol-list images --details
vol-info a.img --pool images
vol-info /images/a.img
vol-dumpxml a.img --pool images
vol-path a.img --pool images
vol-key a.img --pool images
vol-name /images/a.img
vol-pool /images/a.img
vol-create-as images b.img 1M --format raw
vol-clone a.img c.img --pool images
vol-list images
pool-info images
vol-create-as images huge.img 200G --allocation 200G
vol-resize b.img 2M --pool images
vol-wipe b.img --pool images
vol-delete b.img --pool images
vol-delete nosuch --pool images
vol-delete c.img --pool images
vol-list images
pool-destroy images
vol-list images
pool-destroy images
pool-build images
pool-delete images
pool-undefine images
pool-undefine images
pool-create {folder}/pool.xml
pool-info images
pool-destroy images
pool-list --all
pool-define-as two dir --target /two
pool-dumpxml two
pool-undefine two
find-storage-pool-sources logical
find-storage-pool-sources dir
iface-define {folder}/iface.xml
iface-list --all
iface-dumpxml eth7
iface-start eth7
iface-start eth7
iface-list --all
iface-destroy eth7
iface-destroy eth7
iface-mac eth7
iface-begin
iface-undefine eth7
iface-rollback
iface-list --all
iface-begin
iface-commit
iface-commit
iface-undefine eth7
iface-list --all
nodedev-create {folder}/vport.xml
nodedev-list --all
nodedev-dumpxml scsi_host12
nodedev-destroy scsi_host12
nodedev-destroy scsi_host12
nodedev-destroy computer
nodedev-list --all
"""
SNAPS = """
define {folder}/web.xml
snapshot-list web
snapshot-create web {folder}/snap.xml
snapshot-list web
snapshot-info web first
snapshot-current web --name
snapshot-create-as web second --description two
snapshot-list web --tree
snapshot-list web --parent
snapshot-list web --name
snapshot-list web --roots
snapshot-list web --leaves
snapshot-parent web second
snapshot-parent web first
start web
snapshot-create-as web third
snapshot-info web third
snapshot-list web --tree
snapshot-revert web first
domstate web --reason
snapshot-current web --name
snapshot-list web --tree
snapshot-revert web third
domstate web --reason
snapshot-revert web second
snapshot-revert web nosuch
snapshot-info web nosuch
snapshot-delete web second
snapshot-list web --tree
snapshot-delete web first --children-only
snapshot-list web --tree
snapshot-delete web first
snapshot-list web
snapshot-delete web first
checkpoint-create web {folder}/check.xml
start web
checkpoint-create web {folder}/check.xml
checkpoint-list web
checkpoint-list web --name
checkpoint-list web --tree
checkpoint-create-as web point2
checkpoint-list web --parent
checkpoint-info web point2
checkpoint-parent web point2
checkpoint-delete web point
checkpoint-list web --name
checkpoint-delete web point2
checkpoint-list web --name
snapshot-create-as web again
destroy web
undefine web
"""

WORDS = """
# names as they were typed
define {folder}/web.xml
net-define {folder}/net.xml
start U
suspend U
resume U
reboot U
reset U
autostart U
managedsave U
managedsave-remove U
start U
save U {folder}/web.save
restore {folder}/web.save
dump U {folder}/web.core
snapshot-current U
set-user-password U root x
shutdown U
destroy U
net-start N
net-autostart N
net-destroy N
net-undefine N
vol-create-as default-pool v9 1M
vol-delete /default-pool/v9
# numbers: decimal, no minus where none can be
setvcpus web 0x2 --config
setvcpus web 02 --config
setvcpus web -0 --config
vcpupin web --vcpu 4294967295
cpu-stats web 0x1
domfstrim web --minimum=-0
schedinfo web --set weight=0x10
schedinfo web --set weight=010
iothreaddel web 010
blkdeviotune web vda --total-bytes-sec-max-length 1k
blkdeviotune web vda --total-iops-sec '' --total-bytes-sec-max-length -1
blkdeviotune web vda --group-name ''
# sizes
setmem web +5x
setmem web '5 '
setmem web 0x10
setmem web ''
setmem web 99999999999999999999k
setmem web 18014398509481984
setmaxmem web 16E
memtune web --hard-limit ''
memtune web --hard-limit 8E
vol-create-as default-pool v9 '5 x'
vol-create-as default-pool v9 16E
vol-create-as default-pool v9 1M --allocation '' --format ''
vol-resize v1 +5x --pool default-pool
allocpages 4T 1
allocpages x y z
blockcommit web vda --bandwidth 1x
blockcommit web vda --bandwidth ''
# what is looked at first
attach-disk nosuch /a vdc --wwn abc
attach-disk nosuch /a vdc --source-host-name a --source-host-socket b
attach-disk nosuch /a vdc --source-protocol nbd --sourcetype file
attach-disk web /a vdc qemu raw --print-xml
attach-disk nosuch /a vdc --driver '' --targetbus ''
attach-interface nosuch dir br0 --inbound x
attach-interface nosuch dir br0 --mac ''
detach-interface nosuch network 52:54:00:00:00:01
detach-interface web network 52:54:00:00:00:01
detach-interface web '' --print-xml
domiftune web vnet7 --inbound 99999999999
domiftune web vnet7 --live
memtune web --live
numatune web --config --live
change-media web hdc
change-media web hdc --update
change-media nosuch hdc
blockcommit nosuch vda --verbose
blockpull nosuch vda --async
blockcopy nosuch vda --timeout 0
blockcopy nosuch vda --verbose
blockcopy nosuch vda --dest x --async
blockjob nosuch ''
perf nosuch --enable ''
undefine nosuch --wipe-storage
vcpupin nosuch --cpulist 0
vcpupin web --live
domblkthreshold nosuch '' x
dom-fd-associate nosuch '' x
domifaddr nosuch --source x
domjobinfo web --keep-completed
domjobinfo web --rawstats
dumpxml nosuch --xpath ''
snapshot-dumpxml nosuch ''
snapshot-list nosuch --descendants
checkpoint-list nosuch --descendants
checkpoint-create web --redefine-validate
checkpoint-delete web --children --children-only
managedsave-edit nosuch --running --paused
qemu-agent-command web x --async --timeout -1
set-user-sshkeys nosuch x --remove --reset
pool-create {folder}/nosuch --overwrite --no-overwrite
pool-start '' --overwrite --no-overwrite
pool-create-as a dir --print-xml --source-protocol-ver 4
pool-define-as a dir --auth-username '' --source-protocol-ver ''
pool-define-as a dir --secret-usage a --secret-uuid b
net-update default x '' y
net-port-dumpxml nosuch x
net-dhcp-leases '' --mac ''
find-storage-pool-sources '' --srcSpec ''
hypervisor-cpu-compare {folder}/nosuch --virttype '' --emulator ''
nodedev-info computer
secret-list --ephemeral
iface-list --all --inactive
net-list --inactive --all
list --state-shutoff
echo --err
echo --shell --split a
echo --xml --split a
dumpxml web --xpath 'count(//disk)'
dumpxml web --xpath //nosuch --wrap
dumpxml web --xpath //@type --wrap
undefine web --keep-nvram
""".replace(" U", " 22222222-3333-4444-5555-666666666666").replace(" N", " 22222222-aaaa-4444-5555-666666666666")
"""What virsh says and in which order it looks: found by lines made by chance."""
