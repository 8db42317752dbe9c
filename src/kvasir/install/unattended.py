"""Answers for installers that are to ask nothing: preseed, kickstart, autoinstall, and Windows' answer file."""

from __future__ import annotations

import getpass
import json
import os
import shlex
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .grammar import OptionError
from .osinfo import System

PROFILES = ("desktop", "jeos")
NT6 = 6.0  # Windows Vista, the first that reads autounattend.xml
NO_PASSWORD = "--unattended needs admin-password-file= or user-password-file=: there is no default password"


@dataclass
class Answers:
    """What ``--unattended`` said, and what the host adds: language, keyboard, time zone."""

    profile: str = ""
    admin_password_file: str = ""
    user_login: str = ""
    user_password_file: str = ""
    product_key: str = ""
    reg_login: str = ""
    hostname: str = "localhost"

    def check(self) -> None:
        """Raises OptionError for what no installer takes."""
        if self.user_login == "root":
            raise OptionError("--unattended user-login cannot be root. Use --unattended admin-password-file for that.")

    def check_profile(self, system: System) -> None:
        """Raises OptionError for a profile that no answer file has."""
        if self.profile not in ("", *PROFILES):
            raise OptionError(
                f"OS '{system.name}' does not support unattended installation for the '{self.profile}' profile. "
                f"Available profiles: {', '.join(PROFILES)}"
            )

    @property
    def login(self) -> str:
        name = self.user_login or getpass.getuser()
        return "user" if name == "root" else name

    @property
    def admin_password(self) -> str:
        return _secret(self.admin_password_file)

    @property
    def user_password(self) -> str:
        return _secret(self.user_password_file)

    @property
    def language(self) -> str:
        name = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
        name = name.partition(".")[0]
        return name if len(name) == 5 else "en_US"

    @property
    def zone(self) -> str:
        try:
            return os.readlink("/etc/localtime").rpartition("zoneinfo/")[2] or "UTC"
        except OSError:
            return "UTC"


@dataclass
class Script:
    """One answer file: its name on the medium, its content, the kernel's words, and how it gets to the installer."""

    name: str
    content: str
    cmdline: str = ""
    where: str = "initrd"  # or "cidata", "cdrom"


def _secret(path: str) -> str:
    if not path:
        return ""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    except OSError as error:
        raise OptionError(f"Error: --unattended: cannot read {path}: {error.strerror}") from None


