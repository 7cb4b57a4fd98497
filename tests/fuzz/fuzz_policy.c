/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policy files of any bytes: refused with one line that says why, or rules that make sense. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_load_file.h"
#include "broker/request.h"
#include "tests/fuzz/fuzz.h"

static void expect(bool truth) {
        if (!truth)
                abort();
}

static void check_rule(const PolicyRule *rule) {
        bool require = rule->action == POLICY_REQUIRE;

        expect(rule->name && rule->name[0] && strcmp(rule->file, "f") == 0);
        expect(!require || rule->reviewers_group || rule->admins_group);
        expect(require || (!rule->reviewers_group && !rule->admins_group));
        expect((rule->reviewers_group != NULL) == (rule->reviewers_needed > 0));
        expect(rule->reviewers_needed <= REQUEST_VOTERS_MAX);
        expect(rule->expires_usec >= 10000000 && rule->expires_usec <= PEERAUTH_EXPIRES_MAX_USEC);
        /* A list that matches everything is absent, never empty. */
        expect(!rule->services || rule->services[0]);
        expect(!rule->users || rule->users[0]);
        expect(!rule->groups || rule->groups[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        PolicyRules read = {0};
        char *message = NULL;
        int r = policy_parse((const char *)data, size, "f", &read, &message);

        if (r < 0) {
                expect(r == -EINVAL && message && !strchr(message, '\n') && read.n_rules == 0);
                /* The scan lets nothing through that libeconf stumbles over. */
                expect(strncmp(strstr(message, ": "), ": libeconf", strlen(": libeconf")) != 0);
        }
        for (size_t i = 0; i < read.n_rules; i++)
                check_rule(&read.rules[i]);
        policy_rules_done(&read);
        free(message);
        return 0;
}
