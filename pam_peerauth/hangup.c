/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds the login's connection among the descriptors that this process inherited: the one whose peer is
 * PAM_RHOST. If PAM_RHOST is a host name, nothing is looked up (a resolver can hang): then the process
 * must have TCP connections to one address only, or none is believed to be the login's.
 */
#include "pam_peerauth/hangup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "pam_peerauth/process.h"

/* IPv4 as IPv4-mapped, so that both spellings of an address compare equal. */
static struct in6_addr map_ipv4(struct in_addr v4) {
        struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

        memcpy(&address.s6_addr[12], &v4, sizeof(v4));
        return address;
}

static bool parse_address(const char *text, struct in6_addr *ret) {
        struct in_addr v4;

        if (inet_pton(AF_INET, text, &v4) == 1) {
                *ret = map_ipv4(v4);
                return true;
        }
        return inet_pton(AF_INET6, text, ret) == 1;
}

/* Whether fd is a connected TCP socket, and to whom. */
static bool peer_address(int fd, struct in6_addr *ret) {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } peer = {0};
        socklen_t size = sizeof(peer), type_size = sizeof(int);
        int type;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0 || type != SOCK_STREAM ||
            getpeername(fd, &peer.any, &size) < 0)
                return false;
        if (peer.any.sa_family == AF_INET)
                *ret = map_ipv4(peer.v4.sin_addr);
        else if (peer.any.sa_family == AF_INET6)
                *ret = peer.v6.sin6_addr;
        else
                return false;
        return true;
}

/* The descriptor numbers of this process; -1 at the end. "." and ".." are passed over. */
static int next_fd(DIR *dir) {
        for (struct dirent *entry; (entry = readdir(dir));) {
                char *end;
                long fd = strtol(entry->d_name, &end, 10);

                if (end != entry->d_name && *end == '\0' && fd != dirfd(dir))
                        return (int)fd;
        }
        return -1;
}

static int find_socket(const char *rhost) {
        _cleanup_closedir_ DIR *dir = NULL;
        struct in6_addr wanted, peer;
        bool numeric = parse_address(rhost, &wanted);
        int found = -1;

        dir = opendir("/proc/self/fd");
        if (!dir)
                return -1;
        for (int fd; (fd = next_fd(dir)) >= 0;) {
                if (!peer_address(fd, &peer))
                        continue;
                if (!numeric && found < 0)
                        wanted = peer;
                if (memcmp(&peer, &wanted, sizeof(peer)) == 0)
                        found = fd;
                else if (!numeric)
                        return -1; /* several: which is the login's? */
        }
        return found;
}

Hangup hangup_open(const char *rhost) {
        Hangup hangup = HANGUP_NONE;

        if (!rhost)
                return hangup;
        hangup.socket = find_socket(rhost);
        /* When sshd's grace time ends, the process that holds the alarm goes and leaves us behind. */
        if (process_parent_is_sshd())
                hangup.parent = (int)syscall(SYS_pidfd_open, getppid(), 0);
        return hangup;
}

void hangup_close(Hangup *hangup) {
        if (hangup->parent >= 0)
                (void)close(hangup->parent);
        *hangup = HANGUP_NONE;
}

void hangup_pollfds(const Hangup *hangup, struct pollfd ret_fds[HANGUP_FDS]) {
        /* No POLLIN on the connection: what the person typed stays unread, and would wake us for ever. */
        ret_fds[0] = (struct pollfd){.fd = hangup->socket, .events = POLLRDHUP};
        ret_fds[1] = (struct pollfd){.fd = hangup->parent, .events = POLLIN};
}
