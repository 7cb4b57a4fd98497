/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sessions began with an approval. Only root reports them, and the report only names one. */
#include <string.h>

#include "broker/flow_internal.h"

void flow_expect_session(Flow *flow, const Request *request) {
        /* An unprivileged program opens no session: it unlocks one. */
        if (request->verified)
                approved_expect(flow->approved, request->state.requester, request->owner_pid,
                                request->owner_parent);
}

static bool session_allowed(Reply *reply, const Caller *caller) {
        if (caller->uid == 0)
                return true;
        reply_prepare_error(reply, SD_BUS_ERROR_ACCESS_DENIED, "Only root reports sessions.");
        reply_free(reply);
        return false;
}

static void on_opened(int r, void *userdata) {
        Reply *reply = userdata;

        if (r < 0)
                reply_prepare_error(reply, SD_BUS_ERROR_FAILED,
                                    "logind does not say whose session this is: %s.", strerror(-r));
        else
                reply_prepare_empty(reply);
        reply_free(reply);
}

void flow_session_opened(Flow *flow, Reply *reply, const Caller *caller, const char *session) {
        int r;

        if (!session_allowed(reply, caller))
                return;
        r = approved_open(flow->approved, session, on_opened, reply);
        if (r < 0)
                on_opened(r, reply);
}

void flow_session_closed(Flow *flow, Reply *reply, const Caller *caller, const char *session) {
        if (!session_allowed(reply, caller))
                return;
        approved_close(flow->approved, session);
        reply_prepare_empty(reply);
        reply_free(reply);
}
