#!/usr/bin/env bash
# Builds the image twice without a cache and fails unless both are the same, bit for bit.  Needs buildah; no daemon.
# BUILDAH="buildah --storage-driver vfs" where its storage is elsewhere, IMAGE_ARGS="--build-arg PYTHON_IMAGE=..." .
set -euo pipefail
cd "$(dirname "$0")/.."

built() {
  ${BUILDAH:-buildah} build --quiet --isolation chroot --no-cache --timestamp 1 ${IMAGE_ARGS:-} \
    -f deploy/Dockerfile -t "kindred:$1" .
}

one="$(built latest)"
another="$(built again)"
echo "built: $one"
[ "$one" = "$another" ] || { echo "built again: $another; the same sources must make the same image" >&2; exit 1; }
echo "built again: the same, bit for bit"
