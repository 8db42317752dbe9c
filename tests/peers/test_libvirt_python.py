"""The real libvirt-python on our daemon: objects, events, the console as a stream, statistics, errors."""

from __future__ import annotations

import ast

import pytest

from tests.integration.test_tiny_guest import document

SCRIPT = r"""
import sys, threading, time, libvirt
uri, xml = sys.argv[1:]
libvirt.registerErrorHandler(lambda c, e: None, None)
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
c = libvirt.open(uri)
said = {"type": c.getType(), "alive": c.isAlive()}
seen = []
c.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda c, d, e, t, o: seen.append((d.name(), e, t)), None)
d = c.defineXML(open(xml).read())
said["defined"] = ([x.name() for x in c.listAllDomains()], d.isActive(), d.isPersistent())
d.create()
said["started"] = (d.info()[:4], d.state(), d.ID() > 0)
s = c.newStream(0)
d.openConsole(None, s, 0)
got, sent, begin = b"", 0, time.time()
def reader():
    global got
    while True:
        try: data = s.recv(4096)
        except libvirt.libvirtError: return
        if not data: return
        got += data
threading.Thread(target=reader, daemon=True).start()
while b"answer-42" not in got and time.time() - begin < 150:
    if b"ready" in got and time.time() - sent > 5:
        s.send(b"echo answer-$((6*7))\r"); sent = time.time()
    time.sleep(0.2)
said["console"] = b"answer-42" in got
stats = c.getAllDomainStats()[0]
said["stats"] = (stats[0].name(), stats[1]["state.state"], stats[1]["balloon.maximum"], stats[1]["vcpu.current"])
said["xml"] = "<name>tiny</name>" in d.XMLDesc()
try: s.abort()
except libvirt.libvirtError: pass
d.destroy()
d.undefine()
end = time.time() + 10
while len(seen) < 6 and time.time() < end: time.sleep(0.1)
said["events"] = seen
try: c.lookupByName("tiny")
except libvirt.libvirtError as e: said["error"] = (e.get_error_code(), e.get_error_domain(), str(e))
print(repr(said))
"""


@pytest.mark.timeout(280)
def test_a_script(kvasird, tiny_guest, peers):
    xml = document(kvasird, tiny_guest)
    script = kvasird.folder / "script.py"
    script.write_text(SCRIPT)
    done = peers.run("python3", str(script), kvasird.uri, xml)
    assert done.returncode == 0, done.stderr + kvasird.log()
    assert ast.literal_eval(done.stdout.strip().splitlines()[-1]) == {
        "type": "QEMU",
        "alive": 1,
        "defined": (["tiny"], 0, 1),
        "started": ([1, 262144, 262144, 1], [1, 1], True),
        "console": True,
        "stats": ("tiny", 1, 262144, 1),
        "xml": True,
        "events": [("tiny", 0, 0), ("tiny", 4, 0), ("tiny", 2, 0), ("tiny", 6, 2), ("tiny", 5, 1), ("tiny", 1, 0)],
        "error": (42, 10, "Domain not found: no domain with matching name 'tiny'"),
    }
