#!/usr/bin/env bash
# Says whether contract/ differs from the documents it is a copy of:
#
#   contract-status.sh SHARED
#
# Changes nothing and never fails: a newer original is news, not an error. `make contract` refreshes the copy.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=$1

if [[ ! -d $shared/contract || ! -d $shared/fixtures ]]; then
  echo "contract: no original at $shared to compare with"
elif diff -rq -x fixtures -x __pycache__ "$shared/contract" contract && diff -rq "$shared/fixtures" contract/fixtures; then
  echo "contract: same as $shared"
else
  echo "contract: differs from $shared as listed above; \`make contract\` refreshes it"
fi
