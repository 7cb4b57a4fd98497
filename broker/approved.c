/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two small rings, approvals and sessions, and the question to logind that leads from one to the other. */
#include "broker/approved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/person.h"
#include "common/clock.h"
#include "common/log.h"

/* MUST 2. */
typedef struct ApprovedProcess {
        pid_t pid; /* 0: none */
        uint64_t start;
} ApprovedProcess;

typedef struct ApprovedLogin {
        bool waits;
        uid_t uid;
        uint64_t since_mono_usec;
        ApprovedProcess owner, parent;
} ApprovedLogin;

typedef struct ApprovedOpening {
        Approved *approved;
        struct ApprovedOpening *next;
        sd_bus_slot *slot;
        ApprovedDone done;
        void *userdata;
} ApprovedOpening;

struct Approved {
        sd_bus *bus;
        ApprovedLogin logins[APPROVED_MAX];
        LogindSession sessions[APPROVED_MAX]; /* an id of "": none */
        unsigned next_login, next_session;
        ApprovedOpening *openings;
        unsigned n_openings;
};

int approved_new(sd_bus *bus, Approved **ret_approved) {
        Approved *approved = calloc(1, sizeof(*approved));

        if (!approved)
                return -ENOMEM;
        approved->bus = sd_bus_ref(bus);
        *ret_approved = approved;
        return 0;
}

/* Answers and frees it. */
static void opening_end(ApprovedOpening *opening, int r) {
        ApprovedOpening **link = &opening->approved->openings;

        while (*link != opening)
                link = &(*link)->next;
        *link = opening->next;
        opening->approved->n_openings--;
        sd_bus_slot_unref(opening->slot);
        opening->done(r, opening->userdata);
        free(opening);
}

Approved *approved_free(Approved *approved) {
        if (!approved)
                return NULL;
        while (approved->openings)
                opening_end(approved->openings, -ECANCELED);
        sd_bus_unref(approved->bus);
        free(approved);
        return NULL;
}

/* ---- approvals ---- */

/* pid 1 leads no session: it is the parent of whoever lost its own. */
static int process_identify(pid_t pid, pid_t *ret_parent, ApprovedProcess *ret_process) {
        ApprovedProcess process = {.pid = pid};
        int r;

        if (pid <= 1)
                return -ESRCH;
        r = person_process_start(pid, ret_parent, &process.start);
        if (r < 0)
                return r;
        *ret_process = process;
        return 0;
}

void approved_expect(Approved *approved, uid_t uid, pid_t owner, pid_t parent) {
        ApprovedLogin login = {.waits = true, .uid = uid, .since_mono_usec = clock_usec(CLOCK_MONOTONIC)};
        pid_t parent_now = 0;
        int r;

        r = process_identify(owner, &parent_now, &login.owner);
        if (r < 0) {
                log_debug("process %d does not wait for its approval any more: %s", (int)owner, strerror(-r));
                return;
        }
        /* Another parent than when it asked: the first one has ended, and its pid may be anybody's. */
        if (parent_now == parent)
                (void)process_identify(parent, NULL, &login.parent);
        approved->logins[approved->next_login++ % APPROVED_MAX] = login;
}

/* MUST 3. */
static bool login_fits(const ApprovedLogin *login, const LogindSession *session,
                       const ApprovedProcess *leader) {
        const ApprovedProcess *either[] = {&login->owner, &login->parent};

        if (!login->waits || login->uid != session->uid ||
            session->since_mono_usec < login->since_mono_usec ||
            session->since_mono_usec - login->since_mono_usec > APPROVED_WAIT_USEC)
                return false;
        for (unsigned i = 0; i < 2; i++)
                if (either[i]->pid == leader->pid && either[i]->start == leader->start)
                        return true;
        return false;
}

static ApprovedLogin *approved_find_login(Approved *approved, const LogindSession *session) {
        ApprovedProcess leader;

        if (process_identify(session->leader, NULL, &leader) < 0)
                return NULL;
        for (unsigned i = 0; i < APPROVED_MAX; i++)
                if (login_fits(&approved->logins[i], session, &leader))
                        return &approved->logins[i];
        return NULL;
}

/* ---- sessions ---- */

static int approved_add(Approved *approved, const LogindSession *session) {
        ApprovedLogin *login = approved_find_login(approved, session);

        if (!login)
                return 0;
        login->waits = false;
        approved_close(approved, session->id);
        approved->sessions[approved->next_session++ % APPROVED_MAX] = *session;
        return 1;
}

static int on_session(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        ApprovedOpening *opening = userdata;
        LogindSession session;
        int r;

        (void)ret_error;
        /* Whether it counts does not matter yet: a session that begins is not active at once. */
        r = logind_read_session(m, &session);
        if (r >= 0)
                r = approved_add(opening->approved, &session);
        opening_end(opening, r);
        return 0;
}

int approved_open(Approved *approved, const char *id, ApprovedDone done, void *userdata) {
        ApprovedOpening *opening;
        int r;

        if (approved->n_openings >= APPROVED_OPENING_MAX)
                return -ENOBUFS;
        opening = calloc(1, sizeof(*opening));
        if (!opening)
                return -ENOMEM;
        *opening = (ApprovedOpening){.approved = approved, .done = done, .userdata = userdata};
        r = presence_ask_session(approved->bus, id, &opening->slot, on_session, opening);
        if (r < 0) {
                free(opening);
                return r;
        }
        opening->next = approved->openings;
        approved->openings = opening;
        approved->n_openings++;
        return 0;
}

void approved_close(Approved *approved, const char *id) {
        for (unsigned i = 0; i < APPROVED_MAX; i++)
                if (strcmp(approved->sessions[i].id, id) == 0)
                        approved->sessions[i] = (LogindSession){0};
}

/* logind may use an id again after it was restarted, so the session must also be as old as the one that was
 * seen to begin. */
bool approved_has(const Approved *approved, const LogindSession *session, uint64_t before_usec) {
        if (!*session->id || session->since_usec == 0 || session->since_usec >= before_usec)
                return false;
        for (unsigned i = 0; i < APPROVED_MAX; i++) {
                const LogindSession *known = &approved->sessions[i];

                if (strcmp(known->id, session->id) == 0 && known->uid == session->uid &&
                    known->leader == session->leader && known->since_usec == session->since_usec &&
                    known->since_mono_usec == session->since_mono_usec)
                        return true;
        }
        return false;
}
