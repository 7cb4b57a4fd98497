#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The inside of the namespaces that tests/host/run made, where this is process 1: prepares the root,
# boots it, passes the output on, and watches the clock. It needs no cleaning up of its own: mounts
# and processes end with the namespaces.
set -euo pipefail

# A place that no other process of the machine can see. All of /run is ours: systemd-nspawn leaves
# files there.
work=/run/peerauth-host
root=$work/root
io=$work/io

# shellcheck source-path=SCRIPTDIR source=root.sh
source "$HOST_DIR/root.sh"

die() {
    local status=$1
    shift
    printf 'tests/host/run: %s\n' "$*" >&2
    exit "$status"
}

show_journal() {
    journalctl --directory "$root/var/log/journal" --no-pager --quiet "$@" 2>/dev/null || true
}

# The job's command line, environment and pipes; job.sh reads them on the other side.
prepare_job() {
    local name
    mkdir -p "$io"
    cp "$HOST_DIR/job.sh" "$io/"
    printf '%s\0' "$@" >"$io/command"
    pwd >"$io/cwd"
    for name in TERM COLUMNS LINES NO_COLOR "${!HOST_@}"; do
        [[ -z ${!name-} ]] || printf '%s=%s\0' "$name" "${!name}"
    done >"$io/environment"
    [[ $HOST_TERMINAL -eq 0 ]] || return 0
    mkfifo "$io/out"
    # One pipe where the caller has one, or the order of the lines would be lost.
    if [[ /dev/fd/1 -ef /dev/fd/2 ]]; then ln -s out "$io/err"; else mkfifo "$io/err"; fi
}

# Starts passing the output on. We hold the pipes open too, so that the readers outlive a reboot of
# the host, and end when we let go.
pass_output() {
    readers=() held=()
    [[ $HOST_TERMINAL -eq 0 ]] || return 0
    exec {hold_out}<>"$io/out" {hold_err}<>"$io/err"
    held=("$hold_out" "$hold_err")
    cat "$io/out" {hold_out}>&- {hold_err}>&- &
    readers+=("$!")
    [[ ! -L $io/err ]] || return 0
    cat "$io/err" >&2 {hold_out}>&- {hold_err}>&- &
    readers+=("$!")
}

let_go() {
    local fd
    for fd in "${held[@]}"; do exec {fd}>&-; done
    [[ ${#readers[@]} -eq 0 ]] || wait "${readers[@]}" || true
}

prepare_boot() {
    # The limit is lowered again after the capability to raise it is gone; dbus-daemon wants 65536.
    ulimit -Hn 524288 2>/dev/null || true
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    options=(--quiet --boot --register=no --keep-unit --link-journal=no --private-network
        --settings=no --resolv-conf=off --timezone=off --hostname=workstation
        --machine="peerauth-host" --directory="$root" --bind="$io:/run/peerauth-host"
        --rlimit=RLIMIT_NOFILE=1024:524288 "${binds[@]}")
    [[ -z $HOST_OUTPUT ]] || options+=(--bind="$(escape "$HOST_OUTPUT")")
}

boot() {
    local kernel=(systemd.unit=peerauth-host.target systemd.show_status=no)
    if [[ $HOST_TERMINAL -eq 1 ]]; then
        kernel+=(systemd.log_level=warning)
        systemd-nspawn "${options[@]}" --console=interactive "${kernel[@]}" <&0 &
    else
        systemd-nspawn "${options[@]}" --console=pipe "${kernel[@]}" \
            </dev/null >>"$work/console" 2>&1 {hold_out}>&- {hold_err}>&- &
    fi
    nspawn=$!
}

# Sets outcome to "ended" or "timeout".
run_until_end() {
    local timer='' ended status
    if [[ $HOST_TIMEOUT -gt 0 ]]; then
        sleep "$HOST_TIMEOUT" {hold_out}>&- {hold_err}>&- &
        timer=$!
    fi
    while :; do
        boot
        status=0
        # shellcheck disable=SC2086  # no timer is no word
        wait -n -p ended "$nspawn" $timer || status=$?
        # With --keep-unit systemd-nspawn leaves a reboot to its caller, and says so by 133.
        [[ $ended == "$nspawn" && $status -eq 133 ]] || break
    done
    outcome=timeout
    [[ $ended != "$nspawn" ]] || outcome=ended
}

finish() {
    local status
    if [[ $outcome == timeout ]]; then
        printf '\n' >&2
        show_journal --lines=40 >&2
        die 124 "'${1##*/}' did not end within $HOST_TIMEOUT s; the host's last messages are above"
    fi
    let_go
    if [[ ! -s $io/status ]]; then
        show_journal --lines=40 >&2
        tail -n 20 "$work/console" >&2 2>/dev/null || true
        die 125 "the host ended before '${1##*/}' did; its last messages are above"
    fi
    read -r status <"$io/status"
    exit "$status"
}

save_journal() {
    [[ -z $HOST_JOURNAL ]] || show_journal --output=short-precise >"$HOST_JOURNAL"
}

main() {
    binds=()
    make_root
    provide_sources "$1"
    quiet_machine
    install_job
    install_build
    prepare_job "$@"
    pass_output
    prepare_boot
    run_until_end
    save_journal
    finish "$@"
}

main "$@"
