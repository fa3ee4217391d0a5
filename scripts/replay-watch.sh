#!/usr/bin/env bash
# Replays the recordings of contract/ against `make watch`, on SQLite: one process for each function, started by its
# first request, and events of API Gateway between. (The tests replay them through the functions on each database.)
set -euo pipefail
cd "$(dirname "$0")/.."

mock=127.0.0.1:$(scripts/free-port.sh)
python3 contract/mock_upstream.py --port "${mock#*:}" >/dev/null &
mock_pid=$!
trap 'kill "$mock_pid" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mapfile -t settings < <(sed "s/MOCK/$mock/" tools/testing/recorded.env)
CHECK="scripts/replay.sh http://$mock" scripts/start-smoke.sh env APP_ENV=production ATTACHMENT_STORAGE_TYPE=local "${settings[@]}" scripts/watch.sh
