"""What the doctor looks at on the host: virtualization, modules, programs, firmware, memory, space, other tools' firewalls.

All is read below a root, so a made-up tree of /proc and /sys is as good as the host's own.
"""

from __future__ import annotations

import glob
import os

from kvasir.cli import hostcheck, virt_host_validate

from . import doctor_storage
from .doctor import FAIL, NOTE, PASS, WARN, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

QEMU = ("usr/bin/qemu-system-x86_64", "usr/libexec/qemu-kvm", "usr/bin/qemu-kvm", "usr/bin/qemu-system-aarch64")
FIRMWARE = (
    "usr/share/OVMF/OVMF_CODE*.fd",
    "usr/share/edk2/*/OVMF_CODE*.fd",
    "usr/share/qemu/ovmf-x86_64*.bin",
    "usr/share/AAVMF/*.fd",
)
PROGRAMS = (
    ("qemu-img", "disk images", "qemu-utils", FAIL), ("passt", "user networking with forwarded ports", "passt", WARN),
    ("dnsmasq", "virtual networks", "dnsmasq-base", WARN), ("swtpm", "TPM devices", "swtpm", NOTE), ("ssh", "kvasir ssh", "openssh-client", NOTE),
)  # fmt: skip
INSTALLERS = (("usr/bin/apt-get", "apt-get install"), ("usr/bin/dnf", "dnf install"), ("usr/bin/zypper", "zypper install"),
              ("usr/bin/pacman", "pacman -S"))  # fmt: skip


def findings(root: str = "") -> Iterator[Finding]:
    """All of the host."""
    yield from validated(root)
    yield from nested(root)
    yield from programs(root)
    yield from hugepages(root)
    yield from sizes(root)
    yield from firewalls(root)
    yield from doctor_storage.loop_devices(root)


def install(root: str, package: str) -> str:
    """The command that installs a package of Debian's name, by the host's own package tool."""
    for path, command in INSTALLERS:
        if os.path.exists(f"{root}/{path}"):
            return f"{command} {package}"
    return f"apt-get install {package}"


def validated(root: str) -> Iterator[Finding]:
    """What virt-host-validate looks at, with repairs."""
    found = hostcheck.processor(root)
    module = next((row[2] for row in hostcheck.EXTENSIONS.values() if row[1] == found.extension), "kvm")
    repairs = {
        "hardware virtualization": (found.hint, False),
        "if device /dev/kvm exists": (f"modprobe {module}", True),
        "if device /dev/kvm is accessible": ("usermod -aG kvm $USER, and log in again", False),
        "if device /dev/vhost-net exists": ("modprobe vhost_net", True),
        "if device /dev/net/tun exists": ("modprobe tun", True),
        "for device assignment IOMMU support": (iommu(root, found.vendor), False),
        "for secure guest support": ("", False),
    }
    verdicts = {"PASS": PASS, "WARN": WARN, "FAIL": FAIL}
    for what, said, advice in virt_host_validate.checks(root):
        verdict = verdicts[said]
        if what in ("for secure guest support", "for device assignment IOMMU support") and verdict == WARN:
            verdict = NOTE  # most guests want neither
        words, safe = repairs.get(what, ("", False))
        name = what.removeprefix("for ").removeprefix("if ")
        yield Finding(name, verdict, advice, words if verdict != PASS else "", safe=safe)


def iommu(root: str, vendor: str) -> str:
    """How the IOMMU is switched on."""
    word = "amd_iommu=on" if vendor == "AMD" else "intel_iommu=on"
    if word in hostcheck.read(f"{root}/proc/cmdline").split():
        return "switch on VT-d or AMD-Vi in the BIOS"
    if os.path.exists(f"{root}/usr/sbin/grubby"):
        return f"grubby --update-kernel=ALL --args={word}, and reboot"
    return f"add {word} to GRUB_CMDLINE_LINUX in /etc/default/grub, update-grub, and reboot"


def nested(root: str) -> Iterator[Finding]:
    """Whether guests may have guests (chapter 12)."""
    from . import nested as chapter

    found = chapter.state(root)
    if not found["module"] or not os.path.exists(f"{root}/sys/module/{found['module']}/parameters/nested"):
        return
    if found["on"] and found["missing"]:
        text = f"it is on, but the processor lacks {', '.join(found['missing'])}"
        yield Finding("nested virtualization", NOTE, text)
    elif found["on"] and not found["persistent"]:
        yield Finding("nested virtualization", NOTE, "enabled now, not persistent", "kvasir nested --enable")
    elif found["on"]:
        yield Finding("nested virtualization", PASS)
    else:
        module = found["module"]
        words = f"kvasir nested --enable (modprobe -r {module}; modprobe {module} nested=1)"
        yield Finding("nested virtualization", NOTE, "guests cannot run guests of their own with KVM", words)


