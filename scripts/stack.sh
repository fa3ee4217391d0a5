#!/usr/bin/env bash
# Creates and deletes the stack of template.yaml on a local stand-in for AWS (stack.py says what that proves).
#
# The stand-in needs another version of the AWS libraries than SAM does, so it has a virtual environment of its
# own beside that of setup.sh, which it installs when it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(scripts/setup.sh path)
venv=${tools%/*/bin}/venv-ministack-1.5.33
if [[ ! -e $venv/.complete ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
  touch "$venv/.complete"
fi

transformed=$(mktemp "${TMPDIR:-/tmp}/aimo-template.XXXXXX")
trap 'rm -f "$transformed"' EXIT
"$tools/python" scripts/transform.py template.yaml >"$transformed"
"$tools/cfn-lint" "$transformed"
"$venv/bin/python" scripts/stack.py "$transformed" "$(scripts/free-port.sh)"
