#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds `ksma sockets --json` against what the guest's own /proc/net says.

usage: compare_sockets.py GUEST-TEXT KSMA-JSON

GUEST-TEXT is made by the guest: for each network namespace a line "== NUMBER", and for each file of it a line "-- tcp" with
the file's lines behind. Prints what differs; the exit status is 1 then.
"""
import collections
import ipaddress
import json
import sys

STATES = {
    1: "ESTAB", 2: "SYN-SENT", 3: "SYN-RECV", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT", 7: "UNCONN",
    8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RECV",
}


def address(text):
    """"0100007F:1F41" to "127.0.0.1:8001": words in the host's order."""
    host, port = text.split(":")
    raw = b"".join(bytes.fromhex(host[i:i + 8])[::-1] for i in range(0, len(host), 8))
    number = int(port, 16)
    port = str(number) if number else "*"
    if len(raw) == 4:
        return f"{ipaddress.IPv4Address(raw)}:{port}"
    ip = ipaddress.IPv6Address(raw)
    mapped = ip.ipv4_mapped
    return f"[::ffff:{mapped}]:{port}" if mapped else f"[{ip}]:{port}"


def inet(protocol, fields):
    state = STATES[int(fields[3], 16)]
    return (protocol, state, address(fields[1]), address(fields[2]), int(fields[9]), int(fields[7]))


def unix(line):
    # Num RefCount Protocol Flags Type St Inode Path
    fields = line.split(None, 7)
    path = fields[7].rstrip("\n") if len(fields) > 7 else ""
    return ("unix", path, int(fields[6]))


def guest_rows(path):
    rows, namespace, kind = collections.Counter(), None, None
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith("== "):
                namespace = int(line.split()[1])
            elif line.startswith("-- "):
                kind = line.split()[1]
            elif not line.strip() or line.split()[0] in ("sl", "Num"):
                pass
            elif kind == "unix":
                rows[(namespace,) + unix(line)] += 1
            else:
                rows[(namespace,) + inet(kind, line.split())] += 1
    return rows


def ksma_rows(path):
    rows = collections.Counter()
    with open(path, encoding="utf-8") as text:
        document = json.load(text)
    for look in document["coverage"]:
        if look["state"] != "complete":
            sys.exit(f"coverage: {look}")
    for s in document["sockets"]:
        if s["protocol"] == "unix":
            rows[(s["netns"], "unix", s["local"], s["inode"])] += 1
        elif s["protocol"] in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
            # A TCP socket that is neither connected nor listening is in no file of /proc/net.
            if s["protocol"].startswith("tcp") and s["state"] == "UNCONN":
                continue
            rows[(s["netns"], s["protocol"], s["state"], s["local"], s["remote"], s["inode"], s["uid"])] += 1
    return rows


def main():
    guest, ksma = guest_rows(sys.argv[1]), ksma_rows(sys.argv[2])
    for row in (guest - ksma).elements():
        print("only the guest:", row)
    for row in (ksma - guest).elements():
        print("only ksma:", row)
    print(f"{sum(guest.values())} sockets in the guest, {sum(ksma.values())} seen")
    if guest != ksma:
        sys.exit(1)
    if not guest:
        sys.exit("no sockets at all: nothing was compared")


main()
