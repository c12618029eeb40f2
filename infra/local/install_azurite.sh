#!/bin/sh
# Install Azurite as package-lock.json pins it. One clear line when Node is missing or too old.
set -eu
for tool in node npm; do
    command -v "$tool" >/dev/null || {
        echo "make: $tool is missing (Azurite needs Node 18 or newer): apt-get install nodejs npm" >&2
        exit 1
    }
done
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || {
    echo "make: Node $(node --version) is too old: Azurite needs 18 or newer" >&2
    exit 1
}
echo "installing Azurite into infra/local/node_modules"
cd infra/local
exec npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
