"""What virt-sysprep puts into a guest's disk: names, passwords, keys, files, commands. Each option becomes a piece of shell.

The shell runs in the guest's root folder, in the appliance; commands of the guest run there by chroot. What comes from this host (files,
keys) travels with the appliance, so it has a limit.
"""

from __future__ import annotations

import io
import os
import secrets
import shlex
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field

from .appliance import DiskError

MOST = 128 << 20
"""Bytes that may travel with the appliance."""
LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
NOT_BUILT = ("install", "uninstall", "update", "inject-qemu-ga", "inject-virtio-win", "sm-attach", "sm-register", "sm-remove", "sm-unregister", "sm-credentials")  # fmt: skip
"""Options of the original that need a network in the appliance, or media of others."""
FIRST = "usr/lib/virt-sysprep"
TOOLS = f"""
inside() {{ for one in proc sys dev; do mkdir -p "$one"; mount -o bind "/$one" "$one"; done
  chroot . "$@"; result=$?
  for one in dev sys proc; do umount "$one"; done; return $result; }}
owner() {{ chown "$(awk -F: -v who="$1" '$1 == who {{ print $3 ":" $4 }}' etc/passwd)" "$2"; }}
home() {{ awk -F: -v who="$1" '$1 == who {{ print substr($6, 2); found = 1 }} END {{ exit !found }}' etc/passwd || {{ echo "the guest has no user $1"; exit 1; }}; }}
real() {{ [ -e "$1" ] || [ -L "$1" ] || {{ echo "the guest has no /$1"; exit 1; }}; }}
firstboot() {{ mkdir -p {FIRST}/scripts; cat > {FIRST}/scripts/"$1"; chmod 755 {FIRST}/scripts/"$1"
  [ -e {FIRST}/firstboot.sh ] && return
  cat > {FIRST}/firstboot.sh <<'END'
#!/bin/sh
# Runs each script once, in the order in which they were given.
cd /{FIRST} || exit 1
mkdir -p scripts-done
for one in scripts/*; do
  [ -x "$one" ] || continue
  mv "$one" scripts-done/
  echo "=== $one" >> /root/virt-sysprep-firstboot.log
  "scripts-done/${{one##*/}}" >> /root/virt-sysprep-firstboot.log 2>&1
done
END
  chmod 755 {FIRST}/firstboot.sh
  if [ -d lib/systemd/system ] || [ -d usr/lib/systemd/system ]; then mkdir -p etc/systemd/system/multi-user.target.wants
    printf '[Unit]\\nDescription=Scripts of the first boot\\nAfter=network.target\\n\\n[Service]\\nType=oneshot\\nExecStart=/{FIRST}/firstboot.sh\\nRemainAfterExit=yes\\n\\n[Install]\\nWantedBy=multi-user.target\\n' > etc/systemd/system/kvasir-firstboot.service
    ln -sf ../kvasir-firstboot.service etc/systemd/system/multi-user.target.wants/
  elif [ -d etc/init.d ]; then
    printf '#!/bin/sh\\n### BEGIN INIT INFO\\n# Provides: kvasir-firstboot\\n# Required-Start: $network\\n# Required-Stop:\\n# Default-Start: 2 3 5\\n# Default-Stop:\\n### END INIT INFO\\n[ "$1" = start ] && exec /{FIRST}/firstboot.sh\\nexit 0\\n' > etc/init.d/kvasir-firstboot
    chmod 755 etc/init.d/kvasir-firstboot
    for level in 2 3 5; do for folder in etc/rc$level.d etc/rc.d/rc$level.d; do [ -d "$folder" ] && ln -sf "/etc/init.d/kvasir-firstboot" "$folder/S99kvasir-firstboot"; done; done
  else echo "the guest has neither systemd nor /etc/init.d to run scripts at its first boot"; exit 1; fi; }}
"""


@dataclass
class Luggage:
    """Files of this host that go with the appliance, as ``/NAME`` there."""

    files: list[tuple[str, bytes, int]] = field(default_factory=list)
    boots: int = 0
    """Scripts for the first boot so far."""

    def add(self, data: bytes, mode: int = 0o100644) -> str:
        """The path of the file in the appliance. Raises DiskError when all are too large."""
        if sum(len(one) for _, one, _ in self.files) + len(data) > MOST:
            raise DiskError(f"the files to be put in are larger than {MOST >> 20} MiB together")
        name = f"luggage{len(self.files)}"
        self.files.append((name, data, mode))
        return "/" + name


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MOST + 1)


def pair(text: str, name: str, what: str) -> tuple[str, str]:
    """The two parts of ``A:B``. Raises DiskError."""
    first, colon, second = text.partition(":")
    if not colon or not first:
        raise DiskError(f"--{name}: {text!r} is not {what}")
    return first, second


