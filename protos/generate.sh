#!/usr/bin/env bash
# Writes gen/ from protos/: the only way its files come to be.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-gen}"
mkdir -p "$out"
rm -rf "${out:?}/kindred"
"${PYTHON:-.venv/bin/python}" -m grpc_tools.protoc -Iprotos \
  --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" \
  $(cd protos && find kindred -name '*.proto' | sort)
mkdir -p "$out/kindred/taxonomy"
cp protos/kindred/taxonomy/*.json "$out/kindred/taxonomy/"
find "$out/kindred" -type d -exec touch {}/__init__.py \;
