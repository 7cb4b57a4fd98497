/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What rules compare a login with besides names: where it comes from, its terminal, and when it is.
 *
 * Pure: the time of day is a parameter, and host names are never resolved, because whoever answers for a name
 * would then decide which rule applies.
 *
 * Parsers return 0 or a negative errno as policy_value.h says, with *ret_problem.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- where from ---- */

typedef enum PolicyOriginKind {
        POLICY_ORIGIN_NAME = 0, /* remote, and only the name of the host is known: no network can be told */
        POLICY_ORIGIN_LOCAL,    /* from this machine */
        POLICY_ORIGIN_ADDRESS,  /* remote, from this address */
} PolicyOriginKind;

typedef struct PolicyOrigin {
        PolicyOriginKind kind;
        unsigned bits;       /* 32: IPv4, 128: IPv6 */
        uint8_t address[16]; /* network byte order */
} PolicyOrigin;

/* Reads PAM_RHOST. Local are an absent or empty one and this machine's own name (sudo reports that); own_name
 * may be NULL. An address is remote even if it is the loopback's: tunnels end there. IPv4 addresses in IPv6
 * clothes (RFC 4291, 2.5.5.2) are IPv4, and a zone ("%eth0") is left out. */
PolicyOrigin policy_origin(const char *rhost, const char *own_name);

typedef struct PolicyNetwork {
        unsigned bits, prefix;
        uint8_t address[16];
} PolicyNetwork;

/* Networks and addresses separated by spaces or commas: "10.0.0.0/8 2001:db8::/32 192.0.2.1". Bits beyond the
 * prefix must be 0. *ret_networks is the caller's to free. */
int policy_match_parse_networks(const char *value, PolicyNetwork **ret_networks, size_t *ret_n,
                                char **ret_problem);
/* For an origin of kind ADDRESS. */
bool policy_match_network(const PolicyNetwork *network, const PolicyOrigin *origin);

/* ---- terminals ---- */

/* Names as in /dev ("tty1 pts/3 :0"), with or without the "/dev/"; a final '*' stands for any rest. */
int policy_match_parse_ttys(const char *value, char ***ret_ttys, char **ret_problem);
bool policy_match_tty(const char *pattern, const char *tty);

/* ---- when ---- */

enum { POLICY_DAY_MINUTES = 24 * 60 };

/* A moment of the week in the machine's own time zone. */
typedef struct PolicyMoment {
        unsigned weekday; /* 0: Monday */
        unsigned minute;  /* since midnight */
} PolicyMoment;

typedef struct PolicyTime {
        unsigned days;     /* bit i: weekday i */
        unsigned from, to; /* minutes since midnight; to is not included. to <= from: ends on the next day,
                            * and belongs to the day on which it begins. 0 to 1440: all day */
} PolicyTime;

/* Spans separated by commas: "Mon-Fri 08:00-18:00, Sat Sun, 22:00-06:00". Without days every day, without
 * hours all day. *ret_times is the caller's to free. */
int policy_match_parse_times(const char *value, PolicyTime **ret_times, size_t *ret_n, char **ret_problem);
bool policy_match_time(const PolicyTime *time, const PolicyMoment *moment);
