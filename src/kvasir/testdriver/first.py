"""What ``test:///default`` holds when it is opened, and the host that it plays."""

from __future__ import annotations

DEFAULT = """
<node>
<domain type='test'><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid><memory>8388608</memory>
<currentMemory>2097152</currentMemory><vcpu>2</vcpu><os><type>hvm</type></os><devices>
<disk type='file'><source file='/guest/diskimage1'/><target dev='vda' bus='virtio'/><address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></disk>
<interface type='network'><source network='default'/><mac address='aa:bb:cc:dd:ee:ff'/><address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/></interface>
<memballoon model='virtio'><address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></memballoon>
</devices></domain>
<network><name>default</name><uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid><bridge name='virbr0'/><forward/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>
<interface type='ethernet' name='eth1'><start mode='onboot'/><mac address='aa:bb:cc:dd:ee:ff'/><mtu size='1492'/>
<protocol family='ipv4'><ip address='192.168.0.5' prefix='24'/><route gateway='192.168.0.1'/></protocol></interface>
<pool type='dir'><name>default-pool</name><uuid>dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566</uuid><target><path>/default-pool</path></target></pool>
<device><name>computer</name><capability type='system'><hardware><vendor>Libvirt</vendor><version>Test driver</version>
<serial>123456</serial><uuid>11111111-2222-3333-4444-555555555555</uuid></hardware><firmware><vendor>Libvirt</vendor>
<version>Test Driver</version><release_date>01/22/2007</release_date></firmware></capability></device>
<device><name>scsi_host1</name><parent>computer</parent><capability type='scsi_host'><host>1</host><unique_id>0</unique_id>
<capability type='fc_host'><wwnn>2000000012341234</wwnn><wwpn>1000000012341234</wwpn><fabric_wwn>2000000043214321</fabric_wwn></capability>
<capability type='vport_ops'><max_vports>0</max_vports><vports>0</vports></capability></capability></device>
<device><name>scsi_host2</name><parent>computer</parent><capability type='scsi_host'><host>2</host><unique_id>1</unique_id>
<capability type='fc_host'><wwnn>2000000056785678</wwnn><wwpn>1000000056785678</wwpn><fabric_wwn>2000000087658765</fabric_wwn></capability>
<capability type='vport_ops'><max_vports>0</max_vports><vports>0</vports></capability></capability></device>
<device><name>scsi_host11</name><parent>scsi_host1</parent><capability type='scsi_host'><host>11</host><unique_id>10</unique_id>
<capability type='fc_host'><wwnn>2000000034563456</wwnn><wwpn>1000000034563456</wwpn><fabric_wwn>2000000043214321</fabric_wwn></capability></capability></device>
</node>
"""
"""The facts of libvirt's own driver, which programs that practise on it expect."""
CELLS = ((0, 2097152, 4), (1, 4194304, 8))
"""NUMA cell, its memory in KiB, the page that most of it is in."""


def capabilities() -> str:
    """The host's document."""
    out = [
        "<capabilities>\n\n  <host>\n    <cpu>\n      <arch>i686</arch>\n      <features>\n        <pae/>\n        <nonpae/>\n      </features>\n"
    ]
    out += [f"      <pages unit='KiB' size='{size}'/>\n" for size in (4, 8, 2048, 1048576)]
    out.append(
        "    </cpu>\n    <power_management/>\n    <iommu support='no'/>\n    <topology>\n      <cells num='2'>\n"
    )
    for cell, memory, page in CELLS:
        out.append(f"        <cell id='{cell}'>\n          <memory unit='KiB'>{memory}</memory>\n")
        for size, count in ((page, 2097152 // 4), (2048, 0), (1048576, 0)):
            out.append(f"          <pages unit='KiB' size='{size}'>{count}</pages>\n")
        out.append("          <cpus num='8'>\n")
        for number in range(8):
            cpu = cell * 8 + number
            out.append(
                f"            <cpu id='{cpu}' socket_id='{cell}' die_id='0' core_id='{number}' siblings='{cpu}'/>\n"
            )
        out.append("          </cpus>\n        </cell>\n")
    out.append(
        "      </cells>\n    </topology>\n    <secmodel>\n      <model>testSecurity</model>\n      <doi></doi>\n    </secmodel>\n  </host>\n\n"
    )
    for kind in ("hvm", "xen"):
        out.append(f"  <guest>\n    <os_type>{kind}</os_type>\n    <arch name='i686'>\n      <wordsize>32</wordsize>\n")
        out.append("      <emulator>/usr/bin/test-hv</emulator>\n      <domain type='test'/>\n    </arch>\n")
        out.append("    <features>\n      <pae/>\n      <nonpae/>\n    </features>\n  </guest>\n\n")
    return "".join(out) + "</capabilities>\n"


SYSINFO = """<sysinfo type='smbios'>
  <bios>
    <entry name='vendor'>LENOVO</entry>
    <entry name='version'>G4ETA1WW (2.61 )</entry>
    <entry name='date'>05/07/2014</entry>
    <entry name='release'>2.61</entry>
  </bios>
</sysinfo>
"""
