/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and values as they stand in a policy file. */
#include "cli/rule_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/moment.h"
#include "common/cleanup.h"
#include "common/protocol.h"

enum { WEEK_DAYS = 7, ALL_DAYS = 0x7f };

static void write_names(FILE *f, char *const *names) {
        for (char *const *name = names; name && *name; name++)
                (void)fprintf(f, "%s%s", name == names ? "" : " ", *name);
}

static void write_networks(FILE *f, const PolicyRule *rule) {
        for (size_t i = 0; i < rule->n_networks; i++) {
                const PolicyNetwork *network = &rule->networks[i];
                char text[INET6_ADDRSTRLEN];

                if (!inet_ntop(network->bits == 32 ? AF_INET : AF_INET6, network->address, text,
                               sizeof(text)))
                        continue;
                (void)fprintf(f, "%s%s", i ? " " : "", text);
                if (network->prefix != network->bits)
                        (void)fprintf(f, "/%u", network->prefix);
        }
}

/* "Mon-Fri Sun" */
static void write_days(FILE *f, unsigned days) {
        const char *separator = "";

        for (unsigned first = 0, last; first < WEEK_DAYS; first = last + 1) {
                last = first;
                if (!(days & 1U << first))
                        continue;
                while (last + 1 < WEEK_DAYS && days & 1U << (last + 1))
                        last++;
                (void)fprintf(f, "%s%s", separator, moment_day(first));
                if (last > first)
                        (void)fprintf(f, "-%s", moment_day(last));
                separator = " ";
        }
}

static void write_times(FILE *f, const PolicyRule *rule) {
        for (size_t i = 0; i < rule->n_times; i++) {
                const PolicyTime *t = &rule->times[i];
                bool all_day = t->from == 0 && t->to == POLICY_DAY_MINUTES;
                bool days = (t->days & ALL_DAYS) != ALL_DAYS || all_day;

                (void)fprintf(f, "%s", i ? ", " : "");
                if (days)
                        write_days(f, t->days);
                if (!all_day)
                        (void)fprintf(f, "%s%02u:%02u-%02u:%02u", days ? " " : "", t->from / 60, t->from % 60,
                                      t->to / 60, t->to % 60);
        }
}

/* Nothing if the rule does not have that key. */
static void write_key(FILE *f, const PolicyRule *rule, PolicyFit fit) {
        if (fit == POLICY_FIT_NOT_SERVICE && rule->services) {
                (void)fprintf(f, "Service=");
                write_names(f, rule->services);
        } else if (fit == POLICY_FIT_NOT_USER && rule->users) {
                (void)fprintf(f, "User=");
                write_names(f, rule->users);
        } else if (fit == POLICY_FIT_NOT_GROUP && rule->groups) {
                (void)fprintf(f, "Group=");
                write_names(f, rule->groups);
        } else if (fit == POLICY_FIT_NOT_TTY && rule->ttys) {
                (void)fprintf(f, "Tty=");
                write_names(f, rule->ttys);
        } else if (fit == POLICY_FIT_NOT_LOCATION && rule->location != POLICY_ANYWHERE)
                (void)fprintf(f, "Location=%s", rule->location == POLICY_LOCAL ? "local" : "remote");
        else if (fit == POLICY_FIT_NOT_TIME && rule->times) {
                (void)fprintf(f, "Time=");
                write_times(f, rule);
        } else if ((fit == POLICY_FIT_NOT_ADDRESS || fit == POLICY_FIT_UNSURE) && rule->networks) {
                (void)fprintf(f, "Address=");
                write_networks(f, rule);
        }
}

char *rule_text_key(const PolicyRule *rule, PolicyFit fit) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        write_key(f, rule, fit);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

char *rule_text_matches(const PolicyRule *rule) {
        static const PolicyFit keys[] = {
                POLICY_FIT_NOT_SERVICE,  POLICY_FIT_NOT_USER,    POLICY_FIT_NOT_GROUP, POLICY_FIT_NOT_TTY,
                POLICY_FIT_NOT_LOCATION, POLICY_FIT_NOT_ADDRESS, POLICY_FIT_NOT_TIME};
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                _cleanup_free_ char *key = rule_text_key(rule, keys[i]);

                if (key && *key)
                        (void)fprintf(f, "%s%s", ftell(f) > 0 ? " " : "", key);
        }
        if (ftell(f) == 0)
                (void)fprintf(f, "every login");
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

char *rule_text_text(const PolicyText *text) {
        char *written;

        switch (text->mode) {
        case POLICY_TEXT_OPTIONAL:
                return strdup(PEERAUTH_TEXT_OPTIONAL);
        case POLICY_TEXT_REQUIRED:
                return strdup(PEERAUTH_TEXT_REQUIRED);
        case POLICY_TEXT_PATTERN:
                return asprintf(&written, "match:%s", text->pattern) < 0 ? NULL : written;
        case POLICY_TEXT_OFF:
                break;
        }
        return strdup(PEERAUTH_TEXT_OFF);
}

const char *rule_text_span(uint64_t usec, char ret[RULE_TEXT_SPAN]) {
        uint64_t s = usec / PEERAUTH_USEC_PER_SEC;

        if (s >= 60 && s % 60 == 0)
                (void)snprintf(ret, RULE_TEXT_SPAN, "%" PRIu64 "min", s / 60);
        else if (s > 60)
                (void)snprintf(ret, RULE_TEXT_SPAN, "%" PRIu64 "min %" PRIu64 "s", s / 60, s % 60);
        else
                (void)snprintf(ret, RULE_TEXT_SPAN, "%" PRIu64 "s", s);
        return ret;
}

char *rule_text_reviewers(const PolicyRule *rule) {
        _cleanup_free_ char *now = NULL, *later = NULL;
        char span[RULE_TEXT_SPAN], *text;

        if (rule->action != POLICY_REQUIRE && rule->action != POLICY_MONITOR)
                return strdup("-");
        now = policy_reviewers_text(rule, false);
        if (rule->escalate_usec == 0)
                return STEAL_PTR(now);
        later = policy_reviewers_text(rule, true);
        if (!now || !later ||
            asprintf(&text, "%s; after %s: %s", now, rule_text_span(rule->escalate_usec, span), later) < 0)
                return NULL;
        return text;
}
