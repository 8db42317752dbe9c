"""The catalogue and its signature; downloads from a server that breaks off, lies, or knows no ranges."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvasir.cli import kvasir as front
from kvasir.cli.friendly import catalogue, download
from kvasir.install import osinfo

CONTENT = os.urandom(3 << 20)
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Gives CONTENT; ``limit`` bytes for each request where it breaks off."""

    limit = 0
    ranges = True
    tag = '"one"'
    content = CONTENT

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wish = self.headers.get("Range", "")
        self.server.asked.append(wish)
        if "missing" in self.path:
            self.send_error(404)
            return
        content, start = self.server.content, 0
        fits = self.headers.get("If-Range") in (None, self.server.tag)
        if wish and self.server.ranges and fits:
            start = int(wish.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", self.server.tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + self.server.limit if self.server.limit else len(content)])
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KVASIR_HOME", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def image(*mirrors: str, **more: object) -> catalogue.Image:
    return catalogue.Image(
        {"name": "made", "version": "1", "file": "made.qcow2", "mirrors": mirrors, "sum": SUM, **more}
    )


def fetch(one: catalogue.Image) -> bytes:
    download.fetch(one, one.path, lambda text: None)
    assert sorted(os.listdir(os.path.dirname(one.path))) == [os.path.basename(one.path)]
    return Path(one.path).read_bytes()


def test_a_download_goes_on_where_it_broke_off(server: Server) -> None:
    server.limit = 1 << 20
    assert fetch(image(server.url)) == CONTENT
    assert server.asked == ["", "bytes=1048576-", "bytes=2097152-"]


def test_a_later_run_goes_on_too(server: Server) -> None:
    one = image(server.url)
    os.makedirs(os.path.dirname(one.path))
    Path(f"{one.path}.part").write_bytes(CONTENT[:12345])
    Path(f"{one.path}.part.tag").write_text(server.tag)
    assert fetch(one) == CONTENT and server.asked == ["bytes=12345-"]


def test_a_file_that_changed_is_fetched_anew(server: Server) -> None:
    one = image(server.url)
    os.makedirs(os.path.dirname(one.path))
    Path(f"{one.path}.part").write_bytes(b"old" * 5000)
    Path(f"{one.path}.part.tag").write_text('"old"')
    assert fetch(one) == CONTENT and server.asked == ["bytes=15000-"]


def test_a_server_without_ranges_begins_anew(server: Server) -> None:
    server.ranges = False
    one = image(server.url)
    os.makedirs(os.path.dirname(one.path))
    Path(f"{one.path}.part").write_bytes(CONTENT[:5000])
    assert fetch(one) == CONTENT


def test_the_next_mirror_is_asked(server: Server) -> None:
    assert fetch(image("http://127.0.0.1:1/", f"{server.url}missing/", server.url)) == CONTENT


def test_wrong_bytes_are_thrown_away(server: Server) -> None:
    server.content = b"evil" * 1000
    one = image(server.url)
    with pytest.raises(download.DownloadError, match="its sha256 is not the one of the list"):
        fetch(one)
    assert os.listdir(os.path.dirname(one.path)) == []


def test_sums_must_come_by_https_unless_the_list_names_them() -> None:
    for wrong in (
        {"sum": "", "sums": "http://x/SUMS"},
        {"digest": "md5"},
        {"name": "../x"},
        {"file": "a/b"},
        {"version": ".."},
    ):
        with pytest.raises(ValueError):
            image("http://x/", **wrong)


@pytest.mark.parametrize(
    "text",
    [
        "{sum}  made.qcow2\n",
        "{other}  other.qcow2\n{sum} *made.qcow2\n",
        "# x\nSHA256 (made.qcow2) = {sum}\n",
        "{sum}\n",
        "{sum}  ./made.qcow2\n",
    ],
)
def test_sums_as_distributions_write_them(text: str) -> None:
    written = text.format(sum=SUM.upper(), other="0" * 64)
    assert download.sum_in(written, "made.qcow2", 64) == SUM
    assert download.sum_in(f"{SUM}  xmade.qcow2\n{SUM}  other\n", "made.qcow2", 64) == ""


def test_the_list_of_the_program() -> None:
    found = catalogue.images()
    assert {"debian", "ubuntu", "fedora", "centos-stream", "alma", "rocky", "opensuse", "alpine", "arch"} == {
        one.name for one in found
    }
    assert len({one.path for one in found}) == len(found) and all(one.sums.startswith("https://") for one in found)
    assert all(osinfo.lookup(one.osinfo) for one in found), "a system that virt-install knows"
    assert catalogue.names()[0] == "tiny"
    bookworm = catalogue.find("bookworm")
    assert bookworm is not None and bookworm.full == "debian:12" and catalogue.find("debian:99") is None


def signed(folder: Path, home: Path, images: list[dict[str, object]]) -> Path:
    """A list with the signature of a new key, which may sign."""
    key = folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        (home / "signers").write_text(f"kvasir-images {(folder / 'key.pub').read_text()}")
    path = folder / "list.json"
    path.write_text(json.dumps({"format": 1, "images": images}))
    (folder / "list.json.sig").unlink(missing_ok=True)
    sign(key, path)
    return path


def test_a_list_from_elsewhere_must_be_signed(
    tmp_path: Path, home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    row: dict[str, object] = {"name": "own", "version": "1", "file": "own.qcow2", "mirrors": [server.url], "sum": SUM}
    path = signed(tmp_path, home, [row])
    assert front.main(["images", "--update", str(path)]) == 0
    assert catalogue.names() == ["tiny", "own"]
    good = path.read_text()
    for wrong in (good.replace("own.qcow2", "evil.qcow2"), "{}"):
        path.write_text(wrong)
        with pytest.raises(SystemExit):
            front.main(["images", "--update", str(path)])
        assert "the signature of" in capsys.readouterr().err and catalogue.names() == ["tiny", "own"]
    (home / "catalogue.json").write_text(good.replace("own", "evil"))
    with pytest.raises(SystemExit):
        catalogue.images()
    (home / "signers").unlink()
    with pytest.raises(SystemExit):
        front.main(["images", "--update", str(signed(tmp_path, home, [row]))])
    assert "no key may sign" in capsys.readouterr().err


NOWHERE: dict[str, object] = {
    "name": "own",
    "version": "1",
    "file": "own.qcow2",
    "mirrors": ["http://127.0.0.1:1/"],
    "sum": SUM,
}
"""An image that no mirror has."""


def listed(folder: Path, home: Path, **more: object) -> Path:
    """A signed list of one image with more said of the list."""
    path = signed(folder, home, [NOWHERE])
    path.write_text(json.dumps({"format": 1, "images": [NOWHERE], **more}))
    (folder / "list.json.sig").unlink()
    sign(folder / "key", path)
    return path


def sign(key: Path, path: Path, purpose: str = "kvasir-images") -> None:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", purpose, "-f", str(key), str(path)]
    subprocess.run(command, check=True, capture_output=True)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        front.main(["images", *words])
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_lists_that_are_too_old(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that has expired is not taken, nor used when it expires in force; one from before that in force neither."""
    said = refused(capsys, "--update", str(listed(tmp_path, home, expires="2001-02-03")))
    assert "the list expired on 2001-02-03" in said and "own" not in catalogue.names()
    assert "Invalid isoformat" in refused(capsys, "--update", str(listed(tmp_path, home, expires="soon")))
    good = listed(tmp_path, home, expires="2999-01-01", issued="2026-11-30")
    assert front.main(["images", "--update", str(good)]) == 0
    assert catalogue.names() == ["tiny", "own"]
    said = refused(capsys, "--update", str(listed(tmp_path, home, issued="2026-11-29")))
    assert "older than the list in force, of 2026-11-30" in said
    assert "older than" in refused(capsys, "--update", str(listed(tmp_path, home))), "one without a day too"
    for name in ("catalogue.json", "catalogue.json.sig"):
        source = listed(tmp_path, home, expires="2001-02-03")
        (home / name).write_bytes((source if name.endswith("json") else source.with_name("list.json.sig")).read_bytes())
    said = refused(capsys)
    assert "the list expired on 2001-02-03" in said and f"rm {home}/catalogue.json for the built-in list" in said
    (home / "catalogue.json").unlink()
    assert "debian" in catalogue.names()


def test_signatures_of_others(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that is not listed, one that was revoked by its last day, a signature for another purpose, none at all."""
    path = listed(tmp_path, home)
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    for key, purpose in ((other, "kvasir-images"), (tmp_path / "key", "file")):
        (tmp_path / "list.json.sig").unlink()
        sign(key, path, purpose)
        assert "is not good" in refused(capsys, "--update", str(path)), (key, purpose)
    (tmp_path / "list.json.sig").unlink()
    assert f"its signature {path}.sig cannot be had" in refused(capsys, "--update", str(path))
    sign(tmp_path / "key", path)
    public = (tmp_path / "key.pub").read_text()
    (home / "signers").write_text(f'kvasir-images valid-before="20010203" {public}')
    assert "is not good" in refused(capsys, "--update", str(path))
    (home / "signers").write_text(f"kvasir-images {public}")
    assert front.main(["images", "--update", str(path)]) == 0


def test_offline_says_so(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["images", "--update", str(signed(tmp_path, home, [NOWHERE]))]) == 0
    with pytest.raises(SystemExit):
        front.main(["-c", "test:///default", "images", "--pull", "own"])
    said = capsys.readouterr().err
    assert (
        "this host is offline, or no mirror of own:1 answers" in said
        and "kvasir launch tiny" in said
        and "--image FILE" in said
    )


def test_an_image_lies_in_a_pool(
    tmp_path: Path, home: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    row: dict[str, object] = {"name": "own", "version": "1", "file": "own.qcow2", "mirrors": [server.url], "sum": SUM}
    assert front.main(["images", "--update", str(signed(tmp_path, home, [row]))]) == 0
    assert front.main(["-c", "test:///default", "images", "--pull", "own"]) == 0
    path = capsys.readouterr().out.split()[-1]
    assert Path(path).read_bytes() == CONTENT and os.stat(path).st_mode & 0o777 == 0o644
    assert front.main(["images", "--json"]) == 0
    rows = {row["image"]: row["here"] for row in json.loads(capsys.readouterr().out)}
    assert rows["own:1"] == "yes"
    assert front.main(["-c", "test:///default", "images", "--remove", "own"]) == 0
    assert not os.path.exists(path)
