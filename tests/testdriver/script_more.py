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
