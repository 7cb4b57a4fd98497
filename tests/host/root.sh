# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the root of the disposable host; sourced by boot.sh inside its namespaces. The lower layer is
# the machine as it is; everything here only writes to the upper one, which is memory.
# shellcheck disable=SC2154  # root, work, io, binds belong to boot.sh

# Folders that machines keep on file systems of their own; an overlay does not see into those.
separate=(/usr /usr/local /etc /opt /root /var /var/lib)

escape() {
    printf '%s' "${1//:/\\:}"
}

# overlay NAME LOWER TARGET: throw-away writes over LOWER.
overlay() {
    local layer=$work/layers/$1
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay "peerauth-host" "$3" \
        -o "lowerdir=$(escape "$2"),upperdir=$layer/upper,workdir=$layer/work" 2>"$work/overlay.log"
}

make_root() {
    local folder
    mount -t tmpfs -o mode=0755,size=90% peerauth-host /run
    mkdir -p "$root" "$work/lower"
    case ${HOST_LOWER:-overlay} in
        copy) copy_root && return ;;
        overlay) ;;
        *) die 2 "HOST_LOWER is overlay or copy, not '$HOST_LOWER'" ;;
    esac
    # Some kernels want a mount of its own for a lower layer that is an overlay itself.
    if ! overlay root / "$root"; then
        mount --bind / "$work/lower"
        overlay root "$work/lower" "$root" ||
            die 77 "no overlay of / on this kernel ($(sed -n 1p "$work/overlay.log"));" \
                "HOST_LOWER=copy copies the root instead (slow, some GB below /var/tmp)"
    fi
    for folder in "${separate[@]}"; do
        mountpoint -q "$folder" || continue
        overlay "${folder//\//_}" "$folder" "$root$folder" || die 77 "no overlay of $folder on this kernel"
    done
}

# For kernels that cannot stack one more overlay: only what a host needs to boot.
copy_root() {
    local part parts=()
    root=$HOST_SCRATCH
    for part in etc usr var bin sbin lib lib32 lib64 libx32; do
        [[ ! -e /$part ]] || parts+=("$part")
    done
    tar --create --directory=/ --exclude=var/{cache,tmp,log,spool} --exclude=usr/local --exclude=usr/src \
        --exclude=usr/share/{doc,man,locale,help} "${parts[@]}" 2>/dev/null |
        tar --extract --directory="$root" --preserve-permissions
    mkdir -p "$root"/{proc,sys,dev,run,tmp,mnt,home,opt,root,var/{cache,log,spool,tmp},usr/local}
    chmod 0755 "$root"
    chmod 1777 "$root/tmp" "$root/var/tmp"
}

