"""A realm for tests: MIT's KDC, unpacked, on the server's side of the two hosts; nothing of it lies in /etc."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.remote.hosts import Host, Pair
from tests.unpacked import libraries, unpacked

PACKAGES = (
    *("krb5-kdc", "krb5-admin-server", "krb5-user", "libsasl2-modules-gssapi-mit", "libkadm5srv-mit12", "libkadm5clnt-mit12", "libkdb5-10"),
    *("libgssrpc4", "libverto1", "libverto-libev1", "libev4", "libkrb5-3", "libgssapi-krb5-2", "libk5crypto3", "libkrb5support0"),
    "libfaketime",
)  # fmt: skip
REALM = "KVASIR.TEST"
CONF = """[libdefaults]
 default_realm = KVASIR.TEST
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 kdc_timesync = 0
 ignore_acceptor_hostname = true
 udp_preference_limit = 1
[realms]
 KVASIR.TEST = {{
  kdc = {address}:88
 }}
[domain_realm]
 host2 = KVASIR.TEST
 othername = KVASIR.TEST
 localhost = KVASIR.TEST
[logging]
 kdc = FILE:{folder}/kdc.log
"""
KDC = """[kdcdefaults]
 kdc_listen = {address}:88
 kdc_tcp_listen = {address}:88
[realms]
 KVASIR.TEST = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
  max_life = 10h
 }}
[dbmodules]
 db_module_dir = {modules}
"""


class Realm:
    """``keytab`` has the key of libvirt/host2 and libvirt/localhost; users fred and barney."""

    def __init__(self, pair: Pair, folder: Path, address: str) -> None:
        self.package = unpacked(*PACKAGES)
        self.folder, self.pair = folder, pair
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "krb5.conf").write_text(CONF.format(folder=folder, address=address))
        (folder / "kdc.conf").write_text(
            KDC.format(folder=folder, address=address, modules=next(self.package.rglob("db2.so")).parent)
        )
        self.keytab = folder / "keytab"
        plugins = next(self.package.rglob("libgssapiv2.so")).parent
        self.env = {
            "LD_LIBRARY_PATH": libraries(self.package),
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{folder}/tickets",
            "KRB5RCACHENAME": "none:",
            "SASL_PATH": f"{plugins}:/usr/lib/x86_64-linux-gnu/sasl2",
        }

    def program(self, name: str) -> str:
        return str(next(path for path in self.package.rglob(name) if os.access(path, os.X_OK) and path.is_file()))

    def local(self, *words: str) -> None:
        done = subprocess.run(words, env={**os.environ, **self.env}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    def up(self) -> subprocess.Popen[bytes]:
        """Make the realm and start its KDC."""
        self.local(self.program("kdb5_util"), "create", "-s", "-P", "master", "-r", REALM)
        admin = self.program("kadmin.local")
        for line in (
            *(
                "addprinc -randkey libvirt/host2",
                "addprinc -randkey libvirt/localhost",
                "addprinc -randkey libvirt/othername",
            ),
            *("addprinc -pw secret fred", "addprinc -pw bedrock barney"),
            f"ktadd -k {self.keytab} libvirt/host2 libvirt/localhost",
        ):
            self.local(admin, "-r", REALM, "-q", line)
        command = self.pair.server.command(self.program("krb5kdc"), "-n", "-r", REALM)
        with open(self.folder / "kdc.out", "w") as log:
            child = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=log, stderr=log)
        end = time.monotonic() + 90
        while "commencing operation" not in (self.folder / "kdc.out").read_text() + self._log():
            assert child.poll() is None and time.monotonic() < end, (self.folder / "kdc.out").read_text() + self._log()
            time.sleep(0.05)
        return child

    def _log(self) -> str:
        path = self.folder / "kdc.log"
        return path.read_text() if path.exists() else ""

    def login(self, host: Host, user: str, password: str, *options: str) -> None:
        """kinit on a host."""
        done = host.run(self.program("kinit"), *options, f"{user}@{REALM}", text=f"{password}\n")
        assert done.returncode == 0, done.stderr

    def logout(self) -> None:
        (self.folder / "tickets").unlink(missing_ok=True)

    @property
    def faketime(self) -> Path:
        found = list(self.package.rglob("libfaketime.so.1"))
        if not found:
            pytest.skip("no libfaketime")
        return found[0]
