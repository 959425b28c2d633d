# shellcheck shell=bash
# What the scripts of this folder share. Source it after `set -euo pipefail`.
#
# Two rules hold here: the clusters and the PostgreSQL installation of the machine are never started, stopped or
# changed, and process substitution is not used, because it needs /proc and a bare chroot has none.

# Messages of the tools are read by these scripts, so they must not be translated; settings of the caller's shell
# must not reach the private cluster. What root writes here, the owner of the cluster reads.
export LC_ALL=C.UTF-8
umask 022
unset PGDATA PGHOSTADDR PGSERVICE PGSERVICEFILE PGPASSWORD PGPASSFILE PGOPTIONS PGSSLMODE PGTZ PGDATESTYLE

# Progress goes to stderr, results to stdout.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# Makes "$1" be called on every way out, signals included.
on_exit() {
  # shellcheck disable=SC2064  # the name is meant to be expanded now
  trap "$1" EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# Runs a command whose output matters only when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" > "$log" 2>&1 || status=$?
  if ((status)); then
    tail -n 40 "$log" >&2
    say "failed with status $status: $*"
  fi
  rm -f "$log"
  return "$status"
}

# --- Debian packages ---------------------------------------------------------------------------------------------

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null) == installed* ]]; }

apt() { quietly env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

apt_update() {
  [[ -z ${apt_updated:-} ]] || return 0
  say "reading package lists"
  apt update
  apt_updated=yes
}

# Installing postgresql-NN creates and starts a cluster of the system. A snippet that exists only while apt runs says
# no to that, and leaves the administrator's own createcluster.conf as it is.
apt_install() {
  local folder=/etc/postgresql-common/createcluster.d status=0
  local snippet=$folder/pg_vigil.conf
  mkdir -p "$folder"
  echo 'create_main_cluster = false' > "$snippet"
  apt install --no-install-recommends -o Dpkg::Options::=--force-confold "$@" || status=$?
  rm -f "$snippet"
  return "$status"
}

# Installs the packages among "$@" that are missing.
need_packages() {
  local package missing=()
  if ! command -v dpkg-query > /dev/null; then
    say "no dpkg on this machine; taken as present: $*"
    return 0
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ((EUID)); then
    die "packages are missing; as root: apt-get install --no-install-recommends ${missing[*]}"
  fi
  apt_update
  say "installing ${missing[*]}"
  apt_install "${missing[@]}"
}

# --- PostgreSQL --------------------------------------------------------------------------------------------------

newest_installed_major() {
  local server majors=""
  for server in /usr/lib/postgresql/*/bin/postgres; do
    [[ -x $server ]] || continue
    server=${server#/usr/lib/postgresql/}
    majors+="${server%%/*}"$'\n'
  done
  printf '%s' "$majors" | sort -n | tail -n 1
}

distribution_major() {
  apt-cache depends postgresql 2> /dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p'
}

config_major() { "$1" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'; }

# Sets PG_MAJOR: what the caller asked for by PG_CONFIG or PG_MAJOR, else the newest installed server, else the
# version of the distribution.
find_major() {
  if [[ -n ${PG_CONFIG:-} ]]; then
    PG_MAJOR=$(config_major "$PG_CONFIG")
  fi
  [[ -n ${PG_MAJOR:-} ]] || PG_MAJOR=$(newest_installed_major)
  if [[ -z $PG_MAJOR ]] && command -v apt-cache > /dev/null; then
    PG_MAJOR=$(distribution_major)
    if [[ -z $PG_MAJOR ]] && ((EUID == 0)); then
      apt_update
      PG_MAJOR=$(distribution_major)
    fi
  elif [[ -z $PG_MAJOR ]] && command -v pg_config > /dev/null; then
    PG_MAJOR=$(config_major pg_config)
  fi
  [[ -n $PG_MAJOR ]] || die "no PostgreSQL found; set PG_CONFIG to the pg_config of the server to use"
}

# Sets PG_CONFIG, once the packages are there.
find_config() {
  local debian=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
  [[ -z ${PG_CONFIG:-} ]] || return 0
  PG_CONFIG=pg_config
  [[ ! -x $debian ]] || PG_CONFIG=$debian
}

# PostgreSQL refuses to run as root; everybody else is the owner of the cluster already.
as_postgres_prefix=()
((EUID)) || as_postgres_prefix=(runuser -u postgres -- env HOME=/)

as_postgres() { "${as_postgres_prefix[@]}" "$@"; }

# Makes the folder "$1" such that the owner of the cluster can write it and others can read it.
make_folder() {
  mkdir -p "$1"
  chmod 755 "$1"
  ((EUID)) || chown postgres: "$1"
}

# Makes an installation of our own in the folder "$1" and lets PG_CONFIG point to it: the programs are copies, all
# else is links, because PostgreSQL finds its files relative to the program. So `make install` changes nothing that a
# running server of this machine may have open, and needs no rights.
private_postgres() {
  local prefix=$1 bindir program path option
  make_folder "$prefix"
  bindir=$("$PG_CONFIG" --bindir)
  as_postgres mkdir -p "$prefix$bindir"
  for program in "$bindir"/{postgres,initdb,psql,createdb,dropdb,createuser,vacuumdb,pgbench} "$bindir"/pg_*; do
    [[ ! -x $program ]] || as_postgres cp -L "$program" "$prefix$bindir"
  done
  for option in --sharedir --pkglibdir; do
    path=$("$PG_CONFIG" "$option")
    as_postgres mkdir -p "$prefix$path"
    as_postgres cp -rs "$path/." "$prefix$path"
    as_postgres find "$prefix$path" -name 'pg_vigil*' -delete
  done
  for option in --includedir --pkgincludedir --includedir-server; do
    path=$("$PG_CONFIG" "$option")
    [[ ! -e $prefix$path ]] || continue
    as_postgres mkdir -p "$prefix${path%/*}"
    as_postgres ln -s "$path" "$prefix$path"
  done
  PG_CONFIG=$prefix$bindir/pg_config
  [[ $("$PG_CONFIG" --pkglibdir) == "$prefix"* ]] || die "this PostgreSQL cannot be moved: $bindir"
}

# A socket's path has at most 107 bytes: a longer one goes through a short folder that "$1" then links to.
make_socket_folder() {
  local folder=$1 short
  [[ ! -d $folder ]] || return 0
  if ((${#folder} < 85)); then
    make_folder "$folder"
  else
    short=$(mktemp -d /tmp/vigil.XXXXXX)
    make_folder "$short"
    ln -sfn "$short" "$folder"
  fi
}

# start_cluster DIR [setting=value ...]: a throw-away cluster in DIR/data, its socket in DIR/socket, its log in
# DIR/log, without TCP unless the settings ask for it. Sets PGHOST, PGPORT, PGUSER and PGDATABASE for the clients.
start_cluster() {
  local dir=$1 bindir setting
  shift
  bindir=$("$PG_CONFIG" --bindir)
  make_folder "$dir"
  make_socket_folder "$dir/socket"
  PGHOST=$(readlink -f "$dir/socket") PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
  export PGHOST PGPORT PGUSER PGDATABASE
  {
    echo "unix_socket_directories = '$PGHOST'"
    echo "listen_addresses = ''"
    for setting in "$@"; do
      [[ ${setting%%=*} != port ]] || PGPORT=${setting#*=}
      printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
    done
  } > "$dir/settings.conf"
  if [[ ! -d $dir/data ]]; then
    quietly as_postgres "$bindir/initdb" -D "$dir/data" --auth=trust -U postgres --locale=C.UTF-8 -E UTF8 --no-sync
    echo "include '$dir/settings.conf'" | as_postgres tee -a "$dir/data/postgresql.conf" > /dev/null
  fi
  if ! as_postgres "$bindir/pg_ctl" start -s -w -t 60 -D "$dir/data" -l "$dir/log" > /dev/null; then
    tail -n 40 "$dir/log" >&2 || true
    die "the private cluster in $dir does not start"
  fi
}

# Stops the cluster in exactly this folder, if it runs; safe to call twice and for a cluster never started.
stop_cluster() {
  local dir=$1 short
  if [[ -s $dir/data/postmaster.pid ]]; then
    as_postgres "$("$PG_CONFIG" --bindir)/pg_ctl" stop -s -w -m fast -D "$dir/data" > /dev/null 2>&1 || true
  fi
  if [[ -L $dir/socket ]]; then
    short=$(readlink "$dir/socket")
    rm -f "$dir/socket"
    rmdir "$short" 2> /dev/null || true
  fi
}

# --- The source tree ---------------------------------------------------------------------------------------------

# The files of the tree "$1", each followed by a zero byte: what git knows or would add, or, without git, all that
# does not look like a product of a build.
list_sources() {
  local file
  if [[ -e $1/.git ]] && command -v git > /dev/null; then
    # The clone may belong to somebody else than who runs this, which git refuses by default.
    git -c safe.directory="$1" -C "$1" ls-files -z --cached --others --exclude-standard --deduplicate |
      while IFS= read -r -d '' file; do
        [[ ! -e $1/$file ]] || printf '%s\0' "$file"
      done
  else
    (cd "$1" && find . \( -name .git -o -path './build*' -o -path './tmp_check*' -o -path ./results -o -path ./log \
      -o -path ./output_iso -o -path ./.demo \) -prune -o \( -type f -o -type l \) \
      ! -name '*.o' ! -name '*.so' ! -name '*.d' ! -name 'pg_vigil--*.sql' -print0)
  fi
}

# Copies the tree "$1" into the folder "$2", owned by who runs the cluster.
copy_sources() {
  make_folder "$2"
  list_sources "$1" | tar -C "$1" --null --no-recursion -T - -cf - | as_postgres tar -C "$2" -xf -
}
