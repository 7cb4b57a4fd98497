#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The first thing that runs inside the booted host: takes over the caller's command line and pipes,
# runs the script, leaves its exit status and powers the host off. A script that reboots the host
# is run again, with HOST_BOOT=2, and finds the files as it left them.
set -u
io=/run/peerauth-host

echo >>"$io/boots"
mapfile -d '' -t command <"$io/command"
mapfile -d '' -t environment <"$io/environment"
environment+=("HOST_BOOT=$(wc -l <"$io/boots")")
cd "$(<"$io/cwd")" 2>/dev/null || cd /
# Our own error output is dropped: bash would add "Killed" to that of a script that a signal ended.
if [[ -p $io/out ]]; then exec >"$io/out" 3>"$io/err" 2>/dev/null; else exec 3>&2; fi
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root \
    LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 "${environment[@]}" "${command[@]}" 2>&3 3>&-
echo "$?" >"$io/status.new"
mv "$io/status.new" "$io/status"
systemctl --force --force poweroff
