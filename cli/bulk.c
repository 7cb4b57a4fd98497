/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which requests are meant, the question, and a call each. */
#include "cli/bulk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/agent.h"
#include "cli/decision.h"
#include "cli/prompt.h"
#include "common/strv.h"

/* What became of one request; printed last, in either form. */
typedef struct BulkItem {
        const ClientRequest *request;
        const char *result; /* "left-alone", "failed", or the state of the request */
        char *why;          /* NULL: nothing to say */
        bool failed;
} BulkItem;

typedef struct Bulk {
        Cli *cli;
        bool approve;
        ClientRequestList list;
        BulkItem *items; /* those of the list that the filters fit */
        size_t n, n_able;
} Bulk;

static void bulk_done(Bulk *bulk) {
        for (size_t i = 0; i < bulk->n; i++)
                free(bulk->items[i].why);
        free(bulk->items);
        client_request_list_done(&bulk->list);
}

int bulk_check_usage(const Cli *cli, const char *name, const char *verb) {
        if (cli->args.all && name)
                return cli_fail(CLIENT_EXIT_USAGE,
                                "--all and a REQUEST exclude each other; name one of them");
        if (!cli->args.all && !name)
                return cli_fail(CLIENT_EXIT_USAGE,
                                "usage: peerauthctl %s REQUEST, or --all; see peerauthctl %s --help", verb,
                                verb);
        if (!cli->args.all && (cli->args.given & (ARG_USER | ARG_SERVICE | ARG_RHOST)))
                return cli_fail(CLIENT_EXIT_USAGE,
                                "--user, --service and --rhost choose among all requests; give --all too");
        return CLIENT_EXIT_OK;
}

static int require_administrator(Cli *cli) {
        PEERAUTH_CLEANUP(client_statistics_done) ClientStatistics statistics = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_get_statistics(cli->bus, &statistics, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot ask the broker who you are");
        if (!strv_contains(statistics.roles, "administrator"))
                return cli_fail(CLIENT_EXIT_REFUSED,
                                "--all is for administrators, whom a rule names with Admins=; decide the "
                                "requests one by one");
        return CLIENT_EXIT_OK;
}

static bool fits(const Args *args, const ClientRequest *request) {
        return (!args->user || strcmp(args->user, request->user) == 0) &&
               (!args->service || strcmp(args->service, request->service) == 0) &&
               (!args->rhost || strcmp(args->rhost, request->rhost) == 0);
}

/* Why a request cannot be decided here, or NULL. */
static const char *obstacle(const Bulk *bulk, const ClientRequest *request) {
        if (bulk->approve && request->self)
                return "it is your own login";
        if (!request->can_decide)
                return *request->why_not ? request->why_not : "you may not decide it";
        if (bulk->approve && strcmp(request->code_mode, PEERAUTH_CODE_COMPARE) != 0)
                return "its rule wants the code to be typed (Code=enter)";
        if (bulk->approve && decision_lacks_note(bulk->cli, request))
                return "its rule requires a note; say it with --note=TEXT";
        return NULL;
}

static int collect(Bulk *bulk) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = client_list_requests(bulk->cli->bus, &bulk->list, &error);

        if (r < 0)
                return cli_fail_call(r, &error, "cannot list the requests");
        bulk->items = calloc(bulk->list.n_items + 1, sizeof(*bulk->items));
        if (!bulk->items)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        for (size_t i = 0; i < bulk->list.n_items; i++) {
                const ClientRequest *request = &bulk->list.items[i];
                const char *why = fits(&bulk->cli->args, request) ? obstacle(bulk, request) : NULL;

                if (!fits(&bulk->cli->args, request))
                        continue;
                bulk->items[bulk->n++] = (BulkItem){request, why ? "left-alone" : NULL,
                                                    why ? strdup(why) : NULL};
                bulk->n_able += !why;
        }
        if (bulk->n == 0)
                return cli_fail(CLIENT_EXIT_GONE, "no request that waits fits; see `peerauthctl list`");
        return CLIENT_EXIT_OK;
}

static int show(const Bulk *bulk) {
        for (size_t i = 0; i < bulk->n; i++) {
                int r = bulk->items[i].result ? CLIENT_EXIT_OK : decision_introduce(bulk->items[i].request);

                if (r != CLIENT_EXIT_OK)
                        return r;
        }
        return CLIENT_EXIT_OK;
}

static int confirm(const Bulk *bulk) {
        char question[64];
        int r = CLIENT_EXIT_OK;

        if (!bulk->cli->args.yes || !bulk->cli->args.quiet)
                r = show(bulk);
        if (r != CLIENT_EXIT_OK || bulk->cli->args.yes)
                return r;
        if (!prompt_has_terminal())
                return cli_fail(CLIENT_EXIT_USAGE,
                                "nobody can be asked without a terminal; give --yes to decide unasked");
        (void)snprintf(question, sizeof(question), "%s %zu request%s?", bulk->approve ? "Approve" : "Deny",
                       bulk->n_able, bulk->n_able == 1 ? "" : "s");
        return prompt_yes(question) ? CLIENT_EXIT_OK : cli_fail(CLIENT_EXIT_REFUSED, "nothing was decided");
}

