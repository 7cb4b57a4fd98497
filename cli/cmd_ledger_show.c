/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger show: the entries, as a table or, with --json, exactly as they are stored, one a line.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/request_view.h"
#include "common/checkpoint.h"
#include "common/strv.h"

static const OutputColumn columns[] = {
        {"index", "INDEX", .right = true},
        {"when", "TIME"},
        {"kind", "KIND"},
        {"user", "USER", .word = true},
        {"by", "BY"},
        {"outcome", "OUTCOME"},
        {"vote", "VOTE"},
        {"reason", "REASON", .cut = true},
        {NULL},
};

/* An entry is printable ASCII by its definition; one that is not is not printed as it is. */
static bool is_entry(const char *text) {
        for (; *text; text++)
                if (*text < 0x20 || *text > 0x7e)
                        return false;
        return true;
}

static int print_raw(char **entries) {
        for (; *entries; entries++) {
                if (!is_entry(*entries))
                        return -EBADMSG;
                (void)puts(*entries);
        }
        return 0;
}

static Record *parse_entry(const char *text) {
        Record *record = record_parse(text);
        char when[REQUEST_VIEW_SPAN];

        if (record)
                record_text(record, "when", NULL, request_view_time(record_number(record, "time"), when));
        return record;
}

static int print_table(const OutputStyle *style, char **entries) {
        _cleanup_records_ Records records = {0};
        int r = 0;

        for (; r == 0 && *entries; entries++) {
                Record *record = parse_entry(*entries);

                r = record ? records_add(&records, record) : -EBADMSG;
        }
        return r < 0 ? r : output_table(style, columns, &records);
}

static int print_page(const Cli *cli, char **entries, bool first) {
        OutputStyle style = cli->style;

        if (style.json != JSON_OFF)
                return print_raw(entries);
        style.legend = style.legend && first;
        return print_table(&style, entries);
}

static int print_from(Cli *cli, uint64_t first, uint64_t size) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t next = first;
        int r;

        while (next < size) {
                uint64_t left = size - next;
                _cleanup_strv_ char **entries = NULL;

                r = client_read_entries(cli->bus, next,
                                        left < PEERAUTH_ENTRIES_PAGE ? (uint32_t)left : PEERAUTH_ENTRIES_PAGE,
                                        &entries, &error);
                if (r < 0)
                        return cli_fail_call(r, &error, "cannot read the ledger from entry %" PRIu64, next);
                if (strv_length(entries) == 0) /* it said that there were more */
                        r = -EBADMSG;
                else
                        r = print_page(cli, entries, next == first);
                if (r < 0)
                        return cli_fail_call(r, NULL, "cannot print the ledger from entry %" PRIu64, next);
                next += strv_length(entries);
        }
        return CLIENT_EXIT_OK;
}

int cmd_ledger_show(Cli *cli, char **words) {
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *note = NULL, *vkey = NULL;
        Checkpoint checkpoint;
        uint64_t lines = cli->args.lines;
        int r;

        (void)words;
        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_get_checkpoint(cli->bus, &note, &vkey, &error);
        if (r >= 0)
                r = checkpoint_parse(note, &checkpoint);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot ask for the size of the ledger");
        return print_from(cli, lines > 0 && lines < checkpoint.size ? checkpoint.size - lines : 0,
                          checkpoint.size);
}
