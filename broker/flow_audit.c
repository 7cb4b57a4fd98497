/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An auditor reads: a copy of the ledger that does not hold up anybody's login. */
#include <errno.h>
#include <stdlib.h>

#include "broker/flow_internal.h"
#include "common/cleanup.h"

typedef struct FlowAudit {
        Flow *flow; /* NULL once nobody waits for it; touched only by the loop */
        struct FlowAudit *next;
        const char *state_dir;
        Reply *reply;
        FlowSnapshotDone done;
        void *userdata;
        int result;
        LedgerSnapshot snapshot;
} FlowAudit;

static void audit_run(void *userdata) {
        FlowAudit *audit = userdata;

        audit->result = ledger_snapshot(audit->state_dir, &audit->snapshot);
}

static void audit_unlink(FlowAudit *audit) {
        FlowAudit **link = &audit->flow->audits;

        while (*link != audit)
                link = &(*link)->next;
        *link = audit->next;
        audit->flow->n_audits--;
}

static void audit_done(void *userdata) {
        FlowAudit *audit = userdata;

        if (audit->flow) {
                audit_unlink(audit);
                audit->done(audit->result, &audit->snapshot, STEAL_PTR(audit->reply), audit->userdata);
        }
        if (audit->result >= 0)
                (void)close(audit->snapshot.fd);
        free(audit);
}

void flow_audit_abandon(Flow *flow) {
        for (FlowAudit *audit = flow->audits; audit; audit = audit->next) {
                audit->flow = NULL;
                audit->reply = reply_free(audit->reply);
        }
        flow->audits = NULL;
        flow->n_audits = 0;
}

void flow_snapshot(Flow *flow, Reply *reply, FlowSnapshotDone done, void *userdata) {
        FlowAudit *audit = flow->n_audits < FLOW_SNAPSHOTS_MAX ? calloc(1, sizeof(*audit)) : NULL;

        if (!audit) {
                reply_prepare_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                    "The ledger is being copied for others; try again in a moment.");
                reply_free(reply);
                return;
        }
        *audit = (FlowAudit){.flow = flow,
                             .next = flow->audits,
                             .state_dir = flow->state_dir,
                             .reply = reply,
                             .result = -ECANCELED,
                             .done = done,
                             .userdata = userdata};
        if (worker_submit(flow->worker, WORKER_COPY, NULL, audit_run, audit_done, audit) < 0) {
                reply_free(reply);
                free(audit);
                return;
        }
        flow->audits = audit;
        flow->n_audits++;
}
