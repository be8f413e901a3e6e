#!/usr/bin/env bash
# Makes the virtual environment this checkout needs: deploy/bootstrap.sh {run|dev|check|monitoring|faults|providers}
#   run    what `make up` and `make demo` need: the services, a real mongod, a real SMTP server, RabbitMQ
#   dev    and what `make test` needs
#   monitoring  a Prometheus, for `make monitoring`
#   faults      a library that shifts the clock of one process, for `make faults`
#   providers   other people's key services and sign-in service, apart from ours, for `make providers`
#   check  and what `make check` needs: buf, by npm
# Quick when nothing changed.  As root on Debian or Ubuntu it installs missing packages; as an ordinary user
# it says exactly which are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted="${1:-run}"
venv="${KINDRED_VENV:-.venv}"

say() { printf '%s\n' "$*" >&2; }
stop() { say ""; say "Cannot go on: $1"; say "What to do: $2"; exit 1; }

apt_updated=""
# need PACKAGE... : installs them as root on a Debian-like system, else says what to install.
need() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing $* (apt-get) ..."
    if [ -z "$apt_updated" ]; then
      apt-get update -qq >&2 || stop "apt-get update failed." "Check this machine's package sources, then run make again."
      apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
      stop "apt-get could not install $*." "Install $* by hand, then run make again."
  else
    stop "$* missing, and only root may install packages." "sudo apt-get update && sudo apt-get install -y $*"
  fi
}

usable() {
  command -v "$1" >/dev/null && "$1" - >/dev/null 2>&1 <<'PY'
import sys
assert sys.version_info >= (3, 11)
import ensurepip, venv
PY
}

find_python() {
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    if usable "$name"; then command -v "$name"; return; fi
  done
  return 1
}

make_venv() {
  [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null && return
  python="$(find_python)" || { need python3 python3-venv; python="$(find_python)"; } ||
    stop "No Python 3.11 or newer with venv was found." "Install Python 3.11+ (Debian 12, Ubuntu 24.04 have it), or set PYTHON=/path/to/python3."
  say "Making $venv with $("$python" --version) ..."
  "$python" -m venv --clear "$venv"
}

# What decides whether the environment is the wanted one.
fingerprint() {
  { cat "$@" pyproject.toml deploy/bootstrap.sh; "$venv/bin/python" --version; pwd; } | sha256sum | cut -d' ' -f1
}

install_locked() {
  local stamp="$venv/.kindred-$1"; shift
  local now; now="$(fingerprint "$@")"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] && return
  say "Installing the locked requirements ($*) ..."
  local args=(); for lock in "$@"; do args+=(-r "$lock"); done
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes "${args[@]}" ||
    stop "pip could not install the locked requirements." "Check the connection to the package index (pip config list), then run make again."
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ||
    stop "the project itself could not be installed." "Read pip's message above; pyproject.toml may be broken."
  printf '%s\n' "$now" > "$stamp"
}

need_rabbitmq() {
  [ -n "${AMQP_URI:-}" ] && return
  [ -n "${RABBITMQ_HOME:-}" ] && [ -e "$RABBITMQ_HOME/sbin/rabbitmq-server" ] && return
  compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server' >/dev/null && return
  need rabbitmq-server
}

need_buf() {
  local stamp=node_modules/.kindred now
  now="$(sha256sum package-lock.json | cut -d' ' -f1)"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] && return
  command -v npm >/dev/null || need npm
  say "Installing buf (npm ci) ..."
  npm ci --loglevel=error --no-fund --no-audit >&2 ||
    stop "npm could not install buf." "Check the connection to the npm registry, then run make check again."
  printf '%s\n' "$now" > "$stamp"
}

if [ "$wanted" = monitoring ]; then  # nothing of ours: only the Prometheus of the system
  command -v promtool >/dev/null && command -v prometheus >/dev/null || need prometheus
  exit 0
fi
if [ "$wanted" = faults ]; then  # where it cannot be had, the tests of wrong clocks are skipped and say so
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || { [ "$(id -u)" = 0 ] && need libfaketime; } ||
    say "Without libfaketime (apt-get install libfaketime) the tests of wrong clocks are skipped."
  exit 0
fi

# Programs of other people, each where it can import nothing of ours: $venv/providers, and node_modules beside the tests.
install_providers() {
  local theirs="$venv/providers" stamp="$venv/.kindred-providers" now
  now="$(sha256sum requirements/providers.txt | cut -d' ' -f1)"
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$now" ] || [ ! -x "$theirs/bin/python" ]; then
    say "Installing the key services (requirements/providers.txt) ..."
    "$venv/bin/python" -m venv --clear "$theirs"
    "$theirs/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
      -r requirements/providers.txt ||
      stop "pip could not install the key services." "Check the connection to the package index (pip config list)."
    printf '%s\n' "$now" > "$stamp"
  fi
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "Without node and npm the OpenID provider that is not ours is not tried."
    return
  fi
  local lock=tests/providers/openid/package-lock.json installed=tests/providers/openid/node_modules/.kindred
  now="$(sha256sum "$lock" | cut -d' ' -f1)"
  [ -f "$installed" ] && [ "$(cat "$installed")" = "$now" ] && return
  say "Installing the OpenID provider (npm ci) ..."
  npm ci --prefix tests/providers/openid --loglevel=error --no-fund --no-audit >&2 ||
    stop "npm could not install the OpenID provider." "Check the connection to the npm registry."
  printf '%s\n' "$now" > "$installed"
}

make_venv
case "$wanted" in
  run)   install_locked run requirements/runtime.txt requirements/local.txt; need_rabbitmq ;;
  dev)   install_locked dev requirements/dev.txt; need_rabbitmq ;;
  check) install_locked dev requirements/dev.txt; need_buf ;;
  providers) install_locked dev requirements/dev.txt; install_providers ;;
  *)     stop "deploy/bootstrap.sh does not know '$wanted'." "Use run, dev, check or providers." ;;
esac
