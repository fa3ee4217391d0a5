#!/usr/bin/env bash
# Runs a check against what a command serves, by default the smoke test:
#
#   [CHECK="SCRIPT ARGUMENT..."] start-smoke.sh COMMAND [ARGUMENT...]
#
# The check gets the base URL as its last argument; it must wait until the server answers. The command gets a free port (PORT) and an empty directory (DATA_DIR), and is run in the root of the
# project. Leaves nothing behind: every process and file it started is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d "${TMPDIR:-/tmp}/aimo-smoke.XXXXXX")
port=$(scripts/free-port.sh)

# Every process that was started, however deep: `make watch` detaches the functions from itself, but all
# of them inherit this mark.
mark=AIMO_START_SMOKE=$dir
marked() {
  grep --null-data --line-regexp --fixed-strings --files-with-matches --no-messages \
    "$mark" /proc/[0-9]*/environ | cut -d / -f 3
}

stop() {
  trap '' INT TERM HUP
  kill -TERM ${smoke:-} 2>/dev/null || true
  for signal in TERM TERM TERM KILL KILL; do
    # shellcheck disable=SC2046 # one argument per process
    kill "-$signal" $(marked) 2>/dev/null || break
    sleep 0.5
  done
  rm -rf "$dir"
}

# Only what the check expects, whatever the caller's environment says.
setsid env -u DATABASE_URL -u JWT_SECRET -u WATCH_CHANGES DATA_DIR="$dir/data" PORT="$port" "$mark" \
  "$@" >"$dir/log" 2>&1 &
server=$!
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

read -ra check <<<"${CHECK:-scripts/smoke.sh}"
"${check[@]}" "http://127.0.0.1:$port" &
smoke=$!

# Whichever ends first: the test, or the command because it could not start.
status=0
wait -n "$server" "$smoke" || status=$?
if kill -0 "$smoke" 2>/dev/null; then
  echo "start-smoke: $* ended early with status $status" >&2
  status=1
fi
if [[ $status -ne 0 ]]; then
  echo "start-smoke: the last lines of $*:" >&2
  tail -n 40 "$dir/log" >&2
fi
exit "$status"
