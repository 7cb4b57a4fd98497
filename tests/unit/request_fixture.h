/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and events for the tests of the state machine. Included after cmocka.h. */
#pragma once

#include <string.h>

#include "broker/request.h"

enum { REQUESTER = 1000, ANNA = 1001, BERT = 1002, CARL = 1003, START = 5000, DEADLINE = 9000 };
/* Parts of the quorums below. */
enum { A = 1, B = 2, C = 4 };

static inline RequestState start(const RequestTerms *terms) {
        RequestState state;

        memset(&state, 0xA5, sizeof(state));
        request_init(&state, REQUESTER, terms, START, DEADLINE);
        return state;
}

/* needed of one group; 0: only administrators decide. */
static inline RequestTerms some_of(unsigned needed, bool admins_decide) {
        RequestTerms terms = {.admins_decide = admins_decide};

        if (needed > 0)
                terms.quorum = (Quorum){
                        .n_parts = 1,
                        .needed = {needed},
                        .n_alternatives = 1,
                        .alternatives = {A},
                        .n_first = 1,
                };
        return terms;
}

/* One of A and one of B, or after an escalation two of C. */
static inline RequestTerms escalating(void) {
        return (RequestTerms){
                .quorum = {.n_parts = 3,
                           .needed = {1, 1, 2},
                           .n_alternatives = 2,
                           .alternatives = {A | B, C},
                           .n_first = 1},
        };
}

static inline RequestState request(unsigned needed, bool admins_decide) {
        RequestTerms terms = some_of(needed, admins_decide);

        return start(&terms);
}

static inline RequestEvent event(RequestEventKind kind, uid_t person) {
        return (RequestEvent){.kind = kind, .now_usec = START + 1, .person = person, .parts = A};
}

static inline int apply(RequestState *state, RequestEventKind kind, uid_t person) {
        RequestEvent e = event(kind, person);

        return request_apply(state, &e);
}

static inline int apply_as(RequestState *state, RequestEventKind kind, uid_t person, QuorumParts parts) {
        RequestEvent e = {.kind = kind, .now_usec = START + 1, .person = person, .parts = parts};

        return request_apply(state, &e);
}

static inline int apply_admin(RequestState *state, RequestEventKind kind, uid_t person) {
        RequestEvent e = {.kind = kind, .now_usec = START + 1, .person = person, .as_admin = true};

        return request_apply(state, &e);
}

static inline int apply_vouched(RequestState *state, RequestEventKind kind, bool as_admin) {
        RequestEvent e = event(kind, REQUESTER);

        e.self_vouched = true;
        e.as_admin = as_admin;
        return request_apply(state, &e);
}

static inline void expect(const RequestState *state, Verdict verdict, unsigned approvals, unsigned denials) {
        assert_string_equal(verdict_to_string(state->verdict), verdict_to_string(verdict));
        assert_int_equal(state->verdict, verdict);
        assert_int_equal(request_approvals(state), approvals);
        assert_int_equal(request_denials(state), denials);
}
