"""The list of images: the one of this program, or a newer one that a key of yours has signed.

The list of the program is as much to be trusted as the program. It names no sums, as the images there change weekly: the sum comes by
HTTPS from the distribution's own server, the image from any mirror. A list from elsewhere (``kvasir images --update``) must carry a
signature of ``ssh-keygen -Y sign -n kvasir-images`` by a key that stands in /etc/kvasir/signers or in ``signers`` of kvasir's folder
(lines ``kvasir-images ssh-ed25519 ...``); it may name ``sum`` itself. A list may say when it was made (``issued``: an older one does not
take its place) and how long it holds (``expires``), both as YYYY-MM-DD.
"""

from __future__ import annotations

import json
import os
from datetime import UTC

from .base import fail, home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BUILT_IN = os.path.join(os.path.dirname(__file__), "catalogue.json")
SIGNER = "kvasir-images"
MOST = 4 << 20
DIGESTS = {"sha256": 64, "sha512": 128}


class Image:
    """One image of the list."""

    __slots__ = ("aliases", "digest", "file", "mirrors", "name", "osinfo", "sum", "sums", "user", "version")

    def __init__(self, row: dict[str, Any]) -> None:
        """From the list's words. Raises ValueError for what is not to be used."""
        try:
            self.name, self.version, self.file = str(row["name"]), str(row["version"]), str(row["file"])
            self.mirrors = [str(url) for url in row["mirrors"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"an image without {error}") from None
        self.aliases = [str(word) for word in row.get("aliases", ())]
        self.osinfo, self.user = str(row.get("osinfo", "")), str(row.get("user", ""))
        self.digest, self.sum, self.sums = (
            str(row.get("digest", "sha256")),
            str(row.get("sum", "")),
            str(row.get("sums", "")),
        )
        for word in (self.name, self.version, self.file):
            if not word or "/" in word or word.startswith("."):
                raise ValueError(f"not a name: {word!r}")
        if self.digest not in DIGESTS:
            raise ValueError(f"{self.name}: no digest {self.digest!r}")
        if not self.sum and not self.sums.startswith("https://"):
            raise ValueError(f"{self.name}: neither a sum nor an https:// address of one")
        if not self.mirrors:
            raise ValueError(f"{self.name}: no mirror")

    @property
    def full(self) -> str:
        """NAME:VERSION."""
        return f"{self.name}:{self.version}"

    @property
    def path(self) -> str:
        """Where it lies when it is here."""
        return os.path.join(home(), "images", f"{self.name}-{self.version}{os.path.splitext(self.file)[1]}")

    def called(self, word: str) -> bool:
        name, _, version = word.partition(":")
        return (
            (name == self.name and version in ("", self.version))
            or (not version and name in self.aliases)
            or (name in self.aliases and version == self.version)
        )


def parse(text: str) -> list[Image]:
    """The images of a list. Raises ValueError for what is no list."""
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("format") != 1 or not isinstance(value.get("images"), list):
        raise ValueError("not a list of images of format 1")
    expires = str(value.get("expires", ""))
    if expires and day(expires) < today():
        raise ValueError(f"the list expired on {expires}")
    return [Image(row) for row in value["images"]]


def day(text: str) -> str:
    """A date as YYYY-MM-DD. Raises ValueError for what is none."""
    from datetime import date

    return date.fromisoformat(text).isoformat()


def today() -> str:
    from datetime import datetime

    return datetime.now(UTC).date().isoformat()


def issued(path: str) -> str:
    """The day on which a list was made, '' where it does not say."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.loads(file.read(MOST))
        return day(str(value["issued"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def signers() -> str:
    """The file of keys that may sign a list, '' where there is none."""
    places = (os.path.join(home(), "signers"), "/etc/kvasir/signers")
    return next((place for place in places if os.path.exists(place)), "")


def verify(path: str) -> None:
    """Ends with the reason unless ``path.sig`` is a signature of ``path`` by one of the signers."""
    import subprocess

    keys = signers()
    if not keys:
        fail("no key may sign a list of images here", f"echo 'kvasir-images ssh-ed25519 AAAA...' > {home()}/signers")
    if not os.path.exists(f"{path}.sig"):
        fail(f"{path} has no signature {path}.sig", f"ssh-keygen -Y sign -n {SIGNER} -f KEY {path}")
    words = ["ssh-keygen", "-Y", "verify", "-f", keys, "-I", SIGNER, "-n", SIGNER, "-s", f"{path}.sig"]
    try:
        with open(path, "rb") as file:
            done = subprocess.run(words, stdin=file, capture_output=True, text=True)
    except FileNotFoundError:
        fail("ssh-keygen is missing", "apt-get install openssh-client")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        fail(f"the signature of {path} is not good: {said[-1]}", "kvasir images --update SOURCE, or delete the list")


def updated() -> str:
    return os.path.join(home(), "catalogue.json")


def images() -> list[Image]:
    """The list in force."""
    path = BUILT_IN
    if os.path.exists(updated()):
        path = updated()
        verify(path)
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(MOST))
    except (OSError, ValueError) as error:
        fail(
            f"{path}: {error}",
            "" if path == BUILT_IN else f"kvasir images --update SOURCE, or rm {path} for the built-in list",
        )


def names() -> list[str]:
    """Names to launch by, each once."""
    return list(dict.fromkeys(["tiny", *(image.name for image in images())]))


def find(word: str) -> Image | None:
    """The image of a name (``debian``: the first of the list), a name with a version, or another name."""
    return next((image for image in images() if image.called(word)), None)