/* Whether the request is, in all that decision_introduce() says, the one that the person saw (MUST 1). */
static bool was_shown(const ClientRequest *shown, const ClientRequest *request) {
        return strcmp(shown->user, request->user) == 0 && strcmp(shown->service, request->service) == 0 &&
               strcmp(shown->rhost, request->rhost) == 0 && strcmp(shown->tty, request->tty) == 0 &&
               strcmp(shown->reason, request->reason) == 0 && shown->verified == request->verified;
}

static int approve_item(const Bulk *bulk, BulkItem *item, Verdict *ret_state, sd_bus_error *ret_error) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0}; /* wipes the code */
        const char *why;
        int r;

        r = client_get_request(bulk->cli->bus, item->request->id, &request, ret_error);
        if (r < 0)
                return r;
        why = obstacle(bulk, &request);
        if (!why && !(was_shown(item->request, &request) && fits(&bulk->cli->args, &request)))
                why = "it is not the request that was shown";
        if (!why && !*request.code)
                why = "the broker does not say its code";
        if (why) {
                item->why = strdup(why);
                return -ECANCELED;
        }
        return decision_approve(bulk->cli, &request, request.code, bulk->cli->args.note, ret_state, NULL,
                                ret_error);
}

static const char *explain(int r, const sd_bus_error *error) {
        if (r == -EREMOTEIO && error->message)
                return error->message;
        return r == -EBADMSG ? "the broker's answer has the wrong form" : strerror(-r);
}

static void decide_item(const Bulk *bulk, BulkItem *item) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Verdict state = VERDICT_PENDING;
        int r;

        r = bulk->approve
                    ? approve_item(bulk, item, &state, &error)
                    : client_deny(bulk->cli->bus, item->request->id, bulk->cli->args.note, &state, &error);
        if (r < 0) {
                item->result = "failed";
                item->failed = true;
                if (!item->why)
                        item->why = strdup(explain(r, &error));
                return;
        }
        item->result = verdict_to_string(state);
        item->failed = state != VERDICT_PENDING &&
                       state != (bulk->approve ? VERDICT_APPROVED : VERDICT_DENIED);
        if (state == VERDICT_PENDING)
                item->why = strdup("your vote is recorded; others are still needed");
        else if (item->failed)
                item->why = strdup("it ended otherwise meanwhile");
}

static Record *item_record(const BulkItem *item) {
        Record *record = record_new();

        if (!record)
                return NULL;
        record_string(record, PEERAUTH_KEY_ID, NULL, item->request->id);
        record_string(record, PEERAUTH_KEY_USER, NULL, item->request->user);
        record_string(record, PEERAUTH_KEY_SERVICE, NULL, item->request->service);
        record_string(record, PEERAUTH_KEY_RHOST, NULL, item->request->rhost);
        record_string(record, "result", NULL, item->result);
        record_string(record, "why", NULL, item->why ? item->why : "");
        return record;
}

static int print_json(const Bulk *bulk) {
        _cleanup_records_ Records records = {0};
        int r = 0;

        for (size_t i = 0; r == 0 && i < bulk->n; i++)
                r = records_add(&records, item_record(&bulk->items[i]));
        return r < 0 ? r : output_table(&bulk->cli->style, NULL, &records);
}

/* "approved 3f2a9c11 (alice)"; what was not done goes to stderr, where errors are. */
static void print_text(const Bulk *bulk) {
        for (size_t i = 0; i < bulk->n; i++) {
                const BulkItem *item = &bulk->items[i];

                if (item->failed || strcmp(item->result, "left-alone") == 0)
                        (void)cli_fail(0, "%s: request %.8s of '%s': %s",
                                       item->failed ? "failed" : "left alone", item->request->id,
                                       item->request->user, item->why ? item->why : "out of memory");
                else
                        cli_say(bulk->cli, "%s: request %.8s of %s%s%s", item->result, item->request->id,
                                item->request->user, item->why ? ": " : "", item->why ? item->why : "");
        }
}

static int report(const Bulk *bulk) {
        size_t n_failed = 0;

        for (size_t i = 0; i < bulk->n; i++)
                n_failed += bulk->items[i].failed;
        if (bulk->cli->style.json == JSON_OFF)
                print_text(bulk);
        else if (print_json(bulk) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        if (n_failed > 0)
                return CLIENT_EXIT_ERROR;
        return bulk->n_able > 0 ? CLIENT_EXIT_OK : CLIENT_EXIT_REFUSED;
}

int bulk_decide(Cli *cli, bool approve) {
        PEERAUTH_CLEANUP(bulk_done) Bulk bulk = {.cli = cli, .approve = approve};
        PEERAUTH_CLEANUP(agent_stop) Agent agent = {0};
        int r;

        r = require_administrator(cli);
        if (r == CLIENT_EXIT_OK)
                r = collect(&bulk);
        if (r == CLIENT_EXIT_OK && bulk.n_able > 0)
                r = confirm(&bulk);
        if (r != CLIENT_EXIT_OK)
                return r;
        if (approve && bulk.n_able > 0)
                agent_start(&agent, cli->args.bus);
        for (size_t i = 0; i < bulk.n; i++)
                if (!bulk.items[i].result)
                        decide_item(&bulk, &bulk.items[i]);
        agent_stop(&agent);
        return report(&bulk);
}
