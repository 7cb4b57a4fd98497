/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Origins, networks, terminals and times: reading them and comparing a login with them. See policy_match.h.
 *
 * MUST 1: an address is what inet_pton() takes, byte for byte: "127.1" and "0x7f.1" mean an address to some
 *         programs and a name to others, and a rule must not depend on which.
 * MUST 2: what is refused while reading is what could never match, or would match something else than its
 * author believes.
 */
#include "common/policy_match.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/policy_value.h"
#include "common/protocol.h"
#include "common/strv.h"

#define SPACE      " \t"
#define SEPARATORS " \t,"
#define DIGITS     "0123456789"
#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

enum { V4_BITS = 32, V6_BITS = 128, V4_BYTES = 4, MAPPED_PREFIX = 96 };

static const uint8_t mapped[MAPPED_PREFIX / 8] = {[10] = 0xFF, [11] = 0xFF};

/* Cuts the next word off at *p; NULL and *p at the end: there is none, or no memory. */
static char *next_word(const char **p, const char *separators) {
        const char *word = *p + strspn(*p, separators);
        size_t size = strcspn(word, separators);

        *p = word + size;
        return size > 0 ? strndup(word, size) : NULL;
}

/* ---- where from ---- */

/* MUST 1. The number of bits, or 0 if text is no address. */
static unsigned read_address(const char *text, uint8_t ret_address[16]) {
        return inet_pton(AF_INET, text, ret_address) == 1    ? V4_BITS
               : inet_pton(AF_INET6, text, ret_address) == 1 ? V6_BITS
                                                             : 0;
}

