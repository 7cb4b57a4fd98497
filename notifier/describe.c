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
enum {
        USER_SHOWN = 64,
        SERVICE_SHOWN = 32,
        PLACE_SHOWN = 64,
        REVIEWERS_SHOWN = 120,
        REASON_SHOWN = 120,
        PATTERN_SHOWN = 60,
        ID_SHOWN = 8,
};
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

/* What the person says it is for, on a line of its own and named as theirs: it is no word of ours. */
static int describe_reason(const ClientRequest *request, char **ret_text) {
        _cleanup_free_ char *reason = text_safe(request->reason, REASON_SHOWN);

        if (!reason)
                return -ENOMEM;
        if (!reason[strspn(reason, " ")]) {
                *ret_text = strdup("");
                return *ret_text ? 0 : -ENOMEM;
        }
        return asprintf(ret_text, "Reason given: %s\n", reason) < 0 ? -ENOMEM : 0;
}

static int describe_missing(const ClientRequest *request, char **ret_text) {
        _cleanup_free_ char *reviewers = text_safe(request->reviewers, REVIEWERS_SHOWN);
        int r;

        if (!reviewers)
                return -ENOMEM;
        if (request->missing == UINT32_MAX || request->missing == 0)
                r = asprintf(ret_text, "Needs %s.", reviewers);
        else if (request->missing <= request->needed)
                r = asprintf(ret_text, "Approvals still missing: %u of %u.", request->missing,
                             request->needed);
        else
                r = asprintf(ret_text, "Approvals still missing: %u.", request->missing);
        return r < 0 ? -ENOMEM : 0;
}

static int describe_progress(const ClientRequest *request, uint64_t decide_before_usec, char **ret_text) {
        _cleanup_free_ char *missing = NULL;
        char before[CLOCK_TEXT_MAX], denials[sizeof(" Denials so far: 4294967295.")] = "";

        if (describe_missing(request, &missing) < 0)
                return -ENOMEM;
        clock_text(decide_before_usec, before);
        if (request->denials > 0)
                (void)snprintf(denials, sizeof(denials), " Denials so far: %u.", request->denials);
        return asprintf(ret_text, "%s%s%s Decide before %s.", missing, denials,
                        request->escalated ? " Escalated: nobody decided in time." : "", before) < 0
                       ? -ENOMEM
                       : 0;
}

static bool is_compared(const ClientRequest *request) {
        return strcmp(request->code_mode, PEERAUTH_CODE_COMPARE) == 0;
}

bool describe_one_click(const ClientRequest *request) {
        return is_compared(request) && !client_request_needs_note(request);
}

/* "" if the rule asks for none. */
static int describe_note(const ClientRequest *request, char **ret_text) {
        _cleanup_free_ char *pattern = text_safe(request->note_pattern, PATTERN_SHOWN);
        int r;

        if (!pattern)
                return -ENOMEM;
        if (!client_request_needs_note(request))
                r = asprintf(ret_text, "%s", "");
        else if (*pattern)
                r = asprintf(ret_text, "\nThe rule asks for a note that matches: %s", pattern);
        else
                r = asprintf(ret_text, "%s", "\nThe rule asks for a note.");
        return r < 0 ? -ENOMEM : 0;
}

/* What the person has to do first. */
static int describe_check(const ClientRequest *request, const char *user, char **ret_text) {
        const char *from = request->self ? "your other screen" : user;
        int r;

        if (is_compared(request))
                r = asprintf(ret_text, "Compare the code with %s", from);
        else
                r = asprintf(ret_text, "%s %s for the code", request->self ? "Look at" : "Ask", from);
        return r < 0 ? -ENOMEM : 0;
}

/* The request as it is named in a command. */
static void name_request(const ClientRequest *request, char ret[USER_SHOWN + 1]) {
        bool plain = is_plain_word(request->user);

        (void)snprintf(ret, USER_SHOWN + 1, "%.*s", plain ? USER_SHOWN : ID_SHOWN,
                       plain ? request->user : request->id);
}

static int describe_remedy(const ClientRequest *request, const char *user, bool buttons, char **ret_text) {
        _cleanup_free_ char *check = NULL, *note = NULL;
        char name[USER_SHOWN + 1];
        const char *deny = buttons ? "" : "\nTo refuse: peerauthctl deny ", *denied = buttons ? "" : name;
        int r;

        if (describe_check(request, user, &check) < 0 || describe_note(request, &note) < 0)
                return -ENOMEM;
        name_request(request, name);
        if (!is_compared(request))
                r = asprintf(ret_text, "%s, then: peerauthctl approve %s%s%s%s", check, name, note, deny,
                             denied);
        else if (buttons && describe_one_click(request))
                r = asprintf(ret_text, "%s before you approve: peerauthctl show %s", check, name);
        else
                r = asprintf(ret_text, "%s: peerauthctl show %s\nThen: peerauthctl approve %s%s%s%s", check,
                             name, name, note, deny, denied);
        return r < 0 ? -ENOMEM : 0;
}

int describe_request(const ClientRequest *request, bool buttons, uint64_t decide_before_usec,
                     Description *ret_description) {
        _cleanup_free_ char *user = describe_user(request),
                            *service = text_safe(request->service, SERVICE_SHOWN);
        _cleanup_free_ char *origin = NULL, *reason = NULL, *progress = NULL, *remedy = NULL;
        _cleanup_free_ char *summary = NULL, *body = NULL;

        if (!user || !service || describe_origin(request, &origin) < 0 ||
            describe_reason(request, &reason) < 0 ||
            describe_progress(request, decide_before_usec, &progress) < 0 ||
            describe_remedy(request, user, buttons, &remedy) < 0 ||
            asprintf(&summary, "%s waits to log in (%s)%s", user, service,
                     request->self ? ": your own login" : "") < 0 ||
            asprintf(&body, "%s\n%s%s%s\n%s", origin,
                     request->verified ? "" : "Not verified: the account itself asked, not the system.\n",
                     reason, progress, remedy) < 0)
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
