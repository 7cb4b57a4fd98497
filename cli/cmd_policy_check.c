/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy check: whether the files are a policy, and what in it is surely not meant.
 *
 * Findings are told as compilers do, FILE:LINE: WHAT, so that editors find the place.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/policy_lint.h"
#include "cli/policy_source.h"
#include "common/text.h"

enum { FINDING_MAX = 4096 };

static int tell_error(const Cli *cli, int r, const char *message) {
        _cleanup_free_ char *safe = text_safe(message, FINDING_MAX);
        _cleanup_record_ Record *record = record_new();

        (void)fprintf(stderr, "%s\n", safe ? safe : "out of memory");
        if (cli->style.json == JSON_OFF)
                return r == -EACCES ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_ERROR;
        if (record) {
                record_bool(record, "ok", NULL, false);
                record_string(record, "error", NULL, message ? message : "");
        }
        if (!record || output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return r == -EACCES ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_ERROR;
}

static void tell_warning(const LintWarning *warning) {
        _cleanup_free_ char *line = NULL, *safe = NULL;
        int r = warning->rule ? asprintf(&line, "%s:%u: warning: %s", warning->rule->file,
                                         warning->rule->line, warning->text)
                              : asprintf(&line, "warning: %s", warning->text);

        if (r < 0)
                line = NULL;
        safe = line ? text_safe(line, FINDING_MAX) : NULL;
        (void)fprintf(stderr, "%s\n", safe ? safe : "out of memory");
}

static Record *warning_record(const LintWarning *warning) {
        Record *record = record_new();

        if (!record)
                return NULL;
        if (warning->rule) {
                record_string(record, "rule", NULL, warning->rule->name);
                record_string(record, "file", NULL, warning->rule->file);
                record_uint(record, "line", NULL, warning->rule->line, NULL);
        }
        record_string(record, "text", NULL, warning->text);
        return record;
}

static int print_json(const Cli *cli, const Policy *policy, const Lint *lint) {
        _cleanup_record_ Record *record = record_new();
        _cleanup_records_ Records warnings = {0};
        int r = record ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < lint->n; i++)
                r = records_add(&warnings, warning_record(&lint->warnings[i]));
        if (r < 0)
                return r;
        record_bool(record, "ok", NULL, lint->n == 0 || !cli->args.strict);
        record_uint(record, "rules", NULL, policy->n_rules, NULL);
        record_string(record, "hash", NULL, policy->hash);
        record_list(record, "warnings", &warnings);
        return output_record(&cli->style, record);
}

static void print_text(const Cli *cli, const Policy *policy, const Lint *lint) {
        char more[64] = "";

        for (size_t i = 0; i < lint->n; i++)
                tell_warning(&lint->warnings[i]);
        if (lint->n > 0)
                (void)snprintf(more, sizeof(more), ", %zu warning%s", lint->n, lint->n == 1 ? "" : "s");
        cli_say(cli, "%s%zu rule%s%s", lint->n > 0 && cli->args.strict ? "" : "ok, ", policy->n_rules,
                policy->n_rules == 1 ? "" : "s", more);
}

int cmd_policy_check(Cli *cli, char **words) {
        _cleanup_free_ char *message = NULL;
        _cleanup_policy_ Policy *policy = NULL;
        PEERAUTH_CLEANUP(policy_lint_done) Lint lint = {0};
        int r;

        (void)words;
        r = policy_source_load(cli, &policy, &message);
        if (r < 0)
                return tell_error(cli, r, message);
        r = policy_lint(policy, policy_source_vendor(cli), &lint);
        if (r == 0 && cli->style.json != JSON_OFF)
                r = print_json(cli, policy, &lint);
        else if (r == 0)
                print_text(cli, policy, &lint);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return lint.n > 0 && cli->args.strict ? CLIENT_EXIT_ERROR : CLIENT_EXIT_OK;
}
