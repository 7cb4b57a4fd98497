/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show: everything about one request. */
#include "cli/cli.h"
#include "cli/request_view.h"

int cmd_show(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(client_request_done) ClientRequest request = {0};
        _cleanup_record_ Record *record = NULL;
        int r;

        r = cli_select(cli, words[0], &request);
        if (r != CLIENT_EXIT_OK)
                return r;
        record = request_view(&request, 0);
        if (!record || output_record(&cli->style, record) < 0)
                return cli_fail(CLIENT_EXIT_ERROR,
                                "cannot print the request: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
