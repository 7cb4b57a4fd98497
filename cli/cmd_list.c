/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list: the requests that wait, oldest first. */
#include "cli/cli.h"
#include "cli/request_view.h"
#include "common/client_resolve.h"

static const OutputColumn columns[] = {
        {"short-id", "ID"},
        {PEERAUTH_KEY_USER, "USER", .word = true},
        {PEERAUTH_KEY_SERVICE, "SERVICE", .word = true},
        {"from", "FROM", .cut = true, .word = true},
        {"age", "AGE", .right = true},
        {"time-left", "LEFT", .right = true},
        {"votes", "APPROVALS", .right = true},
        {"rule-text", "RULE", .cut = true},
        {NULL},
};

static int print(const Cli *cli, const ClientRequestList *list) {
        _cleanup_records_ Records records = {0};
        int r = 0;

        for (size_t i = 0; r == 0 && i < list->n_items; i++)
                r = records_add(&records, request_view(&list->items[i], client_resolve_short(list, i)));
        return r < 0 ? r : output_table(&cli->style, columns, &records);
}

int cmd_list(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(client_request_list_done) ClientRequestList list = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        (void)words;
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_list_requests(cli->bus, &list, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot list the requests");
        if (list.n_items == 0 && cli->style.json == JSON_OFF) {
                if (cli->style.legend)
                        cli_say(cli, "No request is waiting.");
                return CLIENT_EXIT_OK;
        }
        if (print(cli, &list) < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "cannot print the list: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
