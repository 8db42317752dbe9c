"""What makes a guest's disk fit to be cloned: the operations of virt-sysprep by name, each a list of files or a piece of shell.

The script of an operation runs in the guest's root folder, in the appliance. ``gone PATTERN...`` removes and tells.
"""

from __future__ import annotations

from dataclasses import dataclass

TOOLS = """
gone() { for one in "$@"; do if [ -e "$one" ] || [ -L "$one" ]; then rm -rf "$one" && echo "removed /$one"; fi; done; }
emptied() { for one in "$@"; do if [ -s "$one" ]; then : > "$one" && echo "emptied /$one"; fi; done; }
edited() { file=$1; shift; [ -f "$file" ] || return 0; cp -p "$file" /tmp/edited; sed "$@" < /tmp/edited > /tmp/new
  cmp -s /tmp/edited /tmp/new || { cat /tmp/new > "$file"; echo "changed /$file"; }; }
ifcfgs() { ls etc/sysconfig/network-scripts/ifcfg-* etc/sysconfig/networking/devices/ifcfg-* etc/sysconfig/networking/profiles/*/ifcfg-* 2>/dev/null | grep -v 'ifcfg-lo$'; }
have() { command -v "$1" > /dev/null || { echo "$1 is not in the appliance: scripts/appliance puts it there"; exit 1; }; }
release() { cat etc/redhat-release etc/centos-release 2>/dev/null | sed -n 's/.*release \\([0-9]*\\).*/\\1/p' | head -n 1; }
"""


@dataclass(frozen=True)
class Operation:
    """One step: its name, what it does in words, its shell, and whether it is done unless one says otherwise."""

    name: str
    about: str
    script: str
    default: bool = True
    unmounted: bool = False
    """Done when the guest's file systems are no longer mounted."""


def _gone(name: str, about: str, *patterns: str, default: bool = True) -> Operation:
    return Operation(name, about, f"gone {' '.join(patterns)}", default)


HWADDR = """for file in $(ifcfgs); do edited "$file" '/^[[:space:]]*HWADDR=/d'; done"""
STATIC = """for file in $(ifcfgs); do
  edited "$file" -e '/^[[:space:]]*\\(NETWORK\\|NETMASK\\|IPADDR\\|PREFIX\\|GATEWAY\\|BROADCAST\\|HWADDR\\|MACADDR\\|USERCTL\\|UUID\\)[0-9]*=/d' -e 's/^\\(BOOTPROTO=\\).*/\\1dhcp/' -e 's/^\\(ONBOOT=\\).*/\\1yes/'
  grep -q '^BOOTPROTO=' "$file" || echo BOOTPROTO=dhcp >> "$file"; grep -q '^ONBOOT=' "$file" || echo ONBOOT=yes >> "$file"
  grep -q '^DEVICE=' "$file" || echo "DEVICE=${file##*/ifcfg-}" >> "$file"
done"""
MACHINE_ID = """if [ -e etc/machine-id ]; then : > etc/machine-id; echo "emptied /etc/machine-id"; fi
[ -L var/lib/dbus/machine-id ] || gone var/lib/dbus/machine-id"""
WIZARDS = """if [ "$(release)" ] && [ "$(release)" -le 6 ]; then : > .unconfigured; echo "made /.unconfigured"; exit 0; fi
edited etc/sysconfig/firstboot 's/RUN_FIRSTBOOT=NO/RUN_FIRSTBOOT=YES/'
for unit in firstboot-graphical initial-setup-graphical initial-setup; do for folder in usr/lib lib; do
  file=$folder/systemd/system/$unit.service
  [ -f "$file" ] || continue
  for target in $(sed -n 's/^WantedBy=//p' "$file"); do mkdir -p "etc/systemd/system/$target.wants"
    ln -sf "/$file" "etc/systemd/system/$target.wants/$unit.service"; echo "enabled $unit.service for $target"; done
  break
done; done"""
HOSTNAME = """edited etc/sysconfig/network '/^HOSTNAME=/d'
for file in $(ifcfgs); do edited "$file" '/^DHCP_HOSTNAME=/d'; done
gone etc/hostname"""
LOGS = """find var/log -type f 2>/dev/null | while read -r one; do
  case $one in *.[0-9]|*.gz|*.xz|*.old|*-[0-9]*|var/log/journal/*) gone "$one" ;; *) emptied "$one" ;; esac; done
gone var/cache/fontconfig/* var/lib/AccountsService/users/* etc/Pegasus/*.cnf"""

