"""A Ceph cluster of one monitor, one manager and one object store in memory, inside a room (some 40 MB each)."""

from __future__ import annotations

from tests.engines import Room

SLOW = (
    "alerts", "cephadm", "crash", "dashboard", "diskprediction_local", "influx", "insights", "iostat", "k8sevents", "localpool",
    "mds_autoscaler", "mirroring", "nfs", "osd_support", "prometheus", "restful", "rook", "selftest", "snap_schedule", "stats",
    "telegraf", "telemetry", "test_orchestrator", "zabbix",
)  # fmt: skip
"""Parts of the manager that nobody here needs, and that take a minute to load."""
CONF = """[global]
fsid = 11111111-2222-3333-4444-555555555555
mon initial members = a
mon host = v1:127.0.0.1:6789
public network = 127.0.0.0/8
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
osd memory target = 939524096
mon allow pool delete = true
mon data avail crit = 1
mgr disabled modules = SLOW
run dir = /run/ceph
keyring = /etc/ceph/keyring
""".replace("SLOW", ",".join(SLOW))
MAKE = """set -e
mkdir -p /etc/ceph /var/lib/ceph/mon /var/lib/ceph/osd/0 /var/lib/ceph/mgr/x /run/ceph /var/log/ceph
printf %s "$1" > /etc/ceph/ceph.conf
ceph-authtool --create-keyring /etc/ceph/keyring --gen-key -n mon. --cap mon 'allow *'
ceph-authtool /etc/ceph/keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
monmaptool --create --addv a '[v1:127.0.0.1:6789]' --fsid 11111111-2222-3333-4444-555555555555 /run/ceph/monmap
ceph-mon --mkfs -i a --monmap /run/ceph/monmap --keyring /etc/ceph/keyring --mon-data /var/lib/ceph/mon/a
"""
STORE = """set -e
ceph osd create
ceph auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' -o /var/lib/ceph/osd/0/keyring
ceph auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' -o /var/lib/ceph/mgr/x/keyring
ceph-osd -i 0 --mkfs --osd-data /var/lib/ceph/osd/0 --keyring /var/lib/ceph/osd/0/keyring
"""
POOL = "ceph osd pool create rbd 8 8 && ceph osd pool application enable rbd rbd"
KEY = "ceph auth get-or-create-key client.libvirt mon 'profile rbd' osd 'profile rbd pool=rbd'"


def start(room: Room) -> str:
    """Make and start the cluster with a pool ``rbd``; the key of its user ``libvirt``."""
    room.run("sh", "-c", MAKE, "sh", CONF)
    room.begin("ceph-mon", "-f", "-i", "a", "--mon-data", "/var/lib/ceph/mon/a")
    room.wait(lambda: room.run("timeout", "20", "ceph", "-s", ok=False).returncode == 0, "no monitor", 90)
    room.run("sh", "-c", STORE)
    keyring = "/var/lib/ceph/osd/0/keyring"
    room.begin("ceph-osd", "-f", "-i", "0", "--osd-data", "/var/lib/ceph/osd/0", "--keyring", keyring)
    room.begin(
        "ceph-mgr", "-f", "-i", "x", "--mgr-data", "/var/lib/ceph/mgr/x", "--keyring", "/var/lib/ceph/mgr/x/keyring"
    )
    room.wait(lambda: "1 up" in room.run("ceph", "osd", "stat", ok=False).stdout, "no object store", 90)
    room.run("sh", "-c", POOL)
    room.wait(
        lambda: '"total_bytes":1073741824' in room.run("ceph", "df", "--format", "json").stdout, "no manager", 180
    )
    return room.run("sh", "-c", KEY).stdout.strip()