static bool is_mapped(const uint8_t address[16]) {
        return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* The name of an interface, or its number. */
static bool is_zone(const char *text) {
        size_t size = strlen(text);

        return size > 0 && size < IF_NAMESIZE && text[strspn(text, LETTERS DIGITS "._-:@")] == '\0';
}

/* An IPv6 address with a zone, which is left out. */
static unsigned read_zoned(const char *text, uint8_t ret_address[16]) {
        const char *percent = strchr(text, '%');
        char address[INET6_ADDRSTRLEN];
        size_t size = percent ? (size_t)(percent - text) : 0;

        if (size == 0 || size >= sizeof(address) || !is_zone(percent + 1))
                return 0;
        memcpy(address, text, size);
        address[size] = '\0';
        return inet_pton(AF_INET6, address, ret_address) == 1 ? V6_BITS : 0;
}

/* Not tolower(), which asks the locale. */
static int lower(char c) {
        return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Length without the dot that ends a fully qualified name. */
static size_t host_size(const char *name) {
        size_t size = strlen(name);

        return size > 0 && name[size - 1] == '.' ? size - 1 : size;
}

static bool same_host(const char *a, const char *b) {
        size_t size = host_size(a);

        if (size == 0 || size != host_size(b))
                return false;
        for (size_t i = 0; i < size; i++)
                if (lower(a[i]) != lower(b[i]))
                        return false;
        return true;
}

PolicyOrigin policy_origin(const char *rhost, const char *own_name) {
        PolicyOrigin origin = {0};

        if (!rhost || rhost[0] == '\0')
                return (PolicyOrigin){.kind = POLICY_ORIGIN_LOCAL};
        origin.bits = read_address(rhost, origin.address);
        if (origin.bits == 0)
                origin.bits = read_zoned(rhost, origin.address);
        if (origin.bits == 0)
                return (PolicyOrigin){
                        .kind = own_name && same_host(rhost, own_name) ? POLICY_ORIGIN_LOCAL
                                                                       : POLICY_ORIGIN_NAME,
                };
        origin.kind = POLICY_ORIGIN_ADDRESS;
        if (origin.bits == V6_BITS && is_mapped(origin.address)) {
                origin.bits = V4_BITS;
                memmove(origin.address, origin.address + sizeof(mapped), V4_BYTES);
                memset(origin.address + V4_BYTES, 0, sizeof(mapped));
        }
        return origin;
}

/* The bits of byte i that belong to the network. */
static uint8_t mask(unsigned prefix, unsigned i) {
        unsigned before = 8 * i;

        return prefix >= before + 8 ? 0xFF : prefix <= before ? 0 : (uint8_t)(0xFF00U >> (prefix - before));
}

/* The form in which a network is to be written, in text of INET6_ADDRSTRLEN bytes. */
static const char *show_network(const PolicyNetwork *network, const uint8_t *address, char *text) {
        uint8_t bytes[16];

        for (unsigned i = 0; i < network->bits / 8; i++)
                bytes[i] = address[i] & mask(network->prefix, i);
        return inet_ntop(network->bits == V4_BITS ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

static int no_address(const char *word, char **ret_problem) {
        if (strcmp(word, "local") == 0 || strcmp(word, "localhost") == 0)
                return policy_problem_value(ret_problem, word,
                                            "is not an address; this machine is meant by Location=local");
        if (strchr(word, '%'))
                return policy_problem_value(
                        ret_problem, word,
                        "is not an address; a zone is not compared, leave out the % and what follows");
        return policy_problem_value(
                ret_problem, word,
                "is not an address; names are never resolved, write a whole address or a network such as "
                "192.0.2.0/24 or 2001:db8::/32");
}

/* The number behind the '/'. */
static int read_prefix(const char *word, const char *digits, PolicyNetwork *network, char **ret_problem) {
        size_t size = strlen(digits);
        unsigned prefix = 0;

        for (size_t i = 0; i < size && i < 4; i++)
                prefix = prefix * 10 + (unsigned)(digits[i] - '0');
        if (size == 0 || size > 3 || digits[strspn(digits, DIGITS)] != '\0' ||
            (digits[0] == '0' && size > 1) || prefix > network->bits)
                return policy_problem_value(ret_problem, word,
                                            network->bits == V4_BITS
                                                    ? "has no number of bits from 0 to 32 behind the '/'"
                                                    : "has no number of bits from 0 to 128 behind the '/'");
        network->prefix = prefix;
        return 0;
}

/* MUST 2 */
static int check_network(const PolicyNetwork *network, const char *word, const char *address,
                         char **ret_problem) {
        char text[INET6_ADDRSTRLEN];

        if (network->bits == V6_BITS && network->prefix >= MAPPED_PREFIX && is_mapped(network->address)) {
                PolicyNetwork v4 = {.bits = V4_BITS, .prefix = network->prefix - MAPPED_PREFIX};

                return policy_problem(ret_problem, "'%s' is IPv4, and compared so; write %s/%u", word,
                                      show_network(&v4, network->address + sizeof(mapped), text), v4.prefix);
        }
        for (unsigned i = 0; i < network->bits / 8; i++)
                if (network->address[i] & ~mask(network->prefix, i))
                        return policy_problem(
                                ret_problem,
                                "'%s' has bits beyond its prefix; write %s/%u for the network, or %s for "
                                "the one address",
                                word, show_network(network, network->address, text), network->prefix,
                                address);
        return 0;
}

static int parse_network(const char *word, PolicyNetwork *ret_network, char **ret_problem) {
        const char *slash = strchr(word, '/');
        _cleanup_free_ char *address = strndup(word, slash ? (size_t)(slash - word) : strlen(word));
        PolicyNetwork network = {0};
        int r = 0;

        if (!address)
                return -ENOMEM;
        network.bits = read_address(address, network.address);
        if (network.bits == 0)
                return no_address(word, ret_problem);
        network.prefix = network.bits;
        if (slash)
                r = read_prefix(word, slash + 1, &network, ret_problem);
        if (r == 0)
                r = check_network(&network, word, address, ret_problem);
        if (r == 0)
                *ret_network = network;
        return r;
}

int policy_match_parse_networks(const char *value, PolicyNetwork **ret_networks, size_t *ret_n,
                                char **ret_problem) {
        _cleanup_free_ PolicyNetwork *networks = NULL;
        size_t n = 0;

        for (const char *p = value + strspn(value, SEPARATORS); *p; p += strspn(p, SEPARATORS)) {
                _cleanup_free_ char *word = next_word(&p, SEPARATORS);
                PolicyNetwork *grown = reallocarray(networks, n + 1, sizeof(*grown));
                int r;

                networks = grown ? grown : networks;
                if (!word || !grown)
                        return -ENOMEM;
                r = parse_network(word, &networks[n], ret_problem);
                if (r < 0)
                        return r;
                n++;
        }
        if (n == 0)
                return policy_problem(ret_problem, "there is no address in the list");
        *ret_networks = STEAL_PTR(networks);
        *ret_n = n;
        return 0;
}

bool policy_match_network(const PolicyNetwork *network, const PolicyOrigin *origin) {
        if (origin->kind != POLICY_ORIGIN_ADDRESS || origin->bits != network->bits)
                return false;
        for (unsigned i = 0; i < network->bits / 8; i++)
                if ((network->address[i] ^ origin->address[i]) & mask(network->prefix, i))
                        return false;
        return true;
}

/* ---- terminals ---- */

static const char *below_dev(const char *tty) {
        return strncmp(tty, "/dev/", strlen("/dev/")) == 0 ? tty + strlen("/dev/") : tty;
}

/* Of a pattern without its "/dev/". */
static const char *wrong_tty(const char *tty) {
        size_t size = strlen(tty);

        if (tty[0] != '\0' && strchr("!~-", tty[0]))
                return "cannot be turned round; write an earlier rule for the exception";
        if (size > PEERAUTH_TTY_MAX)
                return "is longer than the name of a terminal";
        if (strcspn(tty, "*") + 1 < size || strpbrk(tty, "?[]"))
                return "has a wildcard, and there is only a '*' at the end";
        if (tty[0] == '\0' || tty[0] == '/' || tty[strspn(tty, LETTERS DIGITS "/:._-*")] != '\0')
                return "is not the name of a terminal; write it as in /dev: tty1, pts/0";
        if (strncmp(tty, "tty", 3) == 0 && strchr(tty, '-'))
                return "is a range, and there are none; list the names, or write tty*";
        return NULL;
}

int policy_match_parse_ttys(const char *value, char ***ret_ttys, char **ret_problem) {
        _cleanup_strv_ char **ttys = NULL;

        for (const char *p = value + strspn(value, SEPARATORS); *p; p += strspn(p, SEPARATORS)) {
                _cleanup_free_ char *word = next_word(&p, SEPARATORS);
                const char *wrong;
                int r;

                if (!word)
                        return -ENOMEM;
                wrong = wrong_tty(below_dev(word));
                if (wrong)
                        return policy_problem_value(ret_problem, word, wrong);
                r = strv_append(&ttys, below_dev(word));
                if (r < 0)
                        return r;
        }
        if (!ttys)
                return policy_problem(ret_problem, "there is no terminal in the list");
        *ret_ttys = STEAL_PTR(ttys);
        return 0;
}

bool policy_match_tty(const char *pattern, const char *tty) {
        size_t size = strlen(pattern);

        tty = tty ? below_dev(tty) : "";
        if (tty[0] == '\0' || size == 0)
                return false;
        return pattern[size - 1] == '*' ? strncmp(pattern, tty, size - 1) == 0 : strcmp(pattern, tty) == 0;
}

/* ---- when ---- */

enum { DAYS = 7, ALL_DAYS = (1 << DAYS) - 1 };

static const char day_names[DAYS][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/* The day whose three letters text begins with, or DAYS. */
static unsigned find_day(const char *text, int (*compare)(const char *a, const char *b, size_t size)) {
        unsigned day = 0;

        while (day < DAYS && compare(text, day_names[day], 3) != 0)
                day++;
        return day;
}

/* "Mon" or "Mon-Fri" -> bits, "Fri-Mon" being four days; 0 if it is neither. */
static unsigned read_days(const char *word) {
        unsigned first = find_day(word, strncmp), last = first, days = 0;

        if (first == DAYS)
                return 0;
        if (word[3] == '-') {
                last = find_day(word + 4, strncmp);
                if (last == DAYS || last == first || word[7] != '\0')
                        return 0;
        } else if (word[3] != '\0') {
                return 0;
        }
        for (unsigned day = first; day != last; day = (day + 1) % DAYS)
                days |= 1U << day;
        return days | 1U << last;
}

/* "08:30" -> 510, at most 24:00; POLICY_DAY_MINUTES + 1 if it is not that. */
static unsigned read_clock(const char *text) {
        unsigned hour, minute;

        if (strspn(text, DIGITS) != 2 || text[2] != ':' || strspn(text + 3, DIGITS) != 2)
                return POLICY_DAY_MINUTES + 1;
        hour = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
        minute = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
        if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
                return POLICY_DAY_MINUTES + 1;
        return hour * 60 + minute;
}

static const char *wrong_hours(const char *word) {
        enum { CLOCK = 5 };
        bool form = strlen(word) == 2 * CLOCK + 1 && word[2] == ':' && word[CLOCK] == '-' && word[8] == ':';

        if (!form)
                return "is not hours; write them with two digits each, as in 09:00-17:00";
        if (read_clock(word) > POLICY_DAY_MINUTES || read_clock(word + CLOCK + 1) > POLICY_DAY_MINUTES)
                return "has a time that no day has; a day is 00:00-24:00";
        if (read_clock(word) == POLICY_DAY_MINUTES)
                return "begins at 24:00; write 00:00 of the next day";
        if (strncmp(word, word + CLOCK + 1, CLOCK) == 0)
                return "ends as it begins; leave the hours out for the whole day";
        return NULL;
}

static int unknown_day(const char *word, char **ret_problem) {
        unsigned day = find_day(word, strncasecmp);

        if (strcmp(word, "-") == 0)
                return policy_problem(ret_problem, "'-' stands alone; write ranges without spaces: Mon-Fri");
        if (strlen(word) == 7 && word[3] == '-' && find_day(word, strncmp) < DAYS &&
            strncmp(word, word + 4, 3) == 0)
                return policy_problem_value(ret_problem, word, "begins and ends on one day; write that day");
        if (day < DAYS && !strpbrk(word, ".:" DIGITS))
                return policy_problem_value(ret_problem, word,
                                            "is not a day as it is written here: Mon Tue Wed Thu Fri Sat "
                                            "Sun");
        return policy_problem_value(ret_problem, word,
                                    "is neither a day (Mon, Mon-Fri) nor hours (08:00-18:00)");
}

/* A word of a span. */
static int take_word(PolicyTime *time, bool *has_hours, const char *word, char **ret_problem) {
        unsigned days = read_days(word);
        const char *wrong;

        if (*has_hours)
                return policy_problem_value(ret_problem, word,
                                            "follows hours without a comma; the days of a span come first");
        if (days != 0) {
                time->days |= days;
                return 0;
        }
        if (word[0] < '0' || word[0] > '9')
                return unknown_day(word, ret_problem);
        wrong = wrong_hours(word);
        if (wrong)
                return policy_problem_value(ret_problem, word, wrong);
        time->from = read_clock(word);
        time->to = read_clock(word + strlen("00:00-"));
        *has_hours = true;
        return 0;
}

static int parse_span(const char *span, PolicyTime *ret_time, char **ret_problem) {
        PolicyTime time = {.to = POLICY_DAY_MINUTES};
        bool has_hours = false;

        span += strspn(span, SPACE);
        if (*span == '\0')
                return policy_problem(ret_problem, "a comma has no days or hours on one side; remove it");
        for (; *span; span += strspn(span, SPACE)) {
                _cleanup_free_ char *word = next_word(&span, SPACE);
                int r = word ? take_word(&time, &has_hours, word, ret_problem) : -ENOMEM;

                if (r < 0)
                        return r;
        }
        time.days = time.days ? time.days : ALL_DAYS;
        *ret_time = time;
        return 0;
}

/* The dashes that word processors make of '-': U+2010 to U+2015, and the minus. */
static bool has_other_dash(const char *value) {
        for (const char *p = value; (p = strchr(p, '\xe2')); p++)
                if ((p[1] == '\x80' && p[2] >= '\x90' && p[2] <= '\x95') ||
                    (p[1] == '\x88' && p[2] == '\x92'))
                        return true;
        return false;
}

int policy_match_parse_times(const char *value, PolicyTime **ret_times, size_t *ret_n, char **ret_problem) {
        _cleanup_free_ PolicyTime *times = NULL;
        size_t n = 0;

        if (has_other_dash(value))
                return policy_problem_value(ret_problem, value,
                                            "has a dash that is not '-'; type it again, as in Mon-Fri");
        for (const char *p = value;; p++) {
                size_t size = strcspn(p, ",");
                _cleanup_free_ char *span = strndup(p, size);
                PolicyTime *grown = reallocarray(times, n + 1, sizeof(*grown));
                int r;

                times = grown ? grown : times;
                if (!span || !grown)
                        return -ENOMEM;
                r = parse_span(span, &times[n], ret_problem);
                if (r < 0)
                        return r;
                n++;
                p += size;
                if (*p == '\0')
                        break;
        }
        *ret_times = STEAL_PTR(times);
        *ret_n = n;
        return 0;
}

bool policy_match_time(const PolicyTime *time, const PolicyMoment *moment) {
        bool today = time->days & 1U << moment->weekday;
        bool since_yesterday = time->days & 1U << (moment->weekday + DAYS - 1) % DAYS;

        if (time->from < time->to)
                return today && moment->minute >= time->from && moment->minute < time->to;
        return (today && moment->minute >= time->from) || (since_yesterday && moment->minute < time->to);
}
