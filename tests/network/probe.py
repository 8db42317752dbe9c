"""What test hosts do on the net, with nothing but sockets: TCP probes, a DHCP client, DNS and TFTP questions.

listen PORT | connect ADDRESS PORT | dhcp CARD [NAME] | dns SERVER NAME TYPE | tftp SERVER FILE | hold ADDRESS PORT
"""

from __future__ import annotations

import ipaddress
import json
import os
import random
import socket
import struct
import sys
import time

TYPES = {"A": 1, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}


def listen(port: int) -> None:
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    print("listening", flush=True)
    while True:
        client, address = server.accept()
        if os.fork() == 0:
            client.sendall(f"{address[0].removeprefix('::ffff:')} {address[1]}\n".encode())
            while data := client.recv(4096):
                client.sendall(data)
            os._exit(0)
        client.close()


def connect(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=2) as sock:
            return sock.recv(200).decode().split()[0]
    except OSError:
        return ""


def hold(address: str, port: int) -> None:
    """One connection, used whenever a line comes in."""
    with socket.create_connection((address, port), timeout=10) as sock:
        sock.recv(200)
        print("connected", flush=True)
        for line in sys.stdin:
            sock.sendall(line.encode())
            print(sock.recv(200).decode().strip(), flush=True)


# --- DHCP


def _packet(kind: int, number: int, mac: bytes, options: bytes, wanted: bytes = b"") -> bytes:
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, number, 0, 0x8000) + b"\0" * 16 + mac + b"\0" * 202
    return head + b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + options + wanted + b"\xff"


def _options(data: bytes) -> dict[int, bytes]:
    found, rest = {}, data[240:]
    while rest and rest[0] != 255:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        found[rest[0]] = rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    return found


def dhcp(card: str, name: str = "") -> dict[str, object]:
    """Get an address as any client does, and put it on the card."""
    with open(f"/sys/class/net/{card}/address", encoding="ascii") as stream:
        mac = bytes(int(part, 16) for part in stream.read().strip().split(":"))
    number = random.randrange(1 << 32)
    asked = bytes([55, 9, 1, 3, 6, 12, 15, 26, 42, 66, 67])
    host = bytes([12, len(name)]) + name.encode() if name else b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, 25, card.encode() + b"\0")
        sock.bind(("", 68))
        sock.settimeout(2)

        def ask(kind: int, more: bytes = b"") -> bytes:
            for _ in range(15):
                sock.sendto(_packet(kind, number, mac, asked + host, more), ("255.255.255.255", 67))
                try:
                    while True:
                        data = sock.recv(4096)
                        if struct.unpack_from("!I", data, 4)[0] == number:
                            return data
                except TimeoutError:
                    continue
            raise SystemExit("no answer")

        offer = ask(1)
        server = _options(offer)[54]
        answer = ask(3, bytes([50, 4]) + offer[16:20] + bytes([54, 4]) + server)
    found = _options(answer)
    address = str(ipaddress.ip_address(answer[16:20]))
    length = bin(int.from_bytes(found[1], "big")).count("1")
    os.system(f"ip address add {address}/{length} dev {card}")
    if 3 in found:
        os.system(f"ip route add default via {ipaddress.ip_address(found[3][:4])}")
    text = {15: "domain", 12: "name", 67: "file", 66: "tftp"}
    result: dict[str, object] = {
        "address": address,
        "prefix": length,
        "kind": found[53][0],
        "server": str(ipaddress.ip_address(server)),
    }
    result |= {word: found[code].decode().rstrip("\0") for code, word in text.items() if code in found}
    result |= {
        word: str(ipaddress.ip_address(found[code][:4]))
        for code, word in ((3, "router"), (6, "dns"), (42, "ntp"))
        if code in found
    }
    result |= {"mtu": int.from_bytes(found[26], "big")} if 26 in found else {}
    result |= {"lease": int.from_bytes(found[51], "big")} if 51 in found else {}
    boot = answer[108:236].split(b"\0")[0].decode()
    return result | {"boot": boot or result.get("file", ""), "next": str(ipaddress.ip_address(answer[20:24]))}


# --- DNS, TFTP


def _name(data: bytes, at: int) -> tuple[str, int]:
    words = []
    while True:
        size = data[at]
        if size >= 0xC0:
            rest, _ = _name(data, struct.unpack_from("!H", data, at)[0] & 0x3FFF)
            return ".".join([*words, rest]), at + 2
        if not size:
            return ".".join(words), at + 1
        words.append(data[at + 1 : at + 1 + size].decode())
        at += 1 + size


def dns(server: str, name: str, kind: str) -> str:
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    data = struct.pack("!HHHHHH", 77, 0x0100, 1, 0, 0, 0) + question + struct.pack("!HH", TYPES[kind], 1)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        try:
            sock.sendto(data, (server, 53))
            answer = sock.recv(4096)
        except OSError:
            return "no answer"
    code, count = answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]
    if code:
        return {2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}.get(code, str(code))
    at = _name(answer, 12)[1] + 4
    found = []
    for _ in range(count):
        at = _name(answer, at)[1]
        what, _, _, size = struct.unpack_from("!HHIH", answer, at)
        at += 10
        body = answer[at : at + size]
        if what in (1, 28):
            found.append(str(ipaddress.ip_address(body)))
        elif what == 16:
            found.append(body[1 : 1 + body[0]].decode())
        elif what == 12:
            found.append(_name(answer, at)[0])
        elif what == 33:
            found.append("{} {} {} ".format(*struct.unpack_from("!HHH", body)) + _name(answer, at + 6)[0])
        at += size
    return ",".join(found)


def tftp(server: str, path: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.sendto(b"\0\1" + path.encode() + b"\0octet\0", (server, 69))
        whole = b""
        try:
            while True:
                data, peer = sock.recvfrom(1024)
                code, block = struct.unpack_from("!HH", data)
                if code != 3:
                    return "error " + data[4:].rstrip(b"\0").decode()
                whole += data[4:]
                sock.sendto(struct.pack("!HH", 4, block), peer)
                if len(data) < 516:
                    return whole.decode()
        except TimeoutError:
            return "no answer"


if __name__ == "__main__":
    word, rest = sys.argv[1], sys.argv[2:]
    if word == "listen":
        listen(int(rest[0]))
    elif word == "connect":
        print(connect(rest[0], int(rest[1])))
    elif word == "hold":
        hold(rest[0], int(rest[1]))
    elif word == "dhcp":
        print(json.dumps(dhcp(*rest)))
    elif word == "dns":
        print(dns(*rest))
    elif word == "tftp":
        print(tftp(*rest))
    else:
        time.sleep(0)
        raise SystemExit(f"what is {word}?")
