#!/bin/sh
# Make .venv with the Python named in $1 and install what is pinned. One clear line when something is missing.
set -eu
python="$1"

version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || {
    echo "make: '$python' does not run: install Python 3.11 or newer, or say PYTHON=/path/to/python3" >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make: '$python' is Python $version; 3.11 or newer is needed: say PYTHON=/path/to/a/newer/python3" >&2
    exit 1
}
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
        echo "make: this Python cannot make virtual environments: apt-get install python$version-venv" >&2
        exit 1
    }
    rm -rf .venv
    "$python" -m venv .venv
fi
echo "installing what requirements-dev.txt pins into .venv"
exec .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
