"""More documents of the smaller classes, so that every kind of them is mutated: of no use to calls, taken or refused as they stand."""

from __future__ import annotations

from typing import Final

from tests.interface.corpus import DOCUMENTS

_SOURCE = "<source>{}</source><target><path>{{folder}}/other</path></target></pool>"
POOLS: Final = (
    "<pool type='fs'><name>new</name>" + _SOURCE.format("<device path='/dev/null'/><format type='ext4'/>"),
    "<pool type='netfs'><name>new</name><source><host name='192.0.2.1'/><dir path='/e'/><format type='nfs'/><protocol ver='4'/></source>"
    "<target><path>{folder}/other</path><permissions><mode>0700</mode><owner>0</owner><group>0</group><label>l</label></permissions></target></pool>",
    "<pool type='logical'><name>new</name><source><device path='/dev/null'/><name>vg</name><format type='lvm2'/></source><target><path>/dev/vg</path></target></pool>",
    "<pool type='disk'><name>new</name><source><device path='/dev/null' part_separator='yes'><freeExtent start='0' end='9'/></device><format type='gpt'/></source>"
    "<target><path>/dev</path></target></pool>",
    "<pool type='iscsi'><name>new</name><source><host name='192.0.2.1' port='3260'/><device path='iqn.2020-01.test:a'/><auth type='chap' username='u'>"
    "<secret usage='s'/></auth><vendor name='v'/><product name='p'/></source><target><path>/dev/disk/by-path</path></target></pool>",
    "<pool type='iscsi-direct'><name>new</name><source><host name='192.0.2.1'/><device path='iqn.2020-01.test:a'/><initiator><iqn name='iqn.2020-01.test:i'/>"
    "</initiator></source></pool>",
    "<pool type='scsi'><name>new</name><source><adapter type='fc_host' parent='scsi_host5' managed='yes' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/></source>"
    "<target><path>/dev/disk/by-path</path></target></pool>",
    "<pool type='scsi'><name>new</name><source><adapter type='scsi_host'><parentaddr unique_id='1'><address domain='0' bus='0' slot='0x1f' function='2'/>"
    "</parentaddr></adapter></source><target><path>/dev/disk/by-path</path></target></pool>",
    "<pool type='mpath'><name>new</name><target><path>/dev/mapper</path></target></pool>",
    "<pool type='rbd'><name>new</name><source><host name='192.0.2.1' port='6789'/><name>p</name><auth type='ceph' username='u'><secret "
    "uuid='55555555-5555-4555-8555-555555555555'/></auth></source></pool>",
    "<pool type='gluster'><name>new</name><source><host name='192.0.2.1'/><dir path='/d'/><name>v</name></source></pool>",
    "<pool type='zfs'><name>new</name><source><name>tank</name><device path='/dev/null'/></source></pool>",
    "<pool type='dir' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>new</name><features><cow state='yes'/></features><capacity unit='KiB'>5</capacity>"
    "<target><path>{folder}/other</path></target><fs:mount_opts><fs:option name='sync'/></fs:mount_opts></pool>",
)
VOLUMES: Final = (
    "<volume><name>new</name><capacity unit='KiB'>64</capacity><allocation>0</allocation><target><format type='raw'/>"
    "<permissions><mode>0600</mode><owner>0</owner><group>0</group></permissions><nocow/></target></volume>",
    "<volume type='file'><name>new</name><key>k</key><capacity>65536</capacity><target><path>{folder}/pool/new</path><format type='qcow2'/>"
    "<compat>1.1</compat><features><lazy_refcounts/><extended_l2/></features><clusterSize unit='KiB'>64</clusterSize></target>"
    "<backingStore><path>{folder}/disk</path><format type='qcow2'/></backingStore></volume>",
    "<volume><name>new</name><capacity unit='M'>1</capacity><allocation unit='bytes'>0</allocation><target><format type='qcow2'/>"
    "<encryption format='luks'><secret type='passphrase' uuid='55555555-5555-4555-8555-555555555555'/><cipher name='aes' size='256' mode='xts' hash='sha256'/>"
    "<ivgen name='plain64' hash='sha256'/></encryption><timestamps><atime>1.2</atime></timestamps></target></volume>",
    "<volume type='dir'><name>new</name><capacity>0</capacity><target><format type='dir'/></target></volume>",
    "<volume><name>new</name><capacity unit='KiB'>64</capacity><source><device path='/dev/null'><extent start='0' end='9'/></device></source>"
    "<target><format type='vmdk'/></target></volume>",
)
_RULE = "<rule action='{}' direction='{}' priority='{}' statematch='0'>{}</rule>"
NWFILTERS: Final = (
    "<filter name='new' chain='mac-x' priority='-800'>"
    + _RULE.format("drop", "out", "-500", "<mac match='no' srcmacaddr='$MAC' srcmacmask='ff:ff:ff:ff:ff:ff' protocolid='0x800' comment='c'/>")
    + "<rule action='return' direction='in'><vlan vlanid='0x5' encap-protocol='arp'/></rule><filterref filter='fuzz'><parameter name='A' value='1'/></filterref></filter>",
    "<filter name='new' chain='stp'>"
    + _RULE.format("accept", "in", "1", "<stp root-priority='1' root-priority-hi='9' forward-delay='5' sender-address='01:02:03:04:05:06'/>")
    + "</filter>",
    "<filter name='new' chain='arp'><rule action='accept' direction='inout'><arp hwtype='1' protocoltype='0x800' opcode='Request' arpsrcipaddr='$IP' gratuitous='true'/></rule>"
    "<rule action='drop' direction='in'><rarp arpdstmacaddr='01:02:03:04:05:06' arpdstipaddr='10.0.0.1'/></rule></filter>",
    "<filter name='new' chain='root'><rule action='reject' direction='in'><tcp srcipaddr='$IPS[@1]' dstportstart='$P[2]' dstportend='99' flags='SYN,ACK/SYN' connlimit-above='3' "
    "option='5' ipset='s' ipsetflags='src,dst'/></rule><rule action='accept' direction='out'><udp-ipv6 srcipfrom='::1' srcipto='::9' dscp='0x3f'/></rule></filter>",
    "<filter name='new'><rule action='accept' direction='in'><icmpv6 type='128' code='0'/></rule><rule action='continue' direction='in'><ipv6 srcipaddr='::1' "
    "srcipmask='64' protocol='icmpv6' type='1' typeend='5' codeend='3'/></rule><rule action='drop' direction='inout'><sctp/></rule></filter>",
)  # fmt: skip
SECRETS: Final = (
    "<secret ephemeral='yes' private='yes'><usage type='none'/></secret>",
    "<secret><usage type='ceph'><name>n</name></usage></secret>",
    "<secret><usage type='iscsi'><target>t</target></usage></secret>",
    "<secret><usage type='tls'><name>n</name></usage></secret>",
    "<secret><uuid>55555555-5555-4555-8555-555555555556</uuid><usage type='vtpm'><name>n</name></usage></secret>",
)
NODEDEVS: Final = (
    "<device><name>new</name><path>/sys/x</path><parent>pci_0000_00_02_0</parent><driver><name>d</name></driver><capability type='mdev'><type id='t-1'/>"
    "<iommuGroup number='3'/><uuid>66666666-6666-4666-8666-666666666667</uuid><attr name='b' value='2'/><attr name='c' value=''/></capability></device>",
    "<device><name>new</name><parent wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/><capability type='scsi_host'><host>5</host><unique_id>1</unique_id>"
    "<capability type='fc_host'><wwnn>20000000c9831b4b</wwnn><wwpn>10000000c9831b4c</wwpn><fabric_wwn>2001000dec9877c1</fabric_wwn></capability>"
    "<capability type='vport_ops'><max_vports>2</max_vports><vports>0</vports></capability></capability></device>",
    "<device><name>new</name><capability type='pci'><class>0x020000</class><domain>0</domain><bus>3</bus><slot>0x1f</slot><function>7</function>"
    "<product id='0x10c9'>p</product><vendor id='0x8086'>v</vendor><capability type='virt_functions' maxCount='7'><address domain='0' bus='3' slot='0x10' function='0'/>"
    "</capability><capability type='vpd'><name>n</name><fields access='readonly'><part_number>1</part_number><vendor_field index='A'>x</vendor_field></fields></capability>"
    "<capability type='mdev_types'><type id='t-1'><name>n</name><deviceAPI>vfio-pci</deviceAPI><availableInstances>1</availableInstances></type></capability>"
    "<iommuGroup number='7'><address domain='0' bus='3' slot='0' function='0'/></iommuGroup><numa node='0'/><pci-express><link validity='cap' port='1' speed='8' "
    "width='16'/></pci-express></capability></device>",
    "<device><name>new</name><capability type='system'><product>p</product><hardware><vendor>v</vendor><uuid>66666666-6666-4666-8666-666666666667</uuid></hardware>"
    "<firmware><vendor>v</vendor><release_date>1</release_date></firmware></capability></device>",
    "<device><name>new</name><capability type='net'><interface>e</interface><address>52:54:00:00:00:01</address><link speed='10' state='up'/><feature name='rx'/>"
    "<capability type='80203'/></capability></device>",
    "<device><name>new</name><devnode type='dev'>/dev/x</devnode><capability type='storage'><block>/dev/x</block><bus>usb</bus><drive_type>cdrom</drive_type>"
    "<capability type='removable'><media_available>1</media_available><media_size>5</media_size></capability></capability></device>",
    "<device><name>new</name><capability type='usb_device'><bus>1</bus><device>4</device><product id='0x1'>p</product><vendor id='0x2'>v</vendor></capability></device>",
    "<device><name>new</name><capability type='ccw'><cssid>0x0</cssid><ssid>0x0</ssid><devno>0x10ac</devno></capability></device>",
)
SNAPSHOTS: Final = (
    "<domainsnapshot><name>fuzz</name><creationTime>1700000000</creationTime><state>disk-snapshot</state><memory snapshot='no'/>"
    "<disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='{folder}/snap'/></disk><disk name='hdc' snapshot='no'/></disks></domainsnapshot>",
    "<domainsnapshot><name>fuzz</name><creationTime>1700000000</creationTime><state>shutoff</state><parent><name>fuzz0</name></parent><active>1</active>"
    "<memory snapshot='no'/><disks><disk name='vda' snapshot='internal'/></disks></domainsnapshot>",
    "<domainsnapshot><name>fuzz</name><creationTime>1700000000</creationTime><state>running</state><memory snapshot='external' file='{folder}/memory'/>"
    "<cookie><cpu mode='custom' match='exact'><model>qemu64</model></cpu></cookie></domainsnapshot>",
)
CHECKPOINTS: Final = (
    "<domaincheckpoint><name>fuzz</name><creationTime>1700000000</creationTime><disks><disk name='vda' checkpoint='bitmap' bitmap='fuzz'/>"
    "<disk name='hdc' checkpoint='no'/></disks><domain type='qemu'><name>fuzz</name><uuid>11111111-1111-4111-8111-111111111111</uuid>"
    "<memory>32768</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file' device='disk'><source file='{folder}/disk'/>"
    "<target dev='vda' bus='virtio'/></disk></devices></domain></domaincheckpoint>",
    "<domaincheckpoint><name>fuzz</name><creationTime>1700000000</creationTime><parent><name>fuzz0</name></parent></domaincheckpoint>",
)
BACKUPS: Final = (
    "<domainbackup mode='pull'><incremental>fuzz</incremental><server transport='unix' socket='{folder}/nbd'/><disks><disk name='vda' backup='yes' "
    "exportname='e' exportbitmap='b' type='file'><scratch file='{folder}/scratch'/></disk><disk name='hdc' backup='no'/></disks></domainbackup>",
    "<domainbackup mode='pull'><server name='127.0.0.1' port='0'/><disks><disk name='vda'/></disks></domainbackup>",
)
VARIANTS: Final[dict[str, tuple[str, ...]]] = {
    "pool": POOLS,
    "volume": VOLUMES,
    "nwfilter": NWFILTERS,
    "secret": SECRETS,
    "nodedev": NODEDEVS,
    "interface": DOCUMENTS,
    "snapshot": SNAPSHOTS,
    "checkpoint": CHECKPOINTS,
    "backup": BACKUPS,
}
