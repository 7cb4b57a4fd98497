# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the built module is allowed to be: small, few libraries, PAM's own names, nothing global."""

import re
import subprocess

import pytest

import support
from support import MODULE

released = pytest.mark.skipif(support.INSTRUMENTED, reason="a sanitizer or coverage adds its own")


def tool(*command):
    return subprocess.run([*command, str(MODULE)], capture_output=True, text=True, check=True).stdout


@released
def test_libraries():
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", tool("readelf", "--dynamic", "--wide")))
    assert needed == {"libpam.so.0", "libsystemd.so.0", "libc.so.6"}


def test_exported_names():
    names = {line.split()[-1] for line in tool("nm", "--dynamic", "--defined-only").splitlines()}
    assert names == {
        f"pam_sm_{name}" for name in "authenticate setcred acct_mgmt open_session close_session".split()
    }


@released
def test_size(folder):
    stripped = folder / "stripped.so"
    subprocess.run(["strip", "-o", stripped, MODULE], check=True)
    assert stripped.stat().st_size <= 64 * 1024


@released
def test_nothing_process_global():
    """No writable data of our own, no environment, threads, handlers, locale, umask, chdir, shell, exit."""
    lines = tool("nm", "--dynamic", "--undefined-only").splitlines()
    used = {line.split()[-1].split("@")[0] for line in lines}
    forbidden = """getenv secure_getenv setenv putenv pthread_create signal setlocale uselocale umask chdir
        fork vfork execve execvp posix_spawn system popen exit _exit abort alarm setitimer syslog openlog
        printf puts srand rand strtok getpwnam getpwuid getaddrinfo gethostbyname sd_bus_open_system
        sd_bus_default_system sd_event_new""".split()
    assert used & set(forbidden) == set()
    objects = re.findall(r"^\S+ +(?:l|g) +O \.(?:bss|data)\t.* (\S+)$", tool("objdump", "--syms"), re.M)
    assert set(objects) <= {"completed.0", "__dso_handle", "__TMC_END__"}  # the compiler's own


def test_one_line_yields_success():
    sources = [path.read_text() for path in (support.TOP / "pam_peerauth").glob("*.c")]
    assert sum(len(re.findall(r"(?:return|=)\s*PAM_SUCCESS\s*;", text)) for text in sources) == 1


def test_unloading_is_possible():
    """A static destructor or NODELETE would keep a thousand copies of nothing."""
    assert "NODELETE" not in tool("readelf", "--dynamic", "--wide")
