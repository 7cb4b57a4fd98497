/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy test: what would happen to a login, and why. Whatever the answer is, it is no failure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/policy_source.h"
#include "cli/trial_view.h"

static const OutputColumn earlier_columns[] = {
        {"rule", "NOT THIS RULE"},
        {"where", "WHERE"},
        {"wants", "FOR IT WANTS", .cut = true},
        {"has", "AND THIS IS", .cut = true},
        {NULL},
};

static const OutputColumn people_columns[] = {
        {"user", "LOGGED IN"},
        {"session", "SESSION"},
        {"counts-as", "COUNTS AS", .cut = true},
        {"parts", "FOR", .cut = true},
        {NULL},
};

static int read_login(const Args *args, TrialLogin *ret_login) {
        TrialLogin login = {args->user, args->service, args->tty, args->rhost, .moment = moment_now()};

        if (!args->user || !*args->user || !args->service || !*args->service)
                return cli_fail(-EINVAL,
                                "whose login, and through what? give --user=ACCOUNT and --service=SERVICE");
        if (args->time && moment_parse(args->time, &login.moment) < 0)
                return cli_fail(
                        -EINVAL,
                        "'%s' is no time; write a date as \"2026-11-21 22:30\", or a weekday (Mon, Tue, "
                        "Wed, Thu, Fri, Sat, Sun) as \"Sat 22:30\"",
                        args->time);
        login.account_stage = args->stage && strcmp(args->stage, PEERAUTH_STAGE_ACCOUNT) == 0;
        if (args->stage && !login.account_stage && strcmp(args->stage, PEERAUTH_STAGE_AUTH) != 0)
                return cli_fail(-EINVAL, "--stage takes auth or account, not '%s'", args->stage);
        *ret_login = login;
        return 0;
}

/* Only a rule that holds logins asks who is there. */
static int find_people(Cli *cli, Trial *trial) {
        PEERAUTH_CLEANUP(presence_done) Presence presence = {0};
        const PolicyRule *rule = trial->decision.rule;
        int r;

        if (!rule || trial->decision.unsure || trial->outcome == TRIAL_DENIED ||
            (rule->action != POLICY_REQUIRE && rule->action != POLICY_MONITOR))
                return 0;
        r = policy_source_connect(cli);
        if (r >= 0)
                r = presence_get(cli->bus, &presence);
        return trial_add_people(trial, r < 0 ? NULL : &presence, r);
}

static int add_lists(const Trial *trial, const TrialLogin *login, Records *earlier, Records *people) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < trial->n_earlier; i++)
                r = records_add(earlier, trial_view_earlier(trial, login, i));
        for (size_t i = 0; r == 0 && i < trial->n_people; i++)
                r = records_add(people, trial_view_person(trial, &trial->people[i]));
        return r;
}

static int print_text(const Cli *cli, Record *answer, const Records *earlier, const Records *people) {
        int r = 0;

        if (earlier->n > 0) {
                r = output_table(&cli->style, earlier_columns, earlier);
                (void)printf("\n");
        }
        if (r == 0)
                r = output_record(&cli->style, answer);
        if (r == 0 && people->n > 0) {
                (void)printf("\n");
                r = output_table(&cli->style, people_columns, people);
        }
        return r;
}

static int print(Cli *cli, const Trial *trial, const TrialLogin *login) {
        _cleanup_records_ Records earlier = {0}, people = {0};
        _cleanup_record_ Record *answer = trial_view(trial, login);
        int r = answer ? add_lists(trial, login, &earlier, &people) : -ENOMEM;

        if (r < 0)
                return r;
        policy_source_add_in_force(cli, trial->policy, answer);
        if (cli->style.json == JSON_OFF)
                return print_text(cli, answer, &earlier, &people);
        record_list(answer, "earlier", &earlier);
        if (trial->has_people && trial->people_error == 0)
                record_list(answer, "people", &people);
        return output_record(&cli->style, answer);
}

int cmd_policy_test(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(trial_done) Trial trial = {.account.uid = (uid_t)-1};
        _cleanup_policy_ Policy *policy = NULL;
        TrialLogin login;
        int r;

        (void)words;
        if (read_login(&cli->args, &login) < 0)
                return CLIENT_EXIT_USAGE;
        r = policy_source_get(cli, &policy);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = trial_decide(policy, &login, &trial);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "the name service cannot say who '%s' is: %s; try again",
                                login.user, strerror(-r));
        r = find_people(cli, &trial);
        if (r == 0)
                r = print(cli, &trial, &login);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "cannot print the answer: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