# The host mounts its own /tmp, /run and /dev, and file systems below / do not come along: what lies
# there of the checkout and the script is bound in, the checkout behind an overlay where possible.
provide_sources() {
    local layer=$work/source
    if [[ ! -e $root$HOST_SOURCE/tests/host/run || $HOST_SOURCE == /@(tmp|run|dev)/* ]]; then
        mkdir -p "$layer"
        overlay source "$HOST_SOURCE" "$layer" || mount --bind "$HOST_SOURCE" "$layer"
        binds+=(--bind="$layer:$(escape "$HOST_SOURCE")")
    fi
    [[ $1 == "$HOST_SOURCE"/* || $1 == /usr/* ]] || binds+=(--bind-ro="$(escape "$1")")
}

# Nothing that the machine's administrator enabled runs in the host, and no name service outside it
# is asked: the boot is quick and the same everywhere.
quiet_machine() {
    local etc=$root/etc
    rm -rf "$etc"/systemd/{system,user}/*.{wants,requires} "$etc"/rc?.d/* "$root/var/log/journal" \
        "$etc/nologin" "$root/run/nologin" "$etc/environment" "$etc/systemd/system/default.target"
    mkdir -p "$etc"/systemd/{system,user,journald.conf.d,system.conf.d} "$root/var/log/journal"
    systemd-id128 new >"$etc/machine-id"
    printf 'workstation\n' >"$etc/hostname"
    printf '127.0.0.1 localhost workstation\n::1 localhost\n' >"$etc/hosts"
    printf '%s\n' 'passwd: files systemd' 'group: files systemd' 'shadow: files' 'gshadow: files' \
        'hosts: files' >"$etc/nsswitch.conf"
    : >"$etc/fstab"
    : >"$etc/environment"
    printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\nForwardToWall=no\nAudit=no\n' \
        >"$etc/systemd/journald.conf.d/99-peerauth-host.conf"
    printf '[Manager]\nDefaultTimeoutStopSec=10s\nDefaultTimeoutStartSec=30s\n' \
        >"$etc/systemd/system.conf.d/99-peerauth-host.conf"
    mask console-getty.service getty@tty1.service systemd-firstboot.service systemd-udevd.service \
        systemd-networkd.socket systemd-tmpfiles-clean.timer systemd-modules-load.service \
        proc-sys-fs-binfmt_misc.automount postgresql.service
}

mask() {
    local unit
    for unit; do ln -sfn /dev/null "$root/etc/systemd/system/$unit"; done
}

# The unit that runs the script once the host is up. Its end is the end of the host.
install_job() {
    local units=$root/etc/systemd/system terminal=StandardInput=null
    [[ $HOST_TERMINAL -eq 0 ]] ||
        terminal=$'StandardInput=tty-force\nStandardOutput=tty\nStandardError=tty\nTTYPath=/dev/console'
    printf '[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\nWants=peerauth-host.service\n' \
        >"$units/peerauth-host.target"
    cat >"$units/peerauth-host.service" <<END
[Unit]
Description=The script of this disposable host
After=multi-user.target
FailureAction=poweroff-immediate
[Service]
Type=exec
ExecStart=/bin/bash /run/peerauth-host/job.sh
$terminal
TasksMax=infinity
END
}

# The same steps as an administrator's: install, accounts, enable.
install_build() {
    [[ $HOST_INSTALL -ne 0 ]] || return 0
    make_install "$HOST_VARIANT" "$root"
    [[ $HOST_VARIANT != asan && $HOST_VARIANT != tsan ]] || fit_sanitizer
    systemd-sysusers --root="$root" peerauth.conf 2>"$work/install.log" ||
        die 125 "the accounts could not be made: $(tail -n 1 "$work/install.log")"
    systemctl --quiet --root="$root" enable peerauth-broker.service
    systemctl --quiet --root="$root" --global enable peerauth-notifier.service
    touch -r "$root/usr" "$root/etc/.updated" "$root/var/.updated"
}

make_install() {
    # Two hosts that start together must not both compile what is out of date.
    if ! flock "$HOST_SOURCE/Makefile" make -C "$HOST_SOURCE" --no-print-directory install \
        VARIANT="$1" DESTDIR="$2" prefix=/usr >"$work/install.log" 2>&1 </dev/null; then
        tail -n 30 "$work/install.log" >&2
        die 125 "make install VARIANT=$1 failed; its last lines are above"
    fi
}

# sshd and sudo cannot load a module that was built for a sanitizer, and the sanitizers need some of
# what the unit forbids: the module is the released one, and the unit is opened a little.
fit_sanitizer() {
    local module unit=$root/etc/systemd/system/peerauth-broker.service.d
    make_install release "$work/release"
    module=$(cd "$work/release" && find . -name pam_peerauth.so)
    cp "$work/release/$module" "$root/$module"
    mkdir -p "$unit"
    printf '%s\n' '[Service]' 'SystemCallFilter=' 'MemoryDenyWriteExecute=no' 'MemoryMax=infinity' \
        'Environment=ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:log_path=stderr' \
        'Environment=UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1' >"$unit/sanitizer.conf"
}
