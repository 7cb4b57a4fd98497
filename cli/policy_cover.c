/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key by key: the earlier rule lacks it, or has all of what the later one has. */
#include "cli/policy_cover.h"

#include <string.h>

#include "common/strv.h"

enum { WEEK_DAYS = 7 };

static bool covers_names(char *const *earlier, char *const *later) {
        if (!earlier)
                return true;
        for (char *const *name = later; name && *name; name++)
                if (!strv_contains(earlier, *name))
                        return false;
        return later != NULL;
}

/* A pattern, read as a name, is covered by what covers all that it stands for: its '*' comes last. */
static bool covers_ttys(char *const *earlier, char *const *later) {
        if (!earlier)
                return true;
        for (char *const *tty = later; tty && *tty; tty++) {
                bool covered = false;

                for (char *const *pattern = earlier; *pattern && !covered; pattern++)
                        covered = strcmp(*pattern, *tty) == 0 || policy_match_tty(*pattern, *tty);
                if (!covered)
                        return false;
        }
        return later != NULL;
}

static bool covers_location(const PolicyRule *earlier, const PolicyRule *later) {
        return earlier->location == POLICY_ANYWHERE || earlier->location == later->location ||
               (earlier->location == POLICY_REMOTE && later->networks); /* an address is remote */
}

static bool covers_network(const PolicyRule *earlier, const PolicyNetwork *later) {
        PolicyOrigin first = {.kind = POLICY_ORIGIN_ADDRESS, .bits = later->bits};

        memcpy(first.address, later->address, sizeof(first.address));
        for (size_t i = 0; i < earlier->n_networks; i++)
                if (earlier->networks[i].bits == later->bits &&
                    earlier->networks[i].prefix <= later->prefix &&
                    policy_match_network(&earlier->networks[i], &first))
                        return true;
        return false;
}

static bool covers_networks(const PolicyRule *earlier, const PolicyRule *later) {
        if (!earlier->networks)
                return true;
        for (size_t i = 0; i < later->n_networks; i++)
                if (!covers_network(earlier, &later->networks[i]))
                        return false;
        return later->networks != NULL;
}

static bool has_moment(const PolicyRule *rule, const PolicyMoment *moment) {
        for (size_t i = 0; i < rule->n_times; i++)
                if (policy_match_time(&rule->times[i], moment))
                        return true;
        return false;
}

/* A quick look that settles most of a thousand rules: the moment at which a span begins. */
static bool covers_beginnings(const PolicyRule *earlier, const PolicyRule *later) {
        for (size_t i = 0; i < later->n_times; i++)
                for (unsigned day = 0; day < WEEK_DAYS; day++) {
                        PolicyMoment moment = {day, later->times[i].from};

                        if (later->times[i].days & 1U << day && !has_moment(earlier, &moment))
                                return false;
                }
        return true;
}

static bool covers_times(const PolicyRule *earlier, const PolicyRule *later) {
        PolicyMoment moment;

        if (!earlier->times)
                return true;
        if (!covers_beginnings(earlier, later))
                return false;
        for (moment.weekday = 0; moment.weekday < WEEK_DAYS; moment.weekday++)
                for (moment.minute = 0; moment.minute < POLICY_DAY_MINUTES; moment.minute++)
                        if ((!later->times || has_moment(later, &moment)) && !has_moment(earlier, &moment))
                                return false;
        return true;
}

bool policy_cover(const PolicyRule *earlier, const PolicyRule *later) {
        return covers_names(earlier->services, later->services) &&
               covers_names(earlier->users, later->users) && covers_names(earlier->groups, later->groups) &&
               covers_ttys(earlier->ttys, later->ttys) && covers_location(earlier, later) &&
               covers_networks(earlier, later) && covers_times(earlier, later);
}
