/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy keys: what can stand in a rule, from the table that reads it. */
#include "cli/cli.h"
#include "common/policy_key.h"

static const OutputColumn columns[] = {
        {"key", "KEY"}, {"type", "TYPE"}, {"default", "DEFAULT"}, {"help", "WHAT IT SAYS", .cut = true},
        {NULL},
};

static Record *key_record(const PolicyKeyRow *row) {
        Record *record = record_new();

        if (!record)
                return NULL;
        record_string(record, "key", NULL, row->name);
        record_string(record, "type", NULL, row->type);
        record_string(record, "default", NULL, row->fallback);
        record_string(record, "help", NULL, row->help);
        return record;
}

int cmd_policy_keys(Cli *cli, char **words) {
        _cleanup_records_ Records records = {0};
        PolicyKeyRow row;
        int r = 0;

        (void)words;
        for (size_t i = 0; r == 0 && policy_key_get(i, &row); i++)
                r = records_add(&records, key_record(&row));
        if (r == 0)
                r = output_table(&cli->style, columns, &records);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "cannot print the keys: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
