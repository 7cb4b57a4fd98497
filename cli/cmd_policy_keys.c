/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy keys: what can stand in a rule, from the table that reads it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "common/policy_key.h"

enum { KEYS_MAX = 64, KEY_FIELDS = 4 };

static const char *const fields[KEY_FIELDS] = {"key", "type", "default", "help"};

static const OutputColumn columns[] = {
        {"key", "KEY"}, {"type", "TYPE"}, {"default", "DEFAULT"}, {"help", "WHAT IT SAYS", .cut = true},
        {NULL},
};

/* The table as policy_key_print() writes it; NULL: no memory. */
static char *print_table(void) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        policy_key_print(f);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static Record *key_record(char *line) {
        Record *record = record_new();

        for (size_t i = 0; record && i < KEY_FIELDS; i++) {
                char *field = strsep(&line, "\t");

                record_string(record, fields[i], NULL, field ? field : "");
        }
        return record;
}

int cmd_policy_keys(Cli *cli, char **words) {
        _cleanup_free_ char *table = print_table();
        char *rest = table, *line;
        Record *records[KEYS_MAX];
        size_t n = 0;
        int r = table ? 0 : -ENOMEM;

        (void)words;
        while (r == 0 && n < KEYS_MAX && (line = strsep(&rest, "\n")) && *line) {
                records[n] = key_record(line);
                r = records[n] ? 0 : -ENOMEM;
                n += r == 0;
        }
        if (r == 0)
                r = output_table(&cli->style, columns, records, n);
        while (n > 0)
                record_free(records[--n]);
        if (r < 0)
                return cli_fail(CLIENT_EXIT_ERROR, "cannot print the keys: no memory, or the output is gone");
        return CLIENT_EXIT_OK;
}
