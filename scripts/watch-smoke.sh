#!/usr/bin/env bash
# Runs the smoke test against the functions as `make watch` serves them: a free port, an empty SQLite file
# in a temporary directory. Leaves nothing behind: every process and file it started is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")"

dir=$(mktemp -d "${TMPDIR:-/tmp}/aimo-watch.XXXXXX")
port=$(./free-port.sh)

# Every process that watch started, however deep: watch detaches the functions from itself, but all
# of them inherit this mark.
mark=AIMO_WATCH_SMOKE=$dir
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

# Only what the smoke test expects, whatever the caller's environment says.
setsid env -u DATABASE_URL -u JWT_SECRET -u WATCH_CHANGES DATA_DIR="$dir/data" PORT="$port" "$mark" \
  ./watch.sh >"$dir/watch.log" 2>&1 &
watch=$!
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

./smoke.sh "http://127.0.0.1:$port" &
smoke=$!

# Whichever ends first: the test, or watch because it could not start.
status=0
wait -n "$watch" "$smoke" || status=$?
if kill -0 "$smoke" 2>/dev/null; then
  echo "watch-smoke: watch ended early with status $status" >&2
  status=1
fi
if [[ $status -ne 0 ]]; then
  echo "watch-smoke: the last lines of watch:" >&2
  tail -n 40 "$dir/watch.log" >&2
fi
exit "$status"