def programs(root: str) -> Iterator[Finding]:
    """QEMU, its tools, firmware for UEFI."""
    there = any(os.path.exists(f"{root}/{path}") for path in QEMU)
    yield Finding("QEMU", PASS) if there else Finding("QEMU", FAIL, "not installed", install(root, "qemu-system-x86"))
    for name, what, package, verdict in PROGRAMS:
        if any(
            os.path.exists(f"{root}/{folder}/{name}")
            for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "bin", "sbin")
        ):
            yield Finding(name, PASS)
        else:
            yield Finding(name, verdict, f"not installed; it is for {what}", install(root, package))
    if any(glob.glob(f"{glob.escape(root)}/{pattern}") for pattern in FIRMWARE):
        yield Finding("UEFI firmware", PASS)
    else:
        yield Finding(
            "UEFI firmware",
            WARN,
            "not installed: guests with firmware='efi' and Windows 11 do not start",
            install(root, "ovmf"),
        )


def hugepages(root: str) -> Iterator[Finding]:
    """Huge pages that are reserved but of no use, or all used."""
    rows = {
        line.split(":")[0]: line.split()[1]
        for line in hostcheck.read(f"{root}/proc/meminfo").splitlines()
        if ":" in line
    }
    total, free = int(rows.get("HugePages_Total", 0)), int(rows.get("HugePages_Free", 0))
    if not total:
        yield Finding("huge pages", PASS, "none reserved")
        return
    size = int(rows.get("Hugepagesize", 2048))
    text = f"{total} of {size} KiB, {free} free"
    if "hugetlbfs" not in hostcheck.read(f"{root}/proc/self/mounts"):
        words = "mount -t hugetlbfs hugetlbfs /dev/hugepages"
        yield Finding(
            "huge pages", FAIL, f"{text}, but no hugetlbfs is mounted: guests with <hugepages/> do not start", words
        )
    else:
        yield Finding("huge pages", PASS, text)


def sizes(root: str) -> Iterator[Finding]:
    """The least host of the guide (1.1): 6 GB of disk, 2 GB of memory; some swap."""
    memory = hostcheck.memory(root)
    images = f"{root}/var/lib/libvirt/images"
    wrong = hostcheck.too_little(hostcheck.free_disk(images), memory.get("MemTotal", 0))
    for text in wrong:
        disk = "disk" in text
        words = "kvasir trash --empty; kvasir images --remove IMAGE" if disk else "add memory, or run fewer guests"
        yield Finding("disk space" if disk else "memory", WARN, text, words)
    if not wrong:
        yield Finding("disk space and memory", PASS)
    if not memory.get("SwapTotal", 0):
        words = "fallocate -l 4G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile"
        yield Finding("swap", NOTE, "none: with overcommitted memory guests are killed rather than slow", words)


def firewalls(root: str) -> Iterator[Finding]:
    """Other tools that reject what guests send through this host."""
    found = False
    if os.path.isdir(f"{root}/sys/class/net/docker0"):
        found = True
        words = "iptables -I DOCKER-USER -i virbr0 -j ACCEPT; iptables -I DOCKER-USER -o virbr0 -j ACCEPT"
        yield Finding(
            "firewall",
            WARN,
            "Docker rejects forwarded packets: guests on virtual networks may not reach the world",
            words,
        )
    if "ENABLED=yes" in hostcheck.read(f"{root}/etc/ufw/ufw.conf").replace(" ", ""):
        found = True
        words = "ufw route allow in on virbr0; ufw allow in on virbr0 to any port 67 proto udp"
        yield Finding("firewall", WARN, "ufw is on: it may keep DHCP and forwarded packets from guests", words)
    if os.path.exists(f"{root}/run/firewalld/firewalld.pid") or os.path.exists(f"{root}/run/firewalld.pid"):
        found = True
        zone = os.path.exists(f"{root}/usr/lib/firewalld/zones/libvirt.xml")
        words = "" if zone else "firewall-cmd --permanent --zone=trusted --add-interface=virbr0; firewall-cmd --reload"
        text = (
            "firewalld runs, and has a zone for virtual networks"
            if zone
            else "firewalld runs without a zone for virtual networks"
        )
        yield Finding("firewall", PASS if zone else WARN, text, words)
    if not found:
        yield Finding("firewall", PASS, "no other tool")