def inner(path: str, name: str) -> str:
    """A path of the guest, relative to its root and quoted. Raises DiskError for one that is none."""
    if not path.startswith("/") or ".." in path.split("/"):
        raise DiskError(f"--{name}: {path!r} is no absolute path of the guest")
    return shlex.quote("." + path)


def hashed(selector: str, name: str, say: Callable[[str], None]) -> str:
    """What stands in /etc/shadow for a password selector: password:WORD, file:PATH, random, disabled, locked:SELECTOR."""
    from kvasir.install.unattended import crypt

    kind, _, value = selector.partition(":")
    if kind == "locked":
        return "!!" + (hashed(value, name, say) if value else "")
    if kind == "disabled":
        return ("*" + hashed(value, name, say)) if value else "*"
    if kind == "random":
        value = "".join(secrets.choice(LETTERS) for _ in range(16))
        say(f"Setting random password: {value}")
    elif kind == "file":
        value = read(value).decode().split("\n", 1)[0].rstrip("\r")
    elif kind != "password":
        raise DiskError(f"--{name}: {kind!r} is none of password:, file:, random, disabled, locked:")
    if not value:
        raise DiskError(f"--{name}: the password is empty")
    return crypt(value)


def public_key(selector: str) -> str:
    """The line of a selector of --ssh-inject: file:PATH, string:KEY, or nothing for one's own key."""
    kind, _, value = selector.partition(":")
    if kind == "string" and value:
        return value
    if kind == "file" and value:
        return read(value).decode().strip()
    if selector:
        raise DiskError(f"--ssh-inject: {selector!r} is neither file:PATH nor string:KEY")
    for name in ("id_ed25519", "id_ecdsa", "id_rsa"):
        path = os.path.expanduser(f"~/.ssh/{name}.pub")
        if os.path.exists(path):
            return read(path).decode().strip()
    raise DiskError("--ssh-inject: you have no public key in ~/.ssh\nhint: ssh-keygen")


HOSTNAME = """old=$(cat etc/hostname 2>/dev/null); echo {0} > etc/hostname
edited etc/sysconfig/network s/^HOSTNAME=.*/HOSTNAME={0}/
[ -e etc/sysconfig/network ] && [ ! -d usr/lib/systemd ] && ! grep -q ^HOSTNAME= etc/sysconfig/network && echo HOSTNAME={0} >> etc/sysconfig/network
[ -z "$old" ] || edited etc/hosts "s/\\([[:space:]]\\)$old\\([[:space:]]\\|$\\)/\\1{0}\\2/g\""""
TIMEZONE = """real usr/share/zoneinfo/{0}; ln -sf ../usr/share/zoneinfo/{0} etc/localtime
[ ! -e etc/timezone ] || echo {0} > etc/timezone"""
SSH = """home=$(home {0}) || {{ echo "$home"; exit 1; }}
[ -d "./$home" ] || {{ mkdir -p "./$home"; chmod 700 "./$home"; owner {0} "./$home"; }}
mkdir -p "./$home/.ssh"; chmod 700 "./$home/.ssh"; cat {1} >> "./$home/.ssh/authorized_keys"; chmod 600 "./$home/.ssh/authorized_keys"
owner {0} "./$home/.ssh"; owner {0} "./$home/.ssh/authorized_keys\""""
PASSWORD = """grep -q ^{0}: etc/shadow || {{ echo "the guest has no user "{0}; exit 1; }}
edited etc/shadow {1}"""
EDIT = """real {0}; inside /usr/bin/perl -e 1 2>/dev/null || {{ echo "--edit: the guest has no perl"; exit 1; }}
inside /usr/bin/perl -i -pe {1} {0}"""
PACKAGES = """#!/bin/sh
if command -v apt-get > /dev/null; then DEBIAN_FRONTEND=noninteractive apt-get -q -y install {0}
elif command -v dnf > /dev/null; then dnf -y install {0}; elif command -v yum > /dev/null; then yum -y install {0}
elif command -v zypper > /dev/null; then zypper -n install {0}; elif command -v pacman > /dev/null; then pacman -S --noconfirm {0}; fi
"""


