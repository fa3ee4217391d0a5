# shellcheck shell=bash
# Sourced, not run: where the database servers of the tests are installed.

# Some systems keep servers off the PATH of ordinary users.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Prints the directory that holds initdb and postgres, or nothing: of the PATH first, else the newest
# of Debian's.
postgres_bin() {
  local dirs=() dir
  if command -v initdb >/dev/null; then
    dirs+=("$(dirname "$(readlink -f "$(command -v initdb)")")")
  fi
  mapfile -t -O "${#dirs[@]}" dirs < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV)
  for dir in "${dirs[@]}"; do
    if [[ -x $dir/initdb && -x $dir/postgres ]]; then
      echo "$dir"
      return
    fi
  done
}

# Prints the programs of MariaDB that are not there. mariadb-install-db calls my_print_defaults.
missing_mariadb() {
  local program
  for program in mariadbd mariadb-install-db my_print_defaults; do
    command -v "$program" >/dev/null || echo "$program"
  done
}
