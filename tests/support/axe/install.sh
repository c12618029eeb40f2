#!/bin/sh
# Install axe-core as package-lock.json pins it; nothing to do where it is there already.
set -eu
cd "$(dirname "$0")"
installed=node_modules/.installed
[ -e "$installed" ] && [ "$installed" -nt package-lock.json ] && exit 0
echo "installing axe-core into tests/support/axe/node_modules"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
touch "$installed"
