/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs share: the connection, one-line errors, and finding the request that a person named.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/client_resolve.h"
#include "common/text.h"

enum { ERROR_MAX = 2048 };

/* Formats one line, harmless whatever was formatted into it; NULL: no memory. Caller frees. */
static char *format_line(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
static char *format_line(const char *format, va_list ap) {
        _cleanup_free_ char *line = NULL;

        if (vasprintf(&line, format, ap) < 0) {
                line = NULL;
                return NULL;
        }
        return text_safe(line, ERROR_MAX);
}

int cli_fail(int status, const char *format, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;

        va_start(ap, format);
        line = format_line(format, ap);
        va_end(ap);
        (void)fprintf(stderr, "peerauthctl: %s\n", line ? line : "out of memory");
        return status;
}

int cli_fail_call(int r, const sd_bus_error *error, const char *format, ...) {
        const ClientError *explained = client_error_explain(r, error);
        _cleanup_free_ char *what = NULL, *why = NULL;
        const char *reason;
        size_t size;
        va_list ap;

        va_start(ap, format);
        what = format_line(format, ap);
        va_end(ap);
        if (r == -EREMOTEIO && error && error->name)
                reason = error->message && *error->message ? error->message : error->name;
        else if (r == -EBADMSG)
                reason = "the broker's answer has the wrong form";
        else
                reason = strerror(-r);
        why = text_safe(reason, ERROR_MAX);
        size = why ? strlen(why) : 0;
        if (size > 0 && why[size - 1] == '.') /* a remedy follows on the same line */
                why[size - 1] = '\0';
        (void)fprintf(stderr, "peerauthctl: %s: %s; %s\n", what ? what : "", why ? why : "out of memory",
                      explained->remedy);
        return explained->status;
}

void cli_say(const Cli *cli, const char *format, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;

        if (cli->args.quiet)
                return;
        va_start(ap, format);
        line = format_line(format, ap);
        va_end(ap);
        (void)printf("%s\n", line ? line : "out of memory");
}

int cli_connect(Cli *cli) {
        int r;

        if (cli->bus)
                return CLIENT_EXIT_OK;
        r = client_connect(cli->args.bus, &cli->bus);
        if (r == -EINVAL && cli->args.bus)
                return cli_fail(CLIENT_EXIT_USAGE, "'%s' is not a D-Bus address; write it as unix:path=/...",
                                cli->args.bus);
        if (r < 0)
                return cli_fail_call(r, NULL, "cannot connect to the system bus");
        return CLIENT_EXIT_OK;
}

/* Tells which requests a name can mean. */
static int fail_ambiguous(const ClientRequestList *list, const char *name) {
        _cleanup_free_ char *candidates = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&candidates, &size);

        if (!f)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        for (size_t i = 0; i < list->n_items; i++)
                if (client_resolve_matches(&list->items[i], name))
                        (void)fprintf(f, "%s%.*s (%s, %s%s%s)", ftell(f) > 0 ? ", " : "",
                                      (int)client_resolve_short(list, i), list->items[i].id,
                                      list->items[i].user, list->items[i].service,
                                      *list->items[i].rhost ? " from " : "", list->items[i].rhost);
        if (fclose(f) != 0)
                return cli_fail(CLIENT_EXIT_ERROR, "out of memory");
        return cli_fail(CLIENT_EXIT_USAGE, "'%s' can mean several requests; name one by its id: %s", name,
                        candidates);
}

static int fail_unresolved(int r, const ClientRequestList *list, const char *name) {
        switch (r) {
        case -EINVAL: /* the word is not repeated: it may be a living code */
                return cli_fail(
                        CLIENT_EXIT_USAGE,
                        "that looks like a code, and a code is never an argument: other people on this host "
                        "can read it there; name the request by its requester or id, and you are asked "
                        "for the code");
        case -ENOTUNIQ:
                return fail_ambiguous(list, name);
        default:
                return cli_fail(CLIENT_EXIT_GONE,
                                "no request by the name '%s' is waiting; see `peerauthctl list`", name);
        }
}

int cli_select(Cli *cli, const char *name, ClientRequest *ret_request) {
        PEERAUTH_CLEANUP(client_request_list_done) ClientRequestList list = {0};
        PEERAUTH_CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        size_t index;
        int r;

        r = cli_connect(cli);
        if (r != CLIENT_EXIT_OK)
                return r;
        r = client_list_requests(cli->bus, &list, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot list the requests");
        r = client_resolve(&list, name, &index);
        if (r < 0)
                return fail_unresolved(r, &list, name);
        r = client_get_request(cli->bus, list.items[index].id, ret_request, &error);
        if (r < 0)
                return cli_fail_call(r, &error, "cannot read the request of '%s'", list.items[index].user);
        return CLIENT_EXIT_OK;
}
