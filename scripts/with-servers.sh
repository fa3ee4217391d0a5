#!/usr/bin/env bash
# Runs a command beside a private PostgreSQL, a private MariaDB and a private S3 server (SeaweedFS, which
# checks signatures):
#
#   with-servers.sh COMMAND [ARGUMENT...]
#
# The command finds them on 127.0.0.1. At TEST_POSTGRES_URL and TEST_MYSQL_URL: an empty database `aimo_test`
# each, and a user who may create more. At TEST_S3_ENDPOINT: an empty bucket TEST_S3_BUCKET in us-east-1, for
# TEST_S3_ACCESS_KEY_ID and TEST_S3_SECRET_ACCESS_KEY, who may create more.
# The servers and their directory are gone when it ends, however it ends, and its exit status is passed on.
# The servers trade durability for speed. It refuses to install anything (setup.sh does) and never touches a
# server that it has not started.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
source "$scripts/find-servers.sh"

fail() {
  echo "with-servers: $*" >&2
  exit 1
}

if [[ $# -eq 0 ]]; then
  echo "usage: $0 COMMAND [ARGUMENT...]" >&2
  exit 64
fi
postgres=$(postgres_bin)
if [[ -z $postgres || -n $(missing_mariadb) ]]; then
  fail "PostgreSQL or MariaDB is not installed: run scripts/setup.sh servers"
fi
weed=$("$scripts/setup.sh" path)/weed
if [[ ! -x $weed ]]; then
  fail "SeaweedFS is not installed: run scripts/setup.sh python"
fi

# Both databases refuse to run as root, so root hands them to a user that a package made.
unprivileged=()
owner=$(id -un)
if [[ $(id -u) -eq 0 ]]; then
  for owner in postgres mysql nobody; do
    if id "$owner" >/dev/null 2>&1; then break; fi
  done
  unprivileged=(--reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/aimo-servers.XXXXXX")
keep_logs=

stop() {
  # Nothing may interrupt this.
  trap '' INT TERM HUP
  # QUIT is PostgreSQL's immediate shutdown, in which it gives its shared memory back; a MariaDB whose
  # data is about to go needs no shutdown.
  kill -TERM ${command_pid:-} ${preparing:-} 2>/dev/null || true
  kill -QUIT ${postgres_pid:-} 2>/dev/null || true
  kill -KILL ${mariadb_pid:-} ${seaweed_pid:-} 2>/dev/null || true
  for child in ${preparing:-} ${postgres_pid:-} ${mariadb_pid:-} ${seaweed_pid:-}; do
    wait "$child" 2>/dev/null || true
  done
  # SeaweedFS puts a socket beside each of its ports, where nobody can tell it not to.
  for port in $(cat "$dir/seaweed.ports" 2>/dev/null); do
    rm -f /tmp/seaweedfs-*-"$port".sock
  done
  if [[ -n $keep_logs ]]; then
    rm -rf "$dir/postgres" "$dir/mariadb" "$dir/seaweed"
  else
    # A second attempt for files that an interrupted preparation was still writing.
    rm -rf "$dir" 2>/dev/null || { sleep 1 && rm -rf "$dir"; }
  fi
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail_with_logs() {
  keep_logs=yes
  echo "with-servers: $1 failed; the last lines of its log:" >&2
  tail -n 20 "$dir/$2" >&2
  fail "the logs are in $dir"
}

# Replaces the current (sub)shell by a program that runs as the servers' user, away from the terminal's
# signals, and that does not outlive this script.
become() {
  cd "$dir"
  exec setsid setpriv "${unprivileged[@]}" --pdeathsig QUIT "$@"
}

prepare_postgres() {
  # Names and messages as in English, whatever the environment says: the readiness check reads the log.
  become "$postgres/initdb" --pgdata "$dir/postgres" --username postgres --auth trust \
    --encoding UTF8 --locale C.UTF-8 --lc-messages C --no-sync
}

run_postgres() {
  become "$postgres/postgres" -D "$dir/postgres" -p "$1" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off
}

prepare_mariadb() {
  become mariadb-install-db --no-defaults --datadir="$dir/mariadb" --tmpdir="$dir" \
    --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve
}

run_mariadb() {
  become "$(command -v mariadbd)" --no-defaults --datadir="$dir/mariadb" --tmpdir="$dir" \
    --socket="$dir/mariadb.sock" --pid-file="$dir/mariadb.pid" \
    --bind-address=127.0.0.1 --port="$1" --skip-name-resolve --max-connections=300 \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --init-file="$dir/mariadb.sql"
}

# Its user need not change, and its program may lie where only the present user can enter. It would take no more
# writes on a disk of which less than a hundredth is free, however much that is.
run_seaweed() {
  local ports
  mapfile -t ports < <("$scripts/free-port.sh" 7)
  echo "$1" "${ports[@]}" >>"$dir/seaweed.ports"
  cd "$dir"
  exec setsid setpriv --pdeathsig KILL "$weed" -logtostderr server -dir="$dir/seaweed" \
    -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port="${ports[0]}" -master.port.grpc="${ports[1]}" \
    -volume.port="${ports[2]}" -volume.port.grpc="${ports[3]}" \
    -filer -filer.port="${ports[4]}" -filer.port.grpc="${ports[5]}" \
    -s3 -s3.port="$1" -s3.port.grpc="${ports[6]}" -s3.port.iceberg=0 -s3.port.lance=0 -s3.iam=false \
    -s3.config="$dir/seaweed.json" -master.telemetry=false -master.volumeSizeLimitMB=64 -volume.max=1000 \
    -volume.minFreeSpace=256MiB
}

# launch NAME READY: starts a server on a free port, on another one when that was taken meanwhile, and
# returns when its log says READY. Leaves `port` and `<NAME>_pid`.
launch() {
  local name=$1 ready=$2 pid
  local log=$dir/$name.log deadline=$((SECONDS + 60))
  for _ in 1 2 3; do
    port=$("$scripts/free-port.sh")
    : >"$log"
    "run_$name" "$port" >"$log" 2>&1 &
    pid=$!
    printf -v "${name}_pid" %s "$pid"
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
      if grep -q "$ready" "$log"; then return; fi
      sleep 0.05
    done
  done
  fail_with_logs "starting $name" "$name.log"
}

cat >"$dir/mariadb.sql" <<'SQL'
CREATE DATABASE aimo_test;
CREATE USER 'aimo'@'%' IDENTIFIED BY 'aimo';
GRANT ALL PRIVILEGES ON *.* TO 'aimo'@'%' WITH GRANT OPTION;
SQL
export TEST_S3_ACCESS_KEY_ID=test TEST_S3_SECRET_ACCESS_KEY=test-secret TEST_S3_BUCKET=aimo-test
cat >"$dir/seaweed.json" <<JSON
{"identities": [{"name": "tests", "actions": ["Admin"], "credentials":
  [{"accessKey": "$TEST_S3_ACCESS_KEY_ID", "secretKey": "$TEST_S3_SECRET_ACCESS_KEY"}]}]}
JSON
mkdir "$dir/seaweed"
if [[ ${#unprivileged[@]} -gt 0 ]]; then
  chown -R "$owner" "$dir"
  if ! setpriv "${unprivileged[@]}" test -w "$dir"; then
    fail "user $owner cannot reach $dir: set TMPDIR to a directory that everybody may enter"
  fi
fi

# Making the two empty installations is the slow part, so that is done side by side, and beside the start of
# the S3 server, which is as slow.
prepare_postgres >"$dir/postgres-prepare.log" 2>&1 &
preparing=$!
prepare_mariadb >"$dir/mariadb-prepare.log" 2>&1 &
preparing="$preparing $!"

launch seaweed 'Start Seaweed S3 API Server'
export TEST_S3_ENDPOINT="http://127.0.0.1:$port"
# It says so a little before it takes requests.
curl --silent --show-error --fail --retry 30 --retry-delay 1 --retry-all-errors --output "$dir/bucket.log" \
  --aws-sigv4 aws:amz:us-east-1:s3 --user "$TEST_S3_ACCESS_KEY_ID:$TEST_S3_SECRET_ACCESS_KEY" \
  --request PUT "$TEST_S3_ENDPOINT/$TEST_S3_BUCKET" || fail_with_logs "creating the bucket" seaweed.log

wait "${preparing% *}" || fail_with_logs "initdb" postgres-prepare.log
wait "${preparing#* }" || fail_with_logs "mariadb-install-db" mariadb-prepare.log
preparing=

# The single-user mode needs neither a port nor a client program.
(become "$postgres/postgres" --single -D "$dir/postgres" postgres) \
  <<<'CREATE DATABASE aimo_test' >"$dir/postgres-prepare.log" 2>&1 ||
  fail_with_logs "creating the PostgreSQL database" postgres-prepare.log

launch postgres 'database system is ready to accept connections'
export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/aimo_test"
launch mariadb 'ready for connections'
export TEST_MYSQL_URL="mysql://aimo:aimo@127.0.0.1:$port/aimo_test"

# In the background, because a signal to this script must not wait for the command. env gives back
# the interrupt key, which the shell takes from background commands.
env --default-signal=INT,QUIT "$@" <&0 &
command_pid=$!
status=0
wait "$command_pid" || status=$?
command_pid=
exit "$status"
