/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See describe.h. The text is static: times are wall-clock times, so nothing has to be updated while it
 * is on the screen.
 */
#include "notifier/describe.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/protocol.h"
#include "common/text.h"

/* Bytes shown of each foreign string: a popup has room for a few lines. */
enum { USER_SHOWN = 64, SERVICE_SHOWN = 32, PLACE_SHOWN = 64, REVIEWERS_SHOWN = 120, ID_SHOWN = 8 };
enum { CLOCK_TEXT_MAX = 32 };

void description_done(Description *description) {
        free(description->summary);
        free(description->body);
        *description = (Description){0};
}

char *describe_user(const ClientRequest *request) {
        return text_safe(request->user, USER_SHOWN);
}

static void clock_text(uint64_t realtime_usec, char ret[CLOCK_TEXT_MAX]) {
        time_t seconds = (time_t)(realtime_usec / PEERAUTH_USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, CLOCK_TEXT_MAX, "%H:%M:%S", &tm) == 0)
                strcpy(ret, "?");
}

/* Whether a name can be typed behind a command as it stands, and is not taken for an option. */
static bool is_plain_word(const char *name) {
        if (!isalnum((unsigned char)name[0]) || strlen(name) > USER_SHOWN)
                return false;
        for (const char *c = name; *c; c++)
                if (!isascii(*c) || (!isalnum((unsigned char)*c) && !strchr("._-", *c)))
                        return false;
        return true;
}

static int describe_origin(const ClientRequest *request, char **ret_text) {
        _cleanup_free_ char *rhost = text_safe(request->rhost, PLACE_SHOWN);
        _cleanup_free_ char *tty = text_safe(request->tty, PLACE_SHOWN);
        char since[CLOCK_TEXT_MAX];

        if (!rhost || !tty)
                return -ENOMEM;
        clock_text(request->created_usec, since);
        return asprintf(ret_text, "%s%s%s%s, since %s.", *rhost ? "From " : "On this computer", rhost,
                        *tty ? ", terminal " : "", tty, since) < 0
                       ? -ENOMEM
                       : 0;
}

static int describe_progress(const ClientRequest *request, uint64_t decide_before_usec, char **ret_text) {
        _cleanup_free_ char *reviewers = text_safe(request->reviewers, REVIEWERS_SHOWN);
        unsigned missing = request->needed > request->approvals ? request->needed - request->approvals : 0;
        char before[CLOCK_TEXT_MAX];
        int r;

        if (!reviewers)
                return -ENOMEM;
        clock_text(decide_before_usec, before);
        if (missing > 0)
                r = asprintf(ret_text, "Approvals still missing: %u of %u. Decide before %s.", missing,
                             request->needed, before);
        else
                r = asprintf(ret_text, "Needs %s. Decide before %s.", reviewers, before);
        return r < 0 ? -ENOMEM : 0;
}

static int describe_remedy(const ClientRequest *request, const char *user, bool buttons, char **ret_text) {
        bool compare = strcmp(request->code_mode, PEERAUTH_CODE_COMPARE) == 0;
        char name[USER_SHOWN + 1];
        int r;

        (void)snprintf(name, sizeof(name), is_plain_word(request->user) ? "%s" : "%.8s",
                       is_plain_word(request->user) ? request->user : request->id);
        if (compare && buttons)
                r = asprintf(ret_text, "Compare the code with %s before you approve: peerauthctl show %s",
                             user, name);
        else if (compare)
                r = asprintf(ret_text,
                             "Compare the code with %s: peerauthctl show %s\n"
                             "Then: peerauthctl approve %s, or peerauthctl deny %s",
                             user, name, name, name);
        else
                r = asprintf(ret_text, "Ask %s for the code, then: peerauthctl approve %s%s%s", user, name,
                             buttons ? "" : "\nTo refuse: peerauthctl deny ", buttons ? "" : name);
        return r < 0 ? -ENOMEM : 0;
}

int describe_request(const ClientRequest *request, bool buttons, uint64_t decide_before_usec,
                     Description *ret_description) {
        _cleanup_free_ char *user = describe_user(request),
                            *service = text_safe(request->service, SERVICE_SHOWN);
        _cleanup_free_ char *origin = NULL, *progress = NULL, *remedy = NULL, *summary = NULL, *body = NULL;

        if (!user || !service || describe_origin(request, &origin) < 0 ||
            describe_progress(request, decide_before_usec, &progress) < 0 ||
            describe_remedy(request, user, buttons, &remedy) < 0 ||
            asprintf(&summary, "%s waits to log in (%s)", user, service) < 0 ||
            asprintf(&body, "%s\n%s%s\n%s", origin,
                     request->verified ? "" : "Not verified: the account itself asked, not the system.\n",
                     progress, remedy) < 0)
                return -ENOMEM;
        *ret_description = (Description){.summary = STEAL_PTR(summary), .body = STEAL_PTR(body)};
        return 0;
}

int describe_more(unsigned count, Description *ret_description) {
        _cleanup_free_ char *summary = NULL, *body = NULL;

        if (asprintf(&summary, "%u more %s", count, count == 1 ? "request waits" : "requests wait") < 0 ||
            asprintf(&body, "To see them all: peerauthctl list") < 0)
                return -ENOMEM;
        *ret_description = (Description){.summary = STEAL_PTR(summary), .body = STEAL_PTR(body)};
        return 0;
}
