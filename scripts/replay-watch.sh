#!/usr/bin/env bash
# Replays the recordings of contract/ against `make watch`, on SQLite and on the servers of with-servers.sh, which runs
# this: one process for each function, started by its first request, and events of API Gateway between.
set -euo pipefail
cd "$(dirname "$0")/.."

mock_pid=
trap 'kill $mock_pid 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# replay [DATABASE_URL=URL]: by default SQLite.
replay() {
  local mock settings
  mock=127.0.0.1:$(scripts/free-port.sh)
  python3 contract/mock_upstream.py --port "${mock#*:}" >/dev/null &
  mock_pid=$!
  mapfile -t settings < <(sed "s/MOCK/$mock/" tools/testing/recorded.env)
  settings+=(APP_ENV=production ATTACHMENT_STORAGE_TYPE=local "$@")
  CHECK="scripts/replay.sh http://$mock" scripts/start-smoke.sh env "${settings[@]}" scripts/watch.sh
  kill "$mock_pid"
}

replay
replay DATABASE_URL="$TEST_POSTGRES_URL"
replay DATABASE_URL="$TEST_MYSQL_URL"
