#!/usr/bin/env bash
# Prints a TCP port of 127.0.0.1 that nobody listens on at this moment. It does not reserve the port:
# who uses it must be ready to try another one. The range lies below the ports that outgoing
# connections are given, so those never take it.
set -euo pipefail

python3 - <<'PYTHON'
import random
import socket

while True:
    port = random.randrange(20000, 32000)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PYTHON