ACCOUNTS = """least=$(sed -n 's/^UID_MIN[[:space:]]*//p' etc/login.defs 2>/dev/null); most=$(sed -n 's/^UID_MAX[[:space:]]*//p' etc/login.defs 2>/dev/null)
awk -F: -v least="${least:-1000}" -v most="${most:-60000}" -v keep=,KEEP, -v only=,ONLY, '$1 != "root" && $3 >= least && $3 <= most &&
  !index(keep, "," $1 ",") && (only == ",," || index(only, "," $1 ",")) { print $1, substr($6, 2) }' etc/passwd > /tmp/accounts
while read -r user home; do
  for file in passwd shadow group gshadow subuid subgid; do edited "etc/$file" "/^$user:/d"; done
  edited etc/group -e "s/\\([:,]\\)$user,/\\1/" -e "s/,$user$//" -e "s/:$user$/:/"; edited etc/gshadow -e "s/\\([:,]\\)$user,/\\1/" -e "s/,$user$//" -e "s/:$user$/:/"
  case $home in ''|.|*..*) ;; */*) gone "$home" ;; esac
  gone "var/mail/$user" "var/spool/mail/$user"
done < /tmp/accounts"""
FS_UUIDS = """for device in $(devices); do case $(kind "$device") in
  ext4) have tune2fs; e2fsck -f -p "$device" > /tmp/said 2>&1; [ $? -le 2 ] || { cat /tmp/said; exit 1; }; tune2fs -f -U random "$device" < /dev/null > /tmp/said 2>&1 || { cat /tmp/said; exit 1; }; echo "new UUID of ext on $device" ;;
  xfs) have xfs_db; xfs_db -x -p xfs_admin -c "uuid generate" "$device" > /tmp/said 2>&1 || { cat /tmp/said; exit 1; }; echo "new UUID of XFS on $device" ;;
  btrfs) have btrfstune; btrfstune -f -u "$device" > /tmp/said 2>&1 || { cat /tmp/said; exit 1; }; echo "new UUID of btrfs on $device" ;; esac; done"""
LVM_UUIDS = """[ -x /sbin/lvm ] || exit 0  # disks with LVM were refused before this
groups=$(lvm vgs --noheadings -o name 2>/dev/null); [ "$groups" ] || exit 0
lvm vgchange -q -q -an > /tmp/said 2>&1 || { cat /tmp/said; exit 1; }
lvm pvchange -q -u -a > /tmp/said 2>&1 && lvm vgchange -q -u $groups > /tmp/said 2>&1 || { cat /tmp/said; exit 1; }
echo "new UUIDs of the LVM groups" $groups"""

