"""What people practise on test:///default: over 300 command lines, in parts that each begin from the driver's first state."""

from __future__ import annotations

from tests.testdriver.script_more import SNAPS, STORE, WORDS

GUEST = """<domain type='test'>
  <name>web</name>
  <uuid>22222222-3333-4444-5555-666666666666</uuid>
  <title>a title</title>
  <description>some words</description>
  <memory unit='MiB'>512</memory>
  <currentMemory unit='MiB'>256</currentMemory>
  <vcpu current='1'>4</vcpu>
  <os><type arch='i686'>hvm</type><boot dev='network'/><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type='file' device='disk'><source file='/web.img'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <interface type='network'><mac address='52:54:00:11:22:33'/><source network='default'/></interface>
    <interface type='bridge'><mac address='52:54:00:11:22:34'/><source bridge='br0'/><target dev='vnet7'/></interface>
    <graphics type='vnc' port='5901'/>
  </devices>
</domain>
"""
FILES = {
    "web.xml": GUEST,
    "web2.xml": GUEST.replace("<name>web<", "<name>web2<").replace("22222222", "33333333"),
    "clash.xml": GUEST.replace("22222222", "44444444"),
    "bad.xml": "<domain type='test'><name>bad</name></domain>",
    "broken.xml": "<domain>",
    "kvm.xml": GUEST.replace("type='test'", "type='kvm'").replace("<name>web<", "<name>kvm<").replace("22222222", "55555555"),
    "net.xml": "<network><name>lan</name><uuid>22222222-aaaa-4444-5555-666666666666</uuid><forward mode='nat'/><bridge name='virbr7'/>"
    "<ip address='10.1.2.1' netmask='255.255.255.0'><dhcp><range start='10.1.2.2' end='10.1.2.9'/></dhcp></ip></network>",
    "host.xml": "<host mac='52:54:00:aa:bb:cc' name='one' ip='10.1.2.5'/>",
    "pool.xml": "<pool type='dir'><name>images</name><uuid>22222222-bbbb-4444-5555-666666666666</uuid><target><path>/images</path></target></pool>",
    "vol.xml": "<volume><name>a.img</name><capacity unit='MiB'>10</capacity><allocation>0</allocation><target><format type='qcow2'/></target></volume>",
    "iface.xml": "<interface type='ethernet' name='eth7'><start mode='onboot'/><protocol family='ipv4'><dhcp/></protocol><mac address='aa:bb:cc:00:11:22'/></interface>",
    "vport.xml": "<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>2000000012340000</wwnn>"
    "<wwpn>1000000012340000</wwpn></capability></capability></device>",
    "snap.xml": "<domainsnapshot><name>first</name><description>the first</description></domainsnapshot>",
    "disk.xml": "<disk type='file' device='disk'><source file='/more.img'/><target dev='vdb' bus='virtio'/></disk>",
    "card.xml": "<interface type='network'><mac address='52:54:00:99:99:99'/><source network='default'/></interface>",
    "check.xml": "<domaincheckpoint><name>point</name></domaincheckpoint>",
}
HOST = """
version
uri
hostname
nodeinfo
maxvcpus
capabilities
sysinfo
freecell
freecell --all
freecell 1
freepages --all
freepages 0 2048
nodecpumap
nodecpumap --pretty
nodecpustats
nodecpustats --percent
node-memory-tune
nodememstats
nodesevinfo
domcapabilities
secret-list
nwfilter-list
cpu-models i686
cpu-models nosuch
list
list --all
list --inactive
list --all --title
list --all --uuid
list --all --name
list --all --id
domid test
domuuid test
domname 6695eb01-f6a4-8304-79aa-97f2502e193f
dominfo test
domstate test
domstate test --reason
domcontrol test
dumpxml test
dumpxml test --inactive
dumpxml test --xpath //memory
vcpucount test
vcpucount test --maximum --live
domblklist test
domblklist test --details
domiflist test
domif-getlink test testnet0
desc test
desc test --title
net-list --all
net-info default
net-dumpxml default
net-uuid default
net-name dd8fe884-6c02-601e-7551-cca97df1c5df
net-dhcp-leases default
net-list --all --name
net-list --all --uuid
net-list --inactive
pool-list --all
pool-list --all --details
pool-list --type dir
pool-list --type fs
pool-info default-pool
pool-info default-pool --bytes
pool-dumpxml default-pool
pool-uuid default-pool
vol-list default-pool
vol-list default-pool --details
iface-list
iface-list --all
iface-list --inactive
iface-dumpxml eth1
iface-mac eth1
iface-name aa:bb:cc:dd:ee:ff
nodedev-list --all
nodedev-list --cap scsi_host --all
nodedev-dumpxml computer
nodedev-dumpxml scsi_host1
nodedev-dumpxml scsi_host11
nodedev-dumpxml nosuch
dominfo nosuch
net-info nosuch
pool-info nosuch
vol-info nosuch --pool default-pool
iface-dumpxml nosuch
domid 99
"""
LIFE = """
define {folder}/web.xml
list --all
dumpxml web
dominfo web
domstate web --reason
start web
start web
list
domid web
dumpxml web
domstate web --reason
suspend web
suspend web
domstate web --reason
resume web
resume web
domstate web --reason
reboot web
domstate web --reason
reset web
shutdown web
domstate web --reason
shutdown web
start web --paused
domstate web --reason
resume web
destroy web
destroy web
domstate web --reason
autostart web
list --all --autostart
dominfo web
autostart web --disable
define {folder}/clash.xml
define {folder}/web2.xml
list --all --name
domrename web2 other
list --all --name
domrename other web
undefine other
undefine other
undefine web
list --all
create {folder}/web.xml
create {folder}/web.xml
list --transient
dominfo web
destroy web
list --all
define {folder}/bad.xml
define {folder}/broken.xml
define {folder}/kvm.xml
define {folder}/nosuch.xml
define {folder}/web.xml
start web
undefine web
dominfo web
destroy web
dominfo web
define {folder}/web.xml
start web
managedsave web
list --all
list --all --managed-save
dominfo web
managedsave-remove web
managedsave-remove web
start web
save web {folder}/web.save
domstate web --reason
save-image-dumpxml {folder}/web.save --xpath //name
restore {folder}/web.save
domstate web --reason
dump web {folder}/web.core
domstate web --reason
dump web {folder}/web.core --crash
domstate web --reason
undefine web
"""
CHANGE = """
define {folder}/web.xml
desc web
desc web --title
desc web new words
desc web
desc web --title --new-desc 'new title'
desc web --title
metadata web http://a.b/c
metadata web http://a.b/c --key k --set '<x y="z"/>'
metadata web http://a.b/c
metadata web http://a.b/c --remove
metadata web http://a.b/c
setmem web 128M --config
setmem web 1G --config
setmaxmem web 1G --config
dominfo web
setvcpus web 2 --config
setvcpus web 9 --config
vcpucount web
setvcpus web 6 --config --maximum
vcpucount web
vcpucount web --maximum --config
start web
setmem web 200M
dominfo web
setvcpus web 3
vcpucount web
vcpuinfo web
vcpupin web
vcpupin web 0 1-3
vcpupin web
emulatorpin web
schedinfo web
schedinfo web --weight 60
schedinfo web
schedinfo web --set weight=70
memtune web
memtune web --hard-limit 1000000
memtune web
blkiotune web
numatune web
domblklist web --details
domblkstat web vda
domblkstat web nosuch
domblkerror web
domblkinfo web vda
domiflist web
domifstat web vnet7
domifstat web nosuch
domiftune web vnet7
blkdeviotune web vda
domifaddr web
domtime web
domfsinfo web
domhostname web
domfsfreeze web
domfsfreeze web --mountpoint /
domfsthaw web
domfstrim web
guestvcpus web
guestinfo web
iothreadinfo web
perf web
attach-device web {folder}/disk.xml --live
domblklist web
detach-device web {folder}/disk.xml --live
domblklist web
attach-device web {folder}/card.xml --config
domiflist web --inactive
detach-device web {folder}/card.xml --config
domiflist web --inactive
dommemstat web
dommemstat web --period 5
domjobinfo web
domjobabort web
domdisplay web
vncdisplay web
screenshot web {folder}/shot
set-user-password web root secret
domlaunchsecinfo web
inject-nmi web
send-key web KEY_A
domxml-to-native qemu-argv --domain web
managedsave-dumpxml web
domstats web
cpu-stats web --total
cpu-stats web
destroy web
setmem web 100M
setvcpus web 2
domifaddr web
undefine web
"""
PARTS = {"host": HOST, "life": LIFE, "change": CHANGE, "store": STORE, "snaps": SNAPS, "words": WORDS}
