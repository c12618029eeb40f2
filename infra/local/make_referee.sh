#!/bin/sh
# Make .venv-referee with Microsoft's own worker library, which exists for Python 3.13 and later only. Without such a
# Python, the tests that need it are skipped by name.
set -eu
done=.venv-referee/.installed
[ ! -e "$done" ] || [ requirements.txt -nt "$done" ] || exit 0
python=""
for one in python3.13 python3.14 "$HOME"/.pyenv/versions/3.13*/bin/python; do
    if command -v "$one" >/dev/null && "$one" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then
        python="$one"
        break
    fi
done
if [ -z "$python" ]; then
    echo "missing, so that its tests are skipped: Python 3.13 (Microsoft's worker library wants it)"
    exit 0
fi
echo "installing Microsoft's worker library into .venv-referee"
rm -rf .venv-referee
"$python" -m venv .venv-referee
.venv-referee/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt azure-functions-runtime==1.3.0
touch "$done"
