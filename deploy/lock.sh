#!/usr/bin/env bash
# Renews requirements/{runtime,local,dev,providers}.txt from the .in files, for Python 3.11 and newer, with hashes and
# without naming any package index.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check uv
for set in runtime local dev providers; do
  constraints=()
  # The far sides of `make providers` have an environment of their own.
  [ "$set" = runtime ] || [ "$set" = providers ] || constraints=(--constraints requirements/runtime.txt)
  "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@" \
    "${constraints[@]}" -o "requirements/$set.txt" "requirements/$set.in"
done
