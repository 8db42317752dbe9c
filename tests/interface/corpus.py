"""Documents of interfaces, of our own writing: right ones and wrong ones."""

DOCUMENTS = (
    "<interface type='ethernet' name='a1'/>",
    "<interface type='ethernet' name='a2'><start mode='onboot'/><mtu size='1400'/><mac address='AA:bb:cc:"
    "dd:ee:ff'/><link speed='100' state='up'/><protocol family='ipv4'><dhcp peerdns='no'/></protocol><pro"
    "tocol family='ipv6'><autoconf/><dhcp/><ip address='2001:db8::1' prefix='64'/><route gateway='2001:db"
    "8::9'/></protocol></interface>",
    "<interface type='ethernet' name='a3'><start mode='none'/><protocol family='ipv4'><ip address='10.0.0"
    ".1' prefix='24'/><ip address='10.0.0.2'/><route gateway='10.0.0.9'/></protocol></interface>",
    "<interface type='bridge' name='b1'><start mode='hotplug'/><mtu size='1400'/><protocol family='ipv4'>"
    "<dhcp/></protocol><bridge stp='off' delay='2'><interface type='ethernet' name='e0'><mac address='00:"
    "11:22:33:44:55'/><mtu size='3'/></interface><interface type='ethernet' name='e1'/></bridge></interfa"
    "ce>",
    "<interface type='bridge' name='b2'><bridge/></interface>",
    "<interface type='bridge' name='b3'/>",
    "<interface type='bond' name='d1'><bond mode='active-backup'><miimon freq='100' updelay='10' downdela"
    "y='20' carrier='netif'/><interface type='ethernet' name='e0'/><interface type='ethernet' name='e1'/>"
    "</bond></interface>",
    "<interface type='bond' name='d2'><bond mode='balance-rr'><arpmon interval='100' target='10.0.0.1' va"
    "lidate='active'/><interface type='ethernet' name='e0'/></bond></interface>",
    "<interface type='bond' name='d3'><bond/></interface>",
    "<interface type='bond' name='d4'/>",
    "<interface type='bond' name='d5'><bond mode='bad'/></interface>",
    "<interface type='vlan' name='e0.5'><vlan tag='5'><interface name='e0'/></vlan></interface>",
    "<interface type='vlan' name='e0.6'><vlan tag='6'/></interface>",
    "<interface type='vlan' name='e0.7'/>",
    "<interface type='vlan' name='e0.8'><vlan><interface name='e0'/></vlan></interface>",
    "<interface type='vlan'><vlan tag='9'><interface name='e0'/></vlan></interface>",
    "<interface type='bridge' name='b4'><bridge><interface type='bond' name='bo'><link state='up'/><bond "
    "mode='802.3ad'><miimon freq='1'/><interface type='ethernet' name='z'/></bond></interface><interface "
    "type='vlan' name='z.5'><vlan tag='5'><interface name='z'/></vlan></interface></bridge></interface>",
    "<interface type='ethernet'/>",
    "<interface name='x'/>",
    "<interface type='foo' name='x'/>",
    "<interface type='ethernet' name='a9'><start mode='bad'/></interface>",
    "<interface type='ethernet' name='a9'><start/></interface>",
    "<interface type='ethernet' name='a9'><protocol family='ipx'/></interface>",
    "<interface type='ethernet' name='a9'><protocol/></interface>",
    "<interface type='ethernet' name='a9'><protocol family='ipv4'><dhcp peerdns='maybe'/></protocol></interface>",
    "<interface type='ethernet' name='a9'><protocol family='ipv4'><ip prefix='24'/></protocol></interface>",
    "<interface type='ethernet' name='a9'><protocol family='ipv4'><ip address='10.1.1.1' prefix='x'/></pr"
    "otocol></interface>",
    "<interface type='ethernet' name='a9'><protocol family='ipv4'><route/></protocol></interface>",
    "<interface type='bridge' name='a9'><bridge stp='x'/></interface>",
    "<interface type='bridge' name='a9'><bridge delay='x'/></interface>",
    "<interface type='bridge' name='a9'><bridge><interface type='bridge' name='q'/></bridge></interface>",
    "<interface type='bridge' name='a9'><bridge><interface name='q'/></bridge></interface>",
    "<interface type='bond' name='a9'><bond><miimon/></bond></interface>",
    "<interface type='bond' name='a9'><bond><arpmon interval='1'/></bond></interface>",
    "<interface type='bond' name='a9'><bond><arpmon target='1.1.1.1'/></bond></interface>",
    "<interface type='bond' name='a9'><bond><miimon freq='1' carrier='x'/></bond></interface>",
    "<interface type='bond' name='a9'><bond><arpmon interval='1' target='1.1.1.1' validate='x'/><interfac"
    "e type='ethernet' name='q'/></bond></interface>",
    "<interface type='bond' name='a9'><bond><interface type='vlan' name='q'/></bond></interface>",
    "<interface type='ethernet' name='a9'><link speed='x' state='up'/></interface>",
    "<interface type='ethernet' name='a9'><link state='y'/></interface>",
    "<network/>",
    "<interface type='ethernet' name='a4'><mac/></interface>",
    "<interface type='ethernet' name='a5'><mac address='zz'/></interface>",
    "<interface type='ethernet' name='a6'><protocol family='ipv6'><ip address='2001:db8::1' prefix='64'/>"
    "</protocol><protocol family='ipv4'><dhcp/><ip address='1.1.1.1' prefix='3'/></protocol></interface>",
    "<interface type='bridge' name='b5'><mac address='00:11:22:33:44:55'/><link state='up'/><bridge stp='"
    "on' delay='0'/></interface>",
    "<interface type='bond' name='d6'><mac address='00:11:22:33:44:55'/><link state='up' speed='7'/><bond"
    " mode='broadcast'><interface type='ethernet' name='q'><mac address='00:11:22:33:44:56'/><link state="
    "'up'/></interface></bond></interface>",
    "<interface type='vlan' name='v9'><mac address='00:11:22:33:44:55'/><link state='up' speed='7'/><vlan"
    " tag='077'><interface type='ethernet' name='q'><mac address='00:11:22:33:44:56'/></interface></vlan>"
    "</interface>",
    "<interface type='ethernet' name='a7'><protocol family='ipv6'><autoconf/></protocol><protocol family="
    "'ipv4'></protocol></interface>",
    "<interface type='bridge' name='b6'><bridge delay='1.5'/></interface>",
    "<interface type='bond' name='d7'><bond><interface type='ethernet' name='q'/></bond></interface>",
    "<interface type='bond' name='d8'><bond><interface name='q'/></bond></interface>",
    "<interface type='ethernet' name='a8'><protocol family='ipv4'><ip address='x'/></protocol><protocol f"
    "amily='ipv4'><ip address='10.1.1.1' prefix='24'/></protocol></interface>",
    "<interface type='bond' name='d9'><bond mode='balance-tlb'><miimon freq='1'/><arpmon interval='1' tar"
    "get='1.1.1.1'/><interface type='ethernet' name='q'/></bond></interface>",
    "<interface type='vlan' name='v10'><vlan tag='7'><interface/></vlan></interface>",
)
