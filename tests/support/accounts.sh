# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the runners of tests/bus, tests/pam and tests/desktop: accounts that exist in one process tree only,
# and reading what pytest says at its end. It must never write to the machine's own files.

# The rest of a suite that cannot run.
only_root() {
    [[ $EUID -eq 0 ]] && return
    echo "$1: skipped, because only root can give the programs accounts of their own"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

# Copies of the machine's accounts in folder $1, with ours behind them. A suite adds its own, and then binds them.
make_accounts() {
    cp /etc/passwd /etc/group "$1"
    # ally is another name of alice's uid.
    cat >>"$1/passwd" <<'ACCOUNTS'
peerauth:x:64100:64100::/nonexistent:/usr/sbin/nologin
alice:x:64101:64101::/nonexistent:/bin/sh
bob:x:64102:64102::/nonexistent:/bin/sh
carol:x:64103:64103::/nonexistent:/bin/sh
dave:x:64104:64104::/nonexistent:/bin/sh
erin:x:64105:64105::/nonexistent:/bin/sh
mallory:x:64106:64106::/nonexistent:/bin/sh
frank:x:64108:64108::/nonexistent:/bin/sh
ally:x:64101:64101::/nonexistent:/bin/sh
ACCOUNTS
    cat >>"$1/group" <<'GROUPS'
peerauth:x:64100:
alice:x:64101:
GROUPS
}

# Only in a mount namespace of the suite's own.
bind_accounts() {
    mount --bind "$1/passwd" /etc/passwd
    mount --bind "$1/group" /etc/group
}

# The number in front of word $2 (passed, failed, error, skipped) in the last line of pytest's report $1.
count() { tail -n 1 "$1" | grep -oE "[0-9]+ $2" | grep -oE '^[0-9]+' || echo 0; }
