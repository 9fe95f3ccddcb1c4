#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds what libksma says of a guest's processes against what the guest's own /proc says.

usage: compare_processes.py BEFORE.json GUEST AFTER.json

GUEST is the output of `gtool proc`; BEFORE and AFTER are tests/tools/model's, made just before and just after it. A guest lives,
so that a value may change between the three: what the guest says must be what we said before or what we say after, and where
the two agree there is only one right answer. Processes that exist only while the guest is asked are not compared.
"""
import json
import re
import sys

O_CLOEXEC = 0o2000000
EXIT_STATES = {"Z": 0x20, "X": 0x10}
problems = []
compared = {}


def problem(where, ours, theirs):
    """Of two lists, only what is not in both."""
    if isinstance(ours, list) and isinstance(theirs, list):
        ours, theirs = [x for x in ours if x not in theirs], [x for x in theirs if x not in ours]
    problems.append(f"{where}\n    ksma:  {ours!r:.600}\n    guest: {theirs!r:.600}")


def raw(text):
    """A string of the model is bytes, a character each."""
    return None if text is None else text.encode("latin-1")


def check(kind, where, theirs, *ours):
    """One of ours must be theirs."""
    compared[kind] = compared.get(kind, 0) + 1
    if theirs not in ours:
        problem(f"{where}: {kind}", ours[0] if len(set(map(repr, ours))) == 1 else ours, theirs)


def read_guest(path):
    data = open(path, "rb").read()
    records, at = {}, 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, length = data[at:end].rsplit(b" ", 1)
        length = int(length)
        at = end + 1
        if length >= 0:
            records[name.decode()] = data[at:at + length]
            at += length + 1
        else:
            records[name.decode()] = None
    if "end" not in records:
        sys.exit(f"{path} is cut off")
    return records


def read_model(path):
    processes, threads = {}, {}
    for p in json.load(open(path))["processes"]:
        threads.setdefault(p["pid"], {})[p["tid"]] = p
        if p["pid"] == p["tid"]:
            processes[p["pid"]] = p
    return processes, threads


def parse_stat(text):
    head, tail = text[:text.index(b"(")], text[text.rindex(b")") + 2:]
    comm = text[text.index(b"(") + 1:text.rindex(b")")]
    f = tail.split()
    return {"pid": int(head), "comm": comm, "state": f[0].decode(), "ppid": int(f[1]), "flags": int(f[6]), "threads": int(f[17]),
            "start": int(f[19])}


def parse_status(text):
    out = {}
    for line in text.split(b"\n"):
        if b":\t" in line:
            key, value = line.split(b":\t", 1)
            out[key.decode()] = value
    return out


def unescape(text):
    """Octal escapes of seq_file."""
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), text)


def parse_maps(text):
    maps = []
    for line in text.split(b"\n")[:-1]:
        f = line.split(b" ", 5)
        rest = line[73:] if len(line) > 73 else b""
        start, end = (int(x, 16) for x in f[0].split(b"-"))
        major, minor = (int(x, 16) for x in f[3].split(b":"))
        inode = int(f[4])
        maps.append({"start": start, "end": end, "perms": f[1].decode(), "offset": int(f[2], 16), "major": major, "minor": minor,
                     "inode": inode, "path": rest.replace(b"\\012", b"\n") or None})
    return maps


def our_maps(process):
    out = []
    for m in process["maps"]:
        m = dict(m)
        m["path"] = raw(m["path"])
        out.append(m)
    return out


def parse_mountinfo(text):
    mounts = []
    for line in text.split(b"\n")[:-1]:
        left, right = line.split(b" - ", 1)
        f, r = left.split(b" "), right.split(b" ")
        major, minor = (int(x) for x in f[2].split(b":"))
        mounts.append((int(f[0]), int(f[1]), major, minor, unescape(f[3]), unescape(f[4]), unescape(r[0]), unescape(r[1])))
    return mounts


def our_mounts(process):
    return [(m["id"], m["parent"], m["major"], m["minor"], raw(m["root"]), raw(m["path"]), raw(m["fstype"]), raw(m["source"]))
            for m in process["mounts"]]


def compare_task(where, stat, status, ours):
    """The facts that each thread has. /proc lengthens the names of kernel threads; ours is as the kernel keeps it."""
    s, st = parse_stat(stat), parse_status(status)
    for o in ours:
        if o["kernel_thread"] and s["comm"].startswith(raw(o["comm"])):
            s["comm"] = raw(o["comm"])
    check("comm", where, s["comm"], *(raw(o["comm"]) for o in ours))
    check("ppid", where, s["ppid"], *(o["ppid"] for o in ours))
    check("threads", where, int(st["Threads"]), *(o["threads"] for o in ours))
    check("start", where, s["start"], *(o["start_ns"] // 10000000 for o in ours))
    check("uids", where, [int(x) for x in st["Uid"].split()], *(o["uids"] for o in ours))
    check("gids", where, [int(x) for x in st["Gid"].split()], *(o["gids"] for o in ours))
    check("effective capabilities", where, int(st["CapEff"], 16), *(o["cap_effective"] for o in ours))
    check("permitted capabilities", where, int(st["CapPrm"], 16), *(o["cap_permitted"] for o in ours))
    if len({o["flags"] for o in ours}) == 1:
        check("flags", where, s["flags"], ours[0]["flags"])
    if all(o["state"] & 0x30 for o in ours) or s["state"] in EXIT_STATES:
        check("exit state", where, EXIT_STATES.get(s["state"]), *(o["state"] & 0x30 for o in ours))
    if len({o["state"] for o in ours}) == 1:
        letter = "R" if ours[0]["state"] == 0 else "T" if ours[0]["state"] & 4 else "I" if ours[0]["state"] & 0x402 == 0x402 else \
            "D" if ours[0]["state"] & 2 else "S" if ours[0]["state"] & 1 else s["state"]
        check("state", where, s["state"], letter)


def compare_fds(pid, guest, ours):
    where = f"pid {pid}"
    fds = {int(n.split("/")[2]): v for n, v in guest.items() if n.startswith(f"{pid}/fd/")}
    tables = [{f["fd"]: f for f in o["files"]} for o in ours]
    # The agent runs our commands: while it does, it holds pipes that it does not hold before and after.
    agent = any(raw(o["cmdline"] or "").startswith(b"/bin/gtool\0agent") for o in ours)
    theirs = set(fds)
    if agent:
        theirs &= set(tables[0]) | set(tables[1])
    check("open files", where, sorted(theirs), *(sorted(t) for t in tables))
    for fd in sorted(theirs):
        same = [t[fd] for t in tables if fd in t]
        if not same or agent:
            continue
        at = f"{where} fd {fd}"
        check("path of a file", at, fds[fd], *(raw(f["path"]) for f in same))
        info = guest.get(f"{pid}/fdinfo/{fd}")
        if info:
            info = parse_status(info)
            check("position", at, int(info["pos"]), *(f["position"] for f in same))
            check("file flags", at, int(info["flags"], 8) & ~O_CLOEXEC, *(f["flags"] & ~O_CLOEXEC for f in same))
            if "ino" in info:
                check("inode", at, int(info["ino"]), *(f["inode"] for f in same))
        stat = guest.get(f"{pid}/stat/{fd}")
        # An overlay answers stat() with the numbers of the layer below; "anon" has no type to compare.
        if stat and same[0]["type"] != "anon":
            mode, ino, major, minor = stat.split()
            check("mode", at, int(mode, 8), *(f["mode"] for f in same))
            check("device and inode", at, (int(major), int(minor), int(ino)), *((f["major"], f["minor"], f["inode"]) for f in same))


def compare_process(pid, guest, ours, threads):
    where = f"pid {pid} ({ours[0]['comm']})"
    compare_task(where, guest[f"{pid}/stat"], guest[f"{pid}/status"], ours)
    exe = guest.get(f"{pid}/exe")
    check("exe", where, exe, *(raw(o["exe"]) for o in ours))
    cmdline = guest.get(f"{pid}/cmdline") or b""
    if cmdline.endswith(b"\0"):
        cmdline = cmdline[:-1]
    check("cmdline", where, cmdline, *(raw(o["cmdline"] or "") for o in ours))
    cgroup = [line for line in (guest.get(f"{pid}/cgroup") or b"").split(b"\n") if line.startswith(b"0::")]
    if cgroup:
        check("cgroup", where, cgroup[0][3:], *(raw(o["cgroup"]) for o in ours))
    for ns in ours[0]["ns"]:
        link = guest.get(f"{pid}/ns/{ns}")
        theirs = int(re.search(rb"\[(\d+)\]", link)[1]) if link else 0
        # A zombie's pid and user namespaces can no longer be opened, although it has them.
        if link or ns not in ("pid", "user"):
            check("namespace", f"{where} {ns}", theirs, *(o["ns"][ns] for o in ours))
    check("maps", where, parse_maps(guest.get(f"{pid}/maps") or b""), *(our_maps(o) for o in ours))
    if guest.get(f"{pid}/mountinfo") is not None:
        check("mounts", where, parse_mountinfo(guest[f"{pid}/mountinfo"]), *(our_mounts(o) for o in ours))
    compare_fds(pid, guest, ours)
    tids = sorted(int(n.split("/")[2]) for n in guest if re.fullmatch(rf"{pid}/task/\d+/stat", n))
    check("threads of a process", where, tids, *(sorted(t[pid]) for t in threads))
    for tid in tids:
        both = [t[pid][tid] for t in threads if tid in t[pid]]
        if both and guest[f"{pid}/task/{tid}/stat"] and guest[f"{pid}/task/{tid}/status"]:
            compare_task(f"{where} tid {tid}", guest[f"{pid}/task/{tid}/stat"], guest[f"{pid}/task/{tid}/status"], both)


def main():
    before, threads_before = read_model(sys.argv[1])
    guest = read_guest(sys.argv[2])
    after, threads_after = read_model(sys.argv[3])
    pids = {int(n.split("/")[0]) for n in guest if n.endswith("/stat") and n.count("/") == 1 and guest[n]}
    steady = {p for p in set(before) & set(after) if before[p]["start_ns"] == after[p]["start_ns"]}
    # Who asks, and who is asked with it, is there only meanwhile; workers of the kernel come and go.
    shell = parse_stat(guest[f"{guest['self'].decode()}/stat"])["ppid"]
    mine = {shell} | {p for p in pids if parse_stat(guest[f"{p}/stat"])["ppid"] == shell}
    for pid in sorted(steady - pids):
        problem(f"pid {pid}", before[pid]["comm"], None)
    for pid in sorted(pids - set(before) - set(after) - mine):
        stat = parse_stat(guest[f"{pid}/stat"])
        if not stat["flags"] & 0x200000:
            problem(f"pid {pid}", None, stat["comm"])
    for pid in sorted(steady & pids):
        compare_process(pid, guest, (before[pid], after[pid]), (threads_before, threads_after))
    print(f"{len(steady & pids)} processes; compared: " + ", ".join(f"{n} {kind}" for kind, n in sorted(compared.items())))
    if problems:
        print(f"{len(problems)} differences")
        print("\n".join(problems[:40]))
    return 1 if problems or len(steady & pids) < 20 else 0


sys.exit(main())
