/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The requester waits for the decision, or takes the request back. */
#include <string.h>

#include "broker/flow_internal.h"
#include "common/clock.h"

Request *flow_own_request(Flow *flow, Reply **reply, const char *id) {
        const char *sender = sd_bus_message_get_sender(reply_call(*reply));
        Request *request = registry_find(flow->registry, id);

        if (request && request->owner && sender && strcmp(request->owner, sender) == 0)
                return request;
        reply_prepare_error(*reply, PEERAUTH_ERROR_NO_SUCH_REQUEST, "There is no such request.");
        *reply = reply_free(*reply);
        return NULL;
}

void flow_wait(Flow *flow, Reply *reply, const char *id) {
        Request *request;

        flow_commit(flow);
        request = flow_own_request(flow, &reply, id);
        if (!request)
                return;
        if (request->waiter) {
                reply_prepare_error(reply, SD_BUS_ERROR_INVALID_ARGS, "This request is already waited for.");
                reply_free(reply);
                return;
        }
        request->waiter = reply;
        if (verdict_is_final(request->state.verdict))
                flow_publish(flow, request);
}

void flow_cancel(Flow *flow, Reply *reply, const char *id) {
        const RequestEvent event = {.kind = REQUEST_EVENT_CANCEL, .now_usec = clock_boottime_usec()};
        Request *request = flow_own_request(flow, &reply, id);

        if (!request)
                return;
        /* One that is decided already is not an error: the requester has gone either way. */
        (void)flow_event(flow, request, &event, NULL);
        reply_prepare_empty(reply);
        flow_hold(flow, reply);
}
