#!/usr/bin/env bash
# Makes sure that the tools exist which the tests and the deployment need.
#
#   setup.sh           everything below
#   setup.sh servers   PostgreSQL and MariaDB, the programs, and curl
#   setup.sh python    the pinned Python tools of requirements.txt (an S3 server among them), in a virtual
#                      environment
#   setup.sh path      prints the programs' directory of that environment; installs nothing
#
# System packages are installed only by root and only with apt-get; anyone else is told what is missing.
# It refuses to start a database service: the tests run private servers (with-servers.sh).
set -euo pipefail
cd "$(dirname "$0")"
source ./find-servers.sh

cache=${AIMO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aimo}
venv=$cache/venv-$(sha256sum requirements.txt | cut -c1-12)

# One word per missing Debian package.
missing_packages() {
  case $1 in
    servers)
      [[ -n $(postgres_bin) ]] || echo postgresql
      # The core packages hold the programs only: no service, no system database.
      [[ -z $(missing_mariadb) ]] || echo mariadb-server-core mariadb-client-core
      command -v curl >/dev/null || echo curl
      command -v python3 >/dev/null || echo python3
      ;;
    python)
      python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
      ;;
  esac
}

# Installs Debian packages. While it runs, policy-rc.d (Debian's switch for this) forbids their
# scripts to start services; afterwards the service of a new PostgreSQL is kept from starting at boot.
install_packages() {
  local apt=(apt-get -y -q -o DPkg::Lock::Timeout=300)
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${apt[@]}" update
  "${apt[@]}" install --no-install-recommends "$@"
  if [[ " $* " == *" postgresql "* ]] && command -v systemctl >/dev/null; then
    systemctl disable --quiet postgresql || true
  fi
}

ensure_packages() {
  local missing
  missing=$(missing_packages "$1" | xargs)
  [[ -n $missing ]] || return 0
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    cat >&2 <<MESSAGE
setup: missing: $missing (names of the Debian packages)
setup: install them with your package manager, for example
setup:     sudo apt-get install --no-install-recommends $missing
setup: No service needs to run: the tests start private servers from these programs.
MESSAGE
    exit 1
  fi
  echo "setup: installing $missing"
  # shellcheck disable=SC2086 # one argument per package
  install_packages $missing
  missing=$(missing_packages "$1" | xargs)
  if [[ -n $missing ]]; then
    echo "setup: still missing after installation: $missing" >&2
    exit 1
  fi
}

# The stamp is written last, so that an interrupted installation is done again.
ensure_venv() {
  if [[ -e $venv/.complete ]] && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  ensure_packages python
  echo "setup: installing the Python tools into $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
  touch "$venv/.complete"
}

mode=${1:-all}
case $mode in
  all | servers | python) ;;
  path)
    echo "$venv/bin"
    exit
    ;;
  *)
    echo "usage: $0 [servers|python|path]" >&2
    exit 64
    ;;
esac

# Two runs at once take turns; the second finds everything done.
mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock 9

if [[ $mode != python ]]; then ensure_packages servers; fi
if [[ $mode != servers ]]; then ensure_venv; fi
