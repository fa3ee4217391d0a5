#!/usr/bin/env bash
# Prints a TCP port of 127.0.0.1 that nobody listens on at this moment, or as many different ones as the
# argument says. It does not reserve them: who uses one must be ready to try another one. The range lies
# below the ports that outgoing connections are given, so those never take it.
set -euo pipefail

python3 - "${1:-1}" <<'PYTHON'
import random
import socket
import sys

probes = []
while len(probes) < int(sys.argv[1]):
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", random.randrange(20000, 32000)))
    except OSError:
        continue
    probes.append(probe)
    print(probe.getsockname()[1])
PYTHON
