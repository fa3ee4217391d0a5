#!/usr/bin/env bash
# Serves every HTTP function through `cargo lambda watch` behind http://127.0.0.1:PORT (default 9000), by the
# routes of [workspace.metadata.lambda.watch.router] in Cargo.toml. Each function is a process of its own,
# started by its first request, as it would be in AWS.
#
#   PORT, DATA_DIR    as for `make dev`
#   DATABASE_URL      default: the SQLite file DATA_DIR/aimo.db; migrated first, whichever it is
#   JWT_SECRET        default: kept in DATA_DIR/jwt-secret, made when missing
#   LANCEDB_URI       default: the directory DATA_DIR/lancedb
#   WATCH_CHANGES=1   restarts the started functions whenever a file changes
#
# It listens on no other address, and it refuses to start when its tools are missing (setup.sh python).
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(scripts/setup.sh path)
if [[ ! -x $tools/cargo-lambda ]]; then
  echo "watch: cargo-lambda is missing: run scripts/setup.sh python" >&2
  exit 1
fi

mkdir -p "${DATA_DIR:-.data}"
DATA_DIR=$(cd "${DATA_DIR:-.data}" && pwd)
if [[ -z ${JWT_SECRET:-} ]]; then
  if [[ ! -s $DATA_DIR/jwt-secret ]]; then
    (umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$DATA_DIR/jwt-secret")
  fi
  JWT_SECRET=$(cat "$DATA_DIR/jwt-secret")
fi
DATABASE_URL=${DATABASE_URL:-sqlite://$DATA_DIR/aimo.db}

# The functions believe to be in Lambda, but this is a local disk and plain http.
EFS_MOUNT_PATH=${EFS_MOUNT_PATH:-$DATA_DIR}
SQLITE_JOURNAL_MODE=${SQLITE_JOURNAL_MODE:-wal}
APP_ENV=${APP_ENV:-development}
LANCEDB_URI=${LANCEDB_URI:-$DATA_DIR/lancedb}
export DATA_DIR JWT_SECRET DATABASE_URL EFS_MOUNT_PATH SQLITE_JOURNAL_MODE APP_ENV LANCEDB_URI
if [[ -z ${OPENAI_API_KEY:-} ]]; then export EMBEDDING_PROVIDER=${EMBEDDING_PROVIDER:-local}; fi

# One build for all, so that a first request does not wait for a compiler.
cargo build --quiet --workspace --bins
cargo run --quiet --bin migrate -- schema

# --disable-cors: preflight requests reach the functions, as they do behind the HTTP API.
flags=(--disable-cors)
if [[ ${WATCH_CHANGES:-} != 1 ]]; then flags+=(--ignore-changes); fi
exec "$tools/cargo-lambda" lambda watch --invoke-address 127.0.0.1 --invoke-port "${PORT:-9000}" "${flags[@]}"