def script(system: System, answers: Answers, url: str = "") -> Script:
    """The answer file for a system. Raises OptionError for one whose installer is not known."""
    answers.check()
    answers.check_profile(system)
    if system.windows and _number(system.version) < NT6:
        raise OptionError(f"OS '{system.name}' does not support required injection method 'cdrom'")
    if system.windows:
        return Script("autounattend.xml", windows(system, answers), where="cdrom")
    if system.distro == "ubuntu" and _number(system.version) >= 20.04:
        return Script("user-data", autoinstall(answers), "autoinstall ds=nocloud console=ttyS0", "cidata")
    if system.distro in ("debian", "ubuntu"):
        return Script(
            "preseed.cfg", preseed(answers, url), "auto=true priority=critical preseed/file=/preseed.cfg console=ttyS0"
        )
    if system.distro in ("fedora", "rhel", "centos", "almalinux", "rocky", "ol", "scientificlinux"):
        new = system.distro == "fedora" or _number(system.version) >= 7
        word = "inst.ks" if new else "ks"
        return Script(
            "ks.cfg",
            kickstart(answers, url),
            f"{word}=file:/ks.cfg console=ttyS0" + (f" {'inst.repo' if new else 'method'}={url}" if url else ""),
        )
    if system.distro in ("opensuse", "sle", "sles", "sled"):
        from .autoyast import autoyast

        if not answers.admin_password and not answers.user_password:
            raise OptionError(NO_PASSWORD)
        install = f" install={url}" if url else ""
        return Script(
            "autoinst.xml", autoyast(system, answers), f"autoyast=file:///autoinst.xml console=ttyS0{install}"
        )
    raise OptionError(
        f"OS '{system.name}' does not support unattended installation here. Use --initrd-inject with a file of your own."
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def preseed(answers: Answers, url: str) -> str:
    """A Debian preseed file that installs to the first disk."""
    lines = [
        f"d-i debian-installer/locale string {answers.language}.UTF-8",
        "d-i keyboard-configuration/xkb-keymap select us",
        "d-i netcfg/choose_interface select auto",
        f"d-i netcfg/get_hostname string {answers.hostname}",
        "d-i netcfg/get_domain string",
        f"d-i time/zone string {answers.zone}",
        "d-i clock-setup/utc boolean true",
        "d-i hw-detect/load_firmware boolean false",
    ]
    lines += _mirror(url)
    lines += _accounts(answers)
    lines += [
        'd-i partman/early_command string debconf-set partman-auto/disk "$(list-devices disk | head -n1)"',
        "d-i partman-auto/method string regular",
        "d-i partman-auto/choose_recipe select atomic",
        "d-i partman-basicfilesystems/no_swap boolean false",
        "d-i partman-partitioning/confirm_write_new_label boolean true",
        "d-i partman/choose_partition select finish",
        "d-i partman/confirm boolean true",
        "d-i partman/confirm_nooverwrite boolean true",
        "tasksel tasksel/first multiselect " + ("standard, desktop" if answers.profile == "desktop" else "ssh-server"),
        "d-i pkgsel/upgrade select none",
        "popularity-contest popularity-contest/participate boolean false",
        "d-i grub-installer/only_debian boolean true",
        "d-i grub-installer/with_other_os boolean true",
        "d-i grub-installer/bootdev string default",
        "d-i finish-install/reboot_in_progress note",
        "d-i debian-installer/exit/poweroff boolean false",
    ]
    return "\n".join(lines) + "\n"


def _mirror(url: str) -> list[str]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "/dists/" not in parts.path:
        host, folder = "deb.debian.org", "/debian"
    else:
        host, folder = parts.netloc, parts.path.partition("/dists/")[0]
    return [
        "d-i mirror/country string manual",
        f"d-i mirror/http/hostname string {host}",
        f"d-i mirror/http/directory string {folder}",
        "d-i mirror/http/proxy string",
    ]


def _accounts(answers: Answers) -> list[str]:
    lines = []
    root = answers.admin_password
    lines.append(f"d-i passwd/root-login boolean {'true' if root else 'false'}")
    if root:
        lines += [f"d-i passwd/root-password password {root}", f"d-i passwd/root-password-again password {root}"]
    user = answers.user_password
    if user or not root:
        if not user:
            raise OptionError(NO_PASSWORD)
        lines += [f"d-i passwd/user-fullname string {answers.login}", f"d-i passwd/username string {answers.login}",
                  f"d-i passwd/user-password password {user}", f"d-i passwd/user-password-again password {user}"]  # fmt: skip
    else:
        lines.append("d-i passwd/make-user boolean false")
    return lines


def kickstart(answers: Answers, url: str) -> str:
    """An Anaconda kickstart file that takes the whole disk."""
    root, user = answers.admin_password, answers.user_password
    if not root and not user:
        raise OptionError(NO_PASSWORD)
    lines = ["text", f"lang {answers.language}.UTF-8", "keyboard us", f"timezone --utc {answers.zone}",
             f"network --bootproto=dhcp --hostname={answers.hostname}"]  # fmt: skip
    if url:
        lines.append(f"url --url={url}")
    lines.append(f"rootpw --plaintext {shlex.quote(root)}" if root else "rootpw --lock")
    if user:
        lines.append(f"user --name={answers.login} --groups=wheel --plaintext --password={shlex.quote(user)}")
    lines += [
        "zerombr",
        "clearpart --all --initlabel",
        "autopart",
        "bootloader --timeout=1",
        "firstboot --disable",
        "reboot",
    ]
    group = "@^workstation-product-environment" if answers.profile == "desktop" else "@core"
    return "\n".join([*lines, "%packages", group, "%end", ""])


def autoinstall(answers: Answers) -> str:
    """Ubuntu's autoinstall configuration (subiquity, from 20.04)."""
    password = answers.user_password or answers.admin_password
    if not password:
        raise OptionError("--unattended needs user-password-file=: there is no default password")
    config = {
        "version": 1,
        "locale": f"{answers.language}.UTF-8",
        "timezone": answers.zone,
        "identity": {"hostname": answers.hostname, "username": answers.login, "password": crypt(password)},
        "ssh": {"install-server": True},
        "storage": {"layout": {"name": "direct"}},
        "shutdown": "reboot",
    }
    if answers.admin_password:
        config["user-data"] = {"chpasswd": {"expire": False, "list": f"root:{answers.admin_password}\n"}}
    return "#cloud-config\n" + json.dumps({"autoinstall": config}, indent=2) + "\n"


def crypt(password: str) -> str:
    """The password's hash (SHA-512 crypt), by the system's own tool."""
    import subprocess

    for command in (["openssl", "passwd", "-6", "-stdin"], ["mkpasswd", "-m", "sha-512", "-s"]):
        try:
            done = subprocess.run(command, input=password + "\n", capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return done.stdout.strip()
    raise OptionError("hashing a password needs openssl or mkpasswd")


def _component(name: str, body: str) -> str:
    words = (
        'processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS"'
        ' xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State"'
    )
    return f'<component name="Microsoft-Windows-{name}" {words}>{body}</component>'


def windows(system: System, answers: Answers) -> str:
    """Windows' answer file: one disk, UEFI or BIOS layout, the product key when given, an administrator."""
    language = answers.language.replace("_", "-")
    key = f"<ProductKey><Key>{escape(answers.product_key)}</Key></ProductKey>" if answers.product_key else ""
    efi = system.needs_uefi
    parts = [("EFI", 300), ("MSR", 16)] if efi else []
    rows = "".join(
        f'<CreatePartition wcm:action="add"><Order>{i}</Order><Type>{kind}</Type><Size>{size}</Size></CreatePartition>'
        for i, (kind, size) in enumerate(parts, 1)
    )
    last = len(parts) + 1
    rows += f'<CreatePartition wcm:action="add"><Order>{last}</Order><Type>Primary</Type><Extend>true</Extend></CreatePartition>'
    disk = (
        f'<DiskConfiguration><Disk wcm:action="add"><DiskID>0</DiskID><WillWipeDisk>true</WillWipeDisk>'
        f"<CreatePartitions>{rows}</CreatePartitions></Disk></DiskConfiguration>"
        f"<ImageInstall><OSImage><InstallTo><DiskID>0</DiskID><PartitionID>{last}</PartitionID></InstallTo></OSImage></ImageInstall>"
    )
    account = f"<AcceptEula>true</AcceptEula><FullName>{escape(answers.login)}</FullName>{key}"
    setup = _component(
        "International-Core-WinPE", f"<UILanguage>{language}</UILanguage><SystemLocale>{language}</SystemLocale>"
    )
    setup += _component("Setup", f"{disk}<UserData>{account}</UserData>")
    password = escape(answers.admin_password or answers.user_password)
    own = escape(answers.user_password or answers.admin_password)
    if not password:
        raise OptionError(NO_PASSWORD)
    users = (
        f"<UserAccounts><AdministratorPassword><Value>{password}</Value><PlainText>true</PlainText></AdministratorPassword>"
        f'<LocalAccounts><LocalAccount wcm:action="add"><Name>{escape(answers.login)}</Name><Group>Administrators</Group><Password>'
        f"<Value>{own}</Value><PlainText>true</PlainText></Password></LocalAccount></LocalAccounts></UserAccounts>"
        "<OOBE><HideEULAPage>true</HideEULAPage><ProtectYourPC>3</ProtectYourPC></OOBE>"
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<unattend xmlns="urn:schemas-microsoft-com:unattend">'
        f'<settings pass="windowsPE">{setup}</settings>'
        f'<settings pass="specialize">{_component("Shell-Setup", f"<ComputerName>{escape(answers.hostname[:15])}</ComputerName>")}</settings>'
        f'<settings pass="oobeSystem">{_component("Shell-Setup", users)}</settings></unattend>\n'
    )
