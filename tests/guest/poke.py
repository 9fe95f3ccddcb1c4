#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes one byte of a file in the page cache of a guest, from outside: poke.py PID CAT-JSON OFFSET. The guest's RAM is a memfd."""
import json
import os
import re
import sys

pid, document, offset = int(sys.argv[1]), json.load(open(sys.argv[2])), int(sys.argv[3])
for piece in document["pieces"]:
    start = piece["offset"]
    if start <= offset < start + piece["length"]:
        gpa = int(piece["frame"], 0) + offset - start
        break
else:
    sys.exit("the page is not in memory")
# Guests of the tests have less memory than what lies below the hole, so that a guest address is a place in the file.
for fd in os.listdir(f"/proc/{pid}/fd"):
    path = f"/proc/{pid}/fd/{fd}"
    if re.match(r"/memfd:", os.readlink(path)) and os.stat(path).st_size > gpa:
        with open(path, "r+b", buffering=0) as ram:
            ram.seek(gpa)
            byte = ram.read(1)
            ram.seek(gpa)
            ram.write(bytes([byte[0] ^ 0x55]))
        break
else:
    sys.exit("no memory of the guest")
