/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policy files of any bytes: refused with one line that says why, or rules that make sense. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_load_file.h"
#include "common/strv.h"
#include "tests/fuzz/fuzz.h"

static void expect(bool truth) {
        if (!truth)
                abort();
}

/* Each part is named by its group or its accounts, belongs to one alternative, and can be filled. */
static void check_quorum(const PolicyRule *rule) {
        const Quorum *quorum = &rule->quorum;
        QuorumParts parts = 0;

        expect(quorum->n_parts <= QUORUM_PARTS_MAX && quorum->n_alternatives <= QUORUM_ALTERNATIVES_MAX);
        expect(quorum->n_first <= quorum->n_alternatives);
        for (unsigned i = 0; i < quorum->n_alternatives; i++) {
                expect(quorum->alternatives[i] != 0 && (quorum->alternatives[i] & parts) == 0);
                parts |= quorum->alternatives[i];
        }
        expect(parts == (1U << quorum->n_parts) - 1);
        for (unsigned i = 0; i < QUORUM_PARTS_MAX; i++) {
                const PolicyPart *part = &rule->parts[i];

                expect(!part->group || !part->users);
                expect((part->group || part->users) == (i < quorum->n_parts));
                expect(i >= quorum->n_parts || quorum->needed[i] >= 1);
                expect(!part->users || strv_length(part->users) >= quorum->needed[i]);
        }
        if (quorum->n_alternatives > 0)
                expect(quorum_size(quorum, true) <= PEERAUTH_APPROVALS_MAX);
        expect(quorum_missing(quorum, true, NULL, 0) > 0);
        expect((rule->escalate_usec > 0) == (quorum->n_first < quorum->n_alternatives));
        expect(rule->escalate_usec == 0 ||
               (rule->escalate_usec >= 10000000 && rule->escalate_usec < rule->expires_usec));
}

/* What the anchored pattern takes, the pattern as written takes from end to end. */
static void check_anchors(const PolicyText *text, const char *sample) {
        regex_t alone;
        regmatch_t match;

        if (regexec(text->compiled, sample, 0, NULL, 0) != 0)
                return;
        expect(regcomp(&alone, text->pattern, REG_EXTENDED) == 0);
        expect(regexec(&alone, sample, 1, &match, 0) == 0);
        expect(match.rm_so == 0 && (size_t)match.rm_eo == strlen(sample));
        regfree(&alone);
}

static void check_text(const PolicyText *text) {
        expect((text->mode == POLICY_TEXT_PATTERN) == (text->compiled != NULL));
        expect((text->compiled != NULL) == (text->pattern != NULL));
        if (text->compiled) {
                check_anchors(text, text->pattern);
                check_anchors(text, "a");
                check_anchors(text, "ab)");
                check_anchors(text, "");
        }
}

/* Lists that match everything are absent, never empty. */
static void check_match(const PolicyRule *rule) {
        PolicyOrigin origin = policy_origin(rule->file, NULL);
        PolicyMoment moment = {.weekday = 6, .minute = 1439};

        expect(!rule->services || rule->services[0]);
        expect(!rule->users || rule->users[0]);
        expect(!rule->groups || rule->groups[0]);
        expect(!rule->ttys || rule->ttys[0]);
        expect((rule->networks != NULL) == (rule->n_networks > 0));
        expect((rule->times != NULL) == (rule->n_times > 0));
        for (char **tty = rule->ttys; tty && *tty; tty++)
                expect(!policy_match_tty(*tty, ""));
        for (size_t i = 0; i < rule->n_networks; i++) {
                expect(rule->networks[i].prefix <= rule->networks[i].bits);
                expect(!policy_match_network(&rule->networks[i], &origin));
        }
        for (size_t i = 0; i < rule->n_times; i++) {
                const PolicyTime *time = &rule->times[i];

                expect(time->days > 0 && time->days < 128 && time->from != time->to);
                expect(time->from < POLICY_DAY_MINUTES && time->to <= POLICY_DAY_MINUTES);
                (void)policy_match_time(time, &moment);
        }
}

static void check_rule(const PolicyRule *rule) {
        bool held = rule->action == POLICY_REQUIRE || rule->action == POLICY_MONITOR;

        expect(rule->name && rule->name[0] && strcmp(rule->file, "f") == 0 && rule->line > 0);
        expect(!held || rule->quorum.n_first > 0 || rule->admins_group);
        expect(held || (rule->quorum.n_parts == 0 && !rule->admins_group));
        expect(rule->deny_threshold >= 1 && rule->deny_threshold <= PEERAUTH_APPROVALS_MAX);
        expect(rule->expires_usec >= 10000000 && rule->expires_usec <= PEERAUTH_EXPIRES_MAX_USEC);
        check_quorum(rule);
        check_text(&rule->note);
        check_text(&rule->reason);
        check_match(rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        PolicyRules read = {0};
        char *message = NULL;
        int r = policy_parse((const char *)data, size, "f", &read, &message);

        if (r < 0) {
                expect(r == -EINVAL && message && !strchr(message, '\n') && read.n_rules == 0);
                /* The scan lets nothing through that libeconf stumbles over. */
                expect(strncmp(strstr(message, ": "), ": libeconf: ", strlen(": libeconf: ")) != 0);
                expect(strcmp(strstr(message, ": "), ": libeconf reads this line differently") != 0);
        }
        for (size_t i = 0; i < read.n_rules; i++)
                check_rule(&read.rules[i]);
        policy_rules_done(&read);
        free(message);
        return 0;
}