OPERATIONS = (
    _gone("abrt-data", "Remove the crash data of ABRT", "var/spool/abrt/*"),
    Operation("backup-files", "Remove editors' backup files", """find etc root srv tmp var -xdev -type f \\( -name '*~' -o -name '*.bak' \\) 2>/dev/null | while read -r one; do gone "$one"; done"""),
    _gone("bash-history", "Remove the shells' histories", "root/.bash_history home/*/.bash_history"),
    _gone("blkid-tab", "Remove the list of block devices", "var/run/blkid.tab var/run/blkid.tab.old etc/blkid/blkid.tab etc/blkid/blkid.tab.old etc/blkid.tab etc/blkid.tab.old"),
    _gone("ca-certificates", "Remove CA certificates of the guest's own", "etc/pki/CA/certs/* etc/pki/CA/crl/* etc/pki/CA/newcerts/* etc/pki/tls/certs/*.crt etc/pki/tls/private/*.key", default=False),
    _gone("crash-data", "Remove kernel dumps", "var/crash/* var/log/dump/*"),
    _gone("cron-spool", "Remove users' cron jobs", "var/spool/cron/* var/spool/at/*"),
    _gone("dhcp-client-state", "Remove leases that the guest had", "var/lib/dhclient/* var/lib/dhcp/* var/lib/dhcpcd/* var/lib/NetworkManager/*.lease"),
    _gone("dhcp-server-state", "Remove leases that the guest gave", "var/lib/dhcpd/*"),
    _gone("dovecot-data", "Remove Dovecot's data", "var/lib/dovecot/*"),
    _gone("firewall-rules", "Remove firewall rules of the guest's own", "etc/sysconfig/iptables etc/firewalld/services/* etc/firewalld/zones/*", default=False),
    Operation("flag-reconfiguration", "Let the guest ask for its configuration at the next boot", ': > .unconfigured; echo "made /.unconfigured"', default=False),
    Operation("fs-uuids", "Give file systems new UUIDs (a guest that mounts by UUID may not boot then)", FS_UUIDS, default=False, unmounted=True),
    _gone("ipa-client", "Remove the enrolment with IPA", "etc/ipa/ca.crt etc/ipa/default.conf var/lib/ipa-client/sysrestore/* var/lib/ipa-client/pki/*"),
    _gone("kerberos-data", "Remove the Kerberos server's data", "var/kerberos/krb5kdc/*", default=False),
    _gone("kerberos-hostkeytab", "Remove the host's Kerberos key", "etc/krb5.keytab"),
    Operation("logfiles", "Empty logs and remove old ones", LOGS),
    Operation("lvm-uuids", "Give LVM's volumes and groups new UUIDs", LVM_UUIDS, unmounted=True),
    Operation("machine-id", "Empty the machine id, which is made anew at boot", MACHINE_ID),
    _gone("mail-spool", "Remove mail", "var/spool/mail/* var/mail/*"),
    Operation("net-hostname", "Remove the host name", HOSTNAME),
    Operation("net-hwaddr", "Remove HWADDR (fixed MAC addresses) from network configuration", HWADDR),
    _gone("net-nmconn", "Remove NetworkManager's connections of the guest's own", "etc/NetworkManager/system-connections/*.nmconnection"),
    Operation("net-static", "Remove addresses and other unique lines of ifcfg files and leave DHCP", STATIC, default=False),
    _gone("pacct-log", "Remove process accounting", "var/account/pacct var/log/account/pacct"),
    _gone("package-manager-cache", "Remove downloaded packages", "var/cache/apt/archives/*.deb var/cache/dnf/* var/cache/yum/* var/cache/zypp/*"),
    _gone("pam-data", "Remove PAM's data", "var/run/console/* var/run/faillock/* var/run/sepermit/*"),
    _gone("passwd-backups", "Remove backups of passwd, group and their kin", "etc/group- etc/gshadow- etc/passwd- etc/shadow- etc/subuid- etc/subgid-"),
    _gone("puppet-data-log", "Remove Puppet's data", "var/log/puppet/* var/lib/puppet/*/* var/lib/puppet/*/*/*"),
    _gone("rh-subscription-manager", "Remove the identity of subscription-manager", "etc/pki/consumer/* etc/pki/entitlement/*"),
    _gone("rhn-systemid", "Remove the registration with RHN", "etc/sysconfig/rhn/systemid etc/sysconfig/rhn/osad-auth.conf"),
    _gone("rpm-db", "Remove RPM's database files that it makes anew", "var/lib/rpm/__db.*"),
    _gone("samba-db-log", "Remove Samba's databases and logs", "var/log/samba/old/* var/log/samba/* var/lib/samba/*/* var/lib/samba/*.tdb"),
    Operation("script", "Run scripts in the guest's root folder (--script)", ""),
    _gone("smolt-uuid", "Remove Smolt's hardware ids", "etc/sysconfig/hw-uuid etc/smolt/uuid etc/smolt/hw-uuid"),
    _gone("ssh-hostkeys", "Remove ssh's host keys, which are made anew at boot", "etc/ssh/*_host_* etc/ssh/ssh_host_*"),
    _gone("ssh-userdir", "Remove users' .ssh", "root/.ssh home/*/.ssh"),
    _gone("sssd-db-log", "Remove SSSD's databases and logs", "var/log/sssd/* var/lib/sss/db/*"),
    _gone("tmp-files", "Remove temporary files", "tmp/* tmp/.[!.]* var/tmp/* var/tmp/.[!.]*"),
    _gone("udev-persistent-net", "Remove udev's rules that tie network names to MAC addresses", "etc/udev/rules.d/70-persistent-net.rules"),
    Operation("user-account", "Remove users and their homes", ACCOUNTS.replace("KEEP", "").replace("ONLY", ""), default=False),
    _gone("utmp", "Remove the records of logins", "var/run/utmp var/log/btmp* var/log/wtmp* var/log/lastlog"),
    Operation("wizards", "Let the first-boot wizards run again", WIZARDS, default=False),
    _gone("yum-uuid", "Remove yum's id", "var/lib/yum/uuid"),
    Operation("customize", "Put names, passwords, keys, files and commands into the guest (their options)", ""),
)  # fmt: skip
BY_NAME = {one.name: one for one in OPERATIONS}
CLONE = (
    "udev-persistent-net",
    "net-hwaddr",
    "net-static",
    "rhn-systemid",
    "rh-subscription-manager",
    "ssh-hostkeys",
    "machine-id",
)
"""What guide 4.1 asks for before a clone, but for the wizards."""


def chosen(words: str) -> list[Operation]:
    """``NAME,-NAME,defaults,all``, in the order of the table. Raises ValueError for a name that is none."""
    names: set[str] = set()
    for word in filter(None, words.split(",")):
        name = word.removeprefix("-")
        if name not in BY_NAME and name not in ("defaults", "all"):
            raise ValueError(f"no operation {name!r}")
        meant = {one.name for one in OPERATIONS if name in (one.name, "all") or (name == "defaults" and one.default)}
        names = names - meant if word.startswith("-") else names | meant
    return [one for one in OPERATIONS if one.name in names]


def script(operations: list[Operation], *, unmounted: bool = False) -> str:
    """One script for all that are done while the guest is mounted, or after: each in a shell of its own, told by ``@NAME`` before what it did."""
    todo = [one for one in operations if one.unmounted == unmounted and one.script]
    if unmounted and not todo:
        return ""
    parts = [f'echo "@{one.name}"\n(\n{one.script}\n) || exit 1\n' for one in todo]
    return TOOLS + "".join(parts) + "exit 0\n"
