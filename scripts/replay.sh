#!/usr/bin/env bash
# Replays the recordings of contract/ against a server that is configured by tools/testing/recorded.env and runs as
# functions:
#
#   replay.sh MOCK_URL BASE_URL
set -euo pipefail
cd "$(dirname "$0")/.."

curl --silent --output /dev/null --retry 600 --retry-delay 1 --retry-all-errors --fail "$2/api/v1/health"
excluded=$(mktemp "${TMPDIR:-/tmp}/aimo-excluded.XXXXXX")
trap 'rm -f "$excluded"' EXIT
python3 - functions/local/tests/transcripts-excluded.json tools/bench/tests/functions/recordings-excluded.json \
  >"$excluded" <<'PYTHON'
import json
import sys

excluded = {}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for recording, steps in json.load(file).items():
            excluded.setdefault(recording, {}).update(steps)
print(json.dumps(excluded))
PYTHON
export PYTHONDONTWRITEBYTECODE=1
python3 contract/replay.py "$2" --mock "$1" --ba-token test-ba-token --exclude "$excluded"
