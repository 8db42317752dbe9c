"""Downloads that go on where they broke off, from the next mirror when one fails, and end with the right sum or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .catalogue import Image

PIECE = 1 << 20
TIMEOUT = 30
TRIES = 5
SUMS_MOST = 4 << 20


class DownloadError(Exception):
    """Why an image could not be had; ``offline`` when no mirror was reached at all."""

    def __init__(self, text: str, *, offline: bool = False) -> None:
        super().__init__(text)
        self.offline = offline


def agent() -> dict[str, str]:
    from kvasir import __version__

    return {"User-Agent": f"kvasir/{__version__}", "Accept-Encoding": "identity"}


def sum_in(text: str, file: str, length: int) -> str:
    """The sum of a file in a list: ``SUM  FILE``, ``SUM *FILE``, ``SHA256 (FILE) = SUM``, or a sum alone. '' when it is not there."""
    digest = rf"\b([0-9a-fA-F]{{{length}}})\b"
    for line in text.splitlines():
        found = re.search(digest, line)
        if not found:
            continue
        words = re.split(r"[\s*()=]+", line.replace(found[1], " "))
        if file in [os.path.basename(word) for word in words] or text.strip() == found[1]:
            return found[1].lower()
    return ""


def wanted_sum(image: Image) -> str:
    """The sum that the image must have. Raises DownloadError."""
    from .catalogue import DIGESTS

    if image.sum:
        return image.sum.lower()
    import urllib.request

    try:
        request = urllib.request.Request(image.sums, headers=agent())
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if not str(answer.url).startswith("https://"):
                raise DownloadError(f"{image.sums} leads away from https")
            text = answer.read(SUMS_MOST).decode("utf-8", "replace")
    except OSError as error:
        raise DownloadError(f"{image.sums}: {reason(error)}", offline=True) from None
    found = sum_in(text, image.file, DIGESTS[image.digest])
    if not found:
        raise DownloadError(f"{image.sums} has no {image.digest} of {image.file}")
    return found


def reason(error: BaseException) -> str:
    """What went wrong, without Python's numbers."""
    inner = getattr(error, "reason", None) or error
    return str(getattr(inner, "strerror", None) or inner or type(error).__name__)


def fetch(image: Image, path: str, say: Callable[[str], None]) -> None:
    """Bring the image to its path. Raises DownloadError; what came so far stays as ``path.part`` for the next time."""
    expected = wanted_sum(image)
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    part = f"{path}.part"
    failures, reached = [], False
    for mirror in image.mirrors:
        url = mirror.rstrip("/") + "/" + image.file
        try:
            whole(url, part, say)
            reached = True
        except OSError as error:
            failures.append(f"{url}: {reason(error)}")
            reached = reached or hasattr(error, "code") or (os.path.exists(part) and os.path.getsize(part) > 0)
            continue
        if sum_of(part, image.digest) == expected:
            os.chmod(part, 0o644)
            os.replace(part, path)
            forget(part)
            return
        failures.append(f"{url}: its {image.digest} is not the one of the list")
        os.unlink(part)
        forget(part)
    raise DownloadError("; ".join(failures), offline=not reached)


def whole(url: str, part: str, say: Callable[[str], None]) -> None:
    """All bytes of an address; one that breaks off is asked again as long as it brings something. Raises OSError."""
    idle = 0
    while True:
        before = os.path.getsize(part) if os.path.exists(part) else 0
        try:
            if piece(url, part, say):
                return
            error: OSError = ConnectionError("the connection broke off")
        except OSError as failed:
            if getattr(failed, "code", 0) == 416 and before and not idle:  # the file there is another one now: anew
                os.unlink(part)
                idle = 1
                continue
            if hasattr(failed, "code"):
                raise
            error = failed
        now = os.path.getsize(part) if os.path.exists(part) else 0
        idle = idle + 1 if now <= before else 0
        if idle >= (TRIES if now else 1):
            raise error
        time.sleep(min(idle, 3) * 0.5)


def piece(url: str, part: str, say: Callable[[str], None]) -> bool:
    """One request, from where the part ends. Whether the file is whole. Raises OSError."""
    import http.client
    import urllib.request

    have = os.path.getsize(part) if os.path.exists(part) else 0
    headers = agent()
    mark = remembered(part)
    if have:
        headers["Range"] = f"bytes={have}-"
        if mark:
            headers["If-Range"] = mark
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        start = _start(answer, have)
        total = start + int(answer.headers.get("Content-Length") or 0)
        remember(part, answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        with open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            done = start
            while True:
                try:
                    data = answer.read(PIECE)
                except http.client.IncompleteRead as error:
                    data = error.partial
                    file.write(data)
                    return False
                if not data:
                    break
                file.write(data)
                done += len(data)
                progress(os.path.basename(part).removesuffix(".part"), done, total, say)
    return not answer.headers.get("Content-Length") or done == total


def _start(answer: object, have: int) -> int:
    """Where the answer's bytes belong: a server that knows no ranges begins anew."""
    found = re.match(r"bytes (\d+)-", getattr(answer, "headers", {}).get("Content-Range") or "")
    if getattr(answer, "status", 200) == 206 and found and int(found[1]) == have:
        return have
    return 0


def remembered(part: str) -> str:
    """The tag of the file whose first bytes are here. A weak one says nothing of bytes."""
    try:
        with open(f"{part}.tag", encoding="utf-8") as file:
            mark = file.read(4096).strip()
    except OSError:
        return ""
    return "" if mark.startswith("W/") else mark


def remember(part: str, mark: str) -> None:
    with open(f"{part}.tag", "w", encoding="utf-8") as file:
        file.write(mark)


def forget(part: str) -> None:
    if os.path.exists(f"{part}.tag"):
        os.unlink(f"{part}.tag")


def sum_of(path: str, digest: str) -> str:
    """The file's sum."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, digest).hexdigest()


_LAST = [0.0]


def progress(name: str, done: int, total: int, say: Callable[[str], None]) -> None:
    """A line that grows, on a terminal only."""
    if not sys.stderr.isatty() or time.monotonic() - _LAST[0] < 0.2:
        return
    _LAST[0] = time.monotonic()
    say(f"\r{name}: {done >> 20} of {total >> 20} MiB" if total else f"\r{name}: {done >> 20} MiB")
