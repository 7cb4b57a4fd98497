/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy show: the rules in the order in which they are asked, and whether the broker has them in force. */
#include <errno.h>
#include <stdio.h>

#include "cli/policy_source.h"
#include "cli/rule_text.h"
#include "common/policy_key.h"

static const OutputColumn columns[] = {
        {"order", "NO", .right = true},
        {"rule", "RULE"},
        {"where", "WHERE"},
        {"action", "ACTION"},
        {"reviewers", "WHO APPROVES", .cut = true},
        {"logins", "LOGINS", .cut = true},
        {NULL},
};

static Record *rule_record(const PolicyRule *rule, size_t order) {
        _cleanup_free_ char *reviewers = rule_text_reviewers(rule), *logins = rule_text_matches(rule);
        _cleanup_free_ char *where = NULL;
        Record *record = NULL;

        if (asprintf(&where, "%s:%u", rule->file, rule->line) < 0)
                where = NULL;
        if (where && reviewers && logins)
                record = record_new();
        if (!record)
                return NULL;
        record_uint(record, "order", NULL, order, NULL);
        record_string(record, "rule", NULL, rule->name);
        record_string(record, "file", NULL, rule->file);
        record_uint(record, "line", NULL, rule->line, NULL);
        record_text(record, "where", NULL, where);
        record_string(record, "action", NULL, policy_key_action(rule->action));
        record_string(record, "reviewers", NULL, reviewers);
        record_string(record, "logins", NULL, logins);
        return record;
}

static int print(Cli *cli, const Policy *policy, Record *summary, const Records *rules) {
        int r;

        record_string(summary, "hash", "Hash", policy->hash);
        policy_source_add_in_force(cli, policy, summary);
        record_list(summary, "rules", rules);
        if (cli->style.json != JSON_OFF)
                return output_record(&cli->style, summary);
        r = output_table(&cli->style, columns, rules);
        if (r < 0 || !cli->style.legend)
                return r;
        (void)printf("\n");
        return output_record(&cli->style, summary);
}

int cmd_policy_show(Cli *cli, char **words) {
        _cleanup_policy_ Policy *policy = NULL;
        _cleanup_record_ Record *summary = record_new();
        _cleanup_records_ Records rules = {0};
        int r;

        (void)words;
        r = policy_source_get(cli, &policy);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = summary ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < policy->n_rules; i++)
                r = records_add(&rules, rule_record(&policy->rules[i], i + 1));
        if (r == 0)
                r = print(cli, policy, summary, &rules);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "cannot print the policy: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