class Customize:
    """The shell of the options, in the order in which they are given."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.luggage = Luggage()
        self.steps: list[tuple[str, str]] = []
        """What is done, in words, and its shell."""

    def add(self, name: str, value: str) -> None:
        """One option. Raises DiskError for a value that it does not take."""
        if name in NOT_BUILT:
            raise DiskError(
                f"--{name} is not built: the appliance has no network\nhint: --firstboot-install PACKAGES does it at the first boot"
            )
        if name == "commands-from-file":
            for line in read(value).decode().splitlines():
                word, _, rest = line.strip().partition(" ")
                if word and not word.startswith("#"):
                    if word not in OPTIONS or word == name:
                        raise DiskError(f"{value}: no command {word!r}")
                    self.add(word, rest.strip())
            return
        method = getattr(self, "_" + name.replace("-", "_"))
        shown = value.partition(":")[0] if "password" in name else value
        self.steps.append((f"--{name}{' ' + shown if shown else ''}", method(value)))

    def script(self) -> str:
        return "\n".join(f"echo {shlex.quote('  ' + about)}\n(\n{shell}\n) || exit 1" for about, shell in self.steps)

    def _hostname(self, value: str) -> str:
        if not value.replace("-", "").replace(".", "").isalnum():
            raise DiskError(f"--hostname: {value!r} is no host name")
        return HOSTNAME.format(value)

    def _timezone(self, value: str) -> str:
        if not all(part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in value.split("/")):
            raise DiskError(f"--timezone: {value!r} is no name of a time zone")
        return TIMEZONE.format(value)

    def _password(self, value: str) -> str:
        user, selector = pair(value, "password", "USER:SELECTOR")
        if not user.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise DiskError(f"--password: {user!r} is no user's name")
        change = f"s|^{user}:[^:]*:|{user}:{hashed(selector, 'password', self.say)}:|"
        return PASSWORD.format(user, shlex.quote(change))

    def _root_password(self, value: str) -> str:
        return self._password(f"root:{value}")

    def _ssh_inject(self, value: str) -> str:
        user, _, selector = value.partition(":")
        return SSH.format(shlex.quote(user), self.luggage.add(public_key(selector).encode() + b"\n"))

    def _upload(self, value: str) -> str:
        source, target = pair(value, "upload", "FILE:DEST")
        place = inner(target, "upload")
        there = self.luggage.add(read(source))
        mode = f"{os.stat(source).st_mode & 0o7777:o}"
        name = shlex.quote(os.path.basename(source))
        return f'to={place}; [ ! -d "$to" ] || to="$to"/{name}; cat {there} > "$to" && chmod {mode} "$to"'

    def _copy_in(self, value: str) -> str:
        source, target = pair(value, "copy-in", "LOCALPATH:REMOTEDIR")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(source, os.path.basename(os.path.abspath(source)))
        place = inner(target, "copy-in")
        return f"[ -d {place} ] || {{ echo 'the guest has no folder '{place}; exit 1; }}; tar -x -C {place} -f {self.luggage.add(packed.getvalue())}"

    def _write(self, value: str) -> str:
        path, text = pair(value, "write", "FILE:CONTENT")
        return f"printf %s {shlex.quote(text)} > {inner(path, 'write')}"

    def _append_line(self, value: str) -> str:
        path, text = pair(value, "append-line", "FILE:LINE")
        place = inner(path, "append-line")
        return f"[ ! -s {place} ] || [ -z \"$(tail -c 1 {place})\" ] || echo >> {place}; printf '%s\\n' {shlex.quote(text)} >> {place}"

    def _edit(self, value: str) -> str:
        path, expression = pair(value, "edit", "FILE:EXPR")
        inner(path, "edit")
        return EDIT.format(shlex.quote(path), shlex.quote(expression)).replace("real /", "real ./", 1)

    def _mkdir(self, value: str) -> str:
        return f"mkdir -p {inner(value, 'mkdir')}"

    def _delete(self, value: str) -> str:
        if value.strip("/") == "":
            raise DiskError("--delete: that is all of the guest")
        words = [part if part in "*?" else shlex.quote(part) for part in _globbed("." + value)]
        inner(value, "delete")
        return f"rm -rf {''.join(words)}"

    def _touch(self, value: str) -> str:
        return f"touch {inner(value, 'touch')}"

    def _truncate(self, value: str) -> str:
        place = inner(value, "truncate")
        return f"real {place}; : > {place}"

    def _truncate_recursive(self, value: str) -> str:
        return f'find {inner(value, "truncate-recursive")} -type f | while read -r one; do : > "$one"; done'

    def _scrub(self, value: str) -> str:
        return f"shred -n 1 -u {inner(value, 'scrub')}"

    def _chmod(self, value: str) -> str:
        mode, path = pair(value, "chmod", "PERMISSIONS:FILE")
        if not mode or set(mode) - set("01234567"):
            raise DiskError(f"--chmod: {mode!r} are no octal permissions")
        return f"chmod {mode} {inner(path, 'chmod')}"

    def _chown(self, value: str) -> str:
        user, rest = pair(value, "chown", "UID:GID:PATH")
        group, path = pair(rest, "chown", "UID:GID:PATH")
        if not (user.isdigit() and group.isdigit()):
            raise DiskError("--chown takes numbers of user and group")
        return f"chown {user}:{group} {inner(path, 'chown')}"

    def _copy(self, value: str) -> str:
        source, target = pair(value, "copy", "SOURCE:DEST")
        return f"cp -a {inner(source, 'copy')} {inner(target, 'copy')}"

    def _move(self, value: str) -> str:
        source, target = pair(value, "move", "SOURCE:DEST")
        return f"mv {inner(source, 'move')} {inner(target, 'move')}"

    def _link(self, value: str) -> str:
        target, *links = value.split(":")
        if not links:
            raise DiskError(f"--link: {value!r} is not TARGET:LINK[:LINK]")
        return "\n".join(f"ln -sf {shlex.quote(target)} {inner(link, 'link')} || exit 1" for link in links)

    def _run(self, value: str) -> str:
        there = self.luggage.add(read(value))
        return f"cp {there} tmp/kvasir-run && chmod 755 tmp/kvasir-run || exit 1\ninside /tmp/kvasir-run; result=$?; rm -f tmp/kvasir-run; exit $result"

    def _run_command(self, value: str) -> str:
        return f"inside /bin/sh -c {shlex.quote(value)}"

    def _first(self, data: bytes) -> str:
        self.luggage.boots += 1
        return f"firstboot {self.luggage.boots:04d} < {self.luggage.add(data)}"

    def _firstboot(self, value: str) -> str:
        return self._first(read(value))

    def _firstboot_command(self, value: str) -> str:
        return self._first(f"#!/bin/sh\n{value}\n".encode())

    def _firstboot_install(self, value: str) -> str:
        return self._first(PACKAGES.format(" ".join(shlex.quote(one) for one in value.split(","))).encode())

    def _selinux_relabel(self, value: str) -> str:
        return "[ ! -e etc/selinux/config ] || touch .autorelabel"


def _globbed(path: str) -> list[str]:
    """The path in pieces, its wildcards alone."""
    pieces = [""]
    for letter in path:
        if letter in "*?":
            pieces += [letter, ""]
        else:
            pieces[-1] += letter
    return [piece for piece in pieces if piece]


OPTIONS: dict[str, tuple[str, str]] = {
    "append-line": ("FILE:LINE", "Put a line at the end of a file"),
    "chmod": ("PERMISSIONS:FILE", "Change the permissions of a file"),
    "chown": ("UID:GID:PATH", "Change the owner of a file"),
    "commands-from-file": ("FILE", "Read more of these options from a file, a line each, without the dashes"),
    "copy": ("SOURCE:DEST", "Copy within the guest"),
    "copy-in": ("LOCALPATH:REMOTEDIR", "Copy files or folders into a folder of the guest"),
    "delete": ("PATH", "Delete a file or folder; * and ? are wildcards"),
    "edit": ("FILE:EXPR", "Change each line of a file by an expression of perl, with the guest's perl"),
    "firstboot": ("SCRIPT", "Run a script once, at the guest's next boot"),
    "firstboot-command": ("COMMAND", "Run a command once, at the guest's next boot"),
    "firstboot-install": ("PKG,PKG...", "Install packages at the guest's next boot"),
    "hostname": ("HOSTNAME", "Set the host name"),
    "link": ("TARGET:LINK[:LINK]", "Make symbolic links"),
    "mkdir": ("DIR", "Make a folder"),
    "move": ("SOURCE:DEST", "Move within the guest"),
    "password": ("USER:SELECTOR", "Set a password: password:WORD, file:PATH, random, disabled, locked:SELECTOR"),
    "root-password": ("SELECTOR", "Set root's password"),
    "run": ("SCRIPT", "Run a script of this host within the guest"),
    "run-command": ("COMMAND", "Run a command of the guest"),
    "scrub": ("FILE", "Overwrite a file, then delete it"),
    "selinux-relabel": ("", "Let SELinux label all files at the next boot"),
    "ssh-inject": ("USER[:SELECTOR]", "Let a public key log in: file:PATH, string:KEY, by default yours"),
    "timezone": ("TIMEZONE", "Set the time zone"),
    "touch": ("FILE", "Touch a file"),
    "truncate": ("FILE", "Empty a file"),
    "truncate-recursive": ("PATH", "Empty all files of a folder"),
    "upload": ("FILE:DEST", "Copy a file into the guest"),
    "write": ("FILE:CONTENT", "Write a file"),
}
"""Option -> form of its value, and what it does."""
