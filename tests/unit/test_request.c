/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state machine: every state with every event, what approves, and when it is too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/request_fixture.h"

/* ---- every state, every event ---- */

static void test_every_event_while_pending(void **unused) {
        (void)unused;
        static const struct {
                int kind, in_time, late;
                Verdict after, after_late;
        } table[] = {
                {-1, -EINVAL, -EINVAL, VERDICT_PENDING, VERDICT_PENDING},
                {REQUEST_EVENT_NONE, -EINVAL, -EINVAL, VERDICT_PENDING, VERDICT_PENDING},
                {REQUEST_EVENT_APPROVE, 0, -EKEYEXPIRED, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_DENY, 1, -EKEYEXPIRED, VERDICT_DENIED, VERDICT_EXPIRED},
                {REQUEST_EVENT_WRONG_CODE, 0, -EKEYEXPIRED, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_CANCEL, 1, -EKEYEXPIRED, VERDICT_CANCELLED, VERDICT_EXPIRED},
                {REQUEST_EVENT_TICK, 0, 1, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_VOID, 1, -EKEYEXPIRED, VERDICT_DENIED, VERDICT_EXPIRED},
                {REQUEST_EVENT_RECHECK, -ENOENT, -EKEYEXPIRED, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_ESCALATE, 0, -EKEYEXPIRED, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_RECOVER, 1, -EKEYEXPIRED, VERDICT_APPROVED, VERDICT_EXPIRED},
                {REQUEST_EVENT_RECOVER_WRONG, 0, -EKEYEXPIRED, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_KINDS, -EINVAL, -EINVAL, VERDICT_PENDING, VERDICT_PENDING},
        };

        assert_int_equal(sizeof(table) / sizeof(table[0]), REQUEST_EVENT_KINDS + 2);
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                RequestTerms terms = escalating();
                RequestState state = start(&terms), late = start(&terms), before = state;
                RequestEvent e = event((RequestEventKind)table[i].kind, ANNA);

                assert_int_equal(request_apply(&state, &e), table[i].in_time);
                assert_int_equal(state.verdict, table[i].after);
                if (table[i].in_time < 0)
                        assert_memory_equal(&state, &before, sizeof(state));
                e.now_usec = DEADLINE;
                assert_int_equal(request_apply(&late, &e), table[i].late);
                assert_int_equal(late.verdict, table[i].after_late);
                expect(&late, table[i].after_late, 0, 0);
        }
}

/* MUST 5: wrong codes of reviewers and of the requester are counted together. */
static void test_the_third_wrong_code_of_anybody_denies(void **unused) {
        (void)unused;
        for (unsigned own = 0; own <= PEERAUTH_WRONG_CODES_MAX; own++) {
                RequestTerms terms = escalating();
                RequestState state = start(&terms);

                for (unsigned i = 0; i < PEERAUTH_WRONG_CODES_MAX; i++) {
                        RequestEvent e = event(
                                i < own ? REQUEST_EVENT_RECOVER_WRONG : REQUEST_EVENT_WRONG_CODE, ANNA);

                        assert_int_equal(request_apply(&state, &e), i + 1 == PEERAUTH_WRONG_CODES_MAX);
                }
                assert_int_equal(state.verdict, VERDICT_DENIED);
        }
}

/* MUST 2, and attack B9. */
static void test_no_event_changes_a_final_state(void **unused) {
        (void)unused;
        static const Verdict finals[] = {VERDICT_DENIED, VERDICT_EXEMPT, VERDICT_APPROVED, VERDICT_EXPIRED,
                                         VERDICT_CANCELLED};

        for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++)
                for (int kind = -1; kind <= REQUEST_EVENT_KINDS; kind++)
                        for (unsigned late = 0; late < 2; late++) {
                                RequestTerms terms = escalating();
                                RequestState state = start(&terms), before;
                                RequestEvent e = event((RequestEventKind)kind, ANNA);

                                e.as_admin = true;
                                e.now_usec = late ? DEADLINE : START;
                                state.verdict = finals[i];
                                before = state;
                                assert_int_equal(request_apply(&state, &e), -EALREADY);
                                assert_memory_equal(&state, &before, sizeof(state));
                                assert_int_equal(request_missing(&state), 0);
                        }
}

static void test_a_zeroed_request_is_denied(void **unused) {
        (void)unused;
        RequestState state = {0};

        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EALREADY);
        expect(&state, VERDICT_DENIED, 0, 0);
}

static void test_requests_that_nobody_could_decide(void **unused) {
        (void)unused;
        static const struct {
                unsigned needed;
                bool admins;
                uint64_t now;
                Verdict expected;
        } table[] = {
                {PEERAUTH_APPROVALS_MAX, false, START, VERDICT_PENDING},
                {REQUEST_VOTES_MAX, false, START, VERDICT_PENDING},
                {REQUEST_VOTES_MAX + 1, false, START, VERDICT_DENIED},
                {UINT32_MAX, false, START, VERDICT_DENIED},
                {0, false, START, VERDICT_DENIED},
                {0, true, START, VERDICT_PENDING},
                {1, true, DEADLINE - 1, VERDICT_PENDING},
                {1, true, DEADLINE, VERDICT_EXPIRED},
                {1, true, DEADLINE + 1, VERDICT_EXPIRED},
                {0, false, DEADLINE, VERDICT_DENIED},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                RequestTerms terms = some_of(table[i].needed, table[i].admins);
                RequestState state;

                memset(&state, 0xFF, sizeof(state));
                request_init(&state, REQUESTER, &terms, table[i].now, DEADLINE);
                expect(&state, table[i].expected, 0, 0);
                assert_int_equal(state.requester, REQUESTER);
                assert_int_equal(state.deadline_usec, DEADLINE);
                assert_int_equal(state.n_votes, 0);
                assert_int_equal(state.wrong_codes, 0);
                assert_false(state.escalated);
        }
}

/* What only an escalation makes decidable is worth waiting for. */
static void test_decidable_after_escalation(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(1, false);
        RequestState state;

        terms.quorum.n_first = 0;
        state = start(&terms);
        expect(&state, VERDICT_PENDING, 0, 0);
        assert_int_equal(request_missing(&state), QUORUM_NEVER);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EPERM);
        assert_int_equal(apply(&state, REQUEST_EVENT_ESCALATE, 0), 0);
        assert_int_equal(request_missing(&state), 1);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 1);
        expect(&state, VERDICT_APPROVED, 1, 0);
}

/* ---- MUST 1 ---- */

/* Every threshold, and the approval before it is not enough. */
static void test_threshold(void **unused) {
        (void)unused;
        for (unsigned needed = 1; needed <= PEERAUTH_APPROVALS_MAX; needed++) {
                RequestState state = request(needed, false);

                for (unsigned i = 0; i + 1 < needed; i++) {
                        assert_int_equal(request_missing(&state), needed - i);
                        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA + i), 0);
                        expect(&state, VERDICT_PENDING, i + 1, 0);
                }
                assert_int_equal(request_missing(&state), 1);
                assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA + needed), 1);
                expect(&state, VERDICT_APPROVED, needed, 0);
                assert_int_equal(request_missing(&state), 0);
        }
}

static void test_parts_are_all_needed(void **unused) {
        (void)unused;
        RequestTerms terms = escalating();
        RequestState state = start(&terms);

        assert_int_equal(request_missing(&state), 2);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, A), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, BERT, A), 0);
        expect(&state, VERDICT_PENDING, 2, 0);
        assert_int_equal(request_missing(&state), 1);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, CARL, A | B), 1);
        expect(&state, VERDICT_APPROVED, 3, 0);
}

static void test_an_administrator_decides_alone(void **unused) {
        (void)unused;
        RequestState state = request(2, true), without = request(2, false), alone = request(0, true);

        assert_int_equal(apply_admin(&state, REQUEST_EVENT_APPROVE, ANNA), 1);
        expect(&state, VERDICT_APPROVED, 1, 0);
        assert_true(state.votes[0].as_admin);

        assert_int_equal(apply_admin(&without, REQUEST_EVENT_APPROVE, ANNA), -EPERM);
        assert_int_equal(apply_admin(&without, REQUEST_EVENT_DENY, ANNA), -EPERM);
        assert_int_equal(apply_admin(&without, REQUEST_EVENT_WRONG_CODE, ANNA), -EPERM);
        expect(&without, VERDICT_PENDING, 0, 0);

        assert_int_equal(request_missing(&alone), QUORUM_NEVER);
        assert_int_equal(apply(&alone, REQUEST_EVENT_APPROVE, ANNA), -EPERM);
        assert_int_equal(apply_admin(&alone, REQUEST_EVENT_APPROVE, BERT), 1);
        expect(&alone, VERDICT_APPROVED, 1, 0);
}

/* Somebody who is both, where administrators have no say, is a reviewer like others. */
static void test_an_administrator_without_say_counts_once(void **unused) {
        (void)unused;
        RequestState state = request(2, false);
        RequestEvent e = event(REQUEST_EVENT_APPROVE, ANNA);

        e.as_admin = true;
        assert_int_equal(request_apply(&state, &e), 0);
        assert_false(state.votes[0].as_admin);
        assert_int_equal(request_missing(&state), 1);
}

/* Time, an escalation and a new look at somebody ask and take away; none of them approves, not even what has
 * become enough. */
static void test_only_an_approval_approves(void **unused) {
        (void)unused;
        RequestTerms terms = escalating();
        RequestState state = start(&terms), again;
        RequestEvent tick = {.kind = REQUEST_EVENT_TICK, .now_usec = DEADLINE - 1};

        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, A | C), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, BERT, A | C), 0);
        assert_int_equal(request_missing(&state), 1);
        assert_int_equal(apply(&state, REQUEST_EVENT_ESCALATE, 0), 0);
        expect(&state, VERDICT_PENDING, 2, 0);
        assert_int_equal(request_missing(&state), 0);
        assert_int_equal(request_apply(&state, &tick), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_RECHECK, ANNA, A | B | C), 0);
        expect(&state, VERDICT_PENDING, 2, 0);

        /* Somebody new, or one of the two once more. */
        again = state;
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, CARL, C), 1);
        expect(&state, VERDICT_APPROVED, 3, 0);
        assert_int_equal(apply_as(&again, REQUEST_EVENT_APPROVE, BERT, A | C), 1);
        expect(&again, VERDICT_APPROVED, 2, 0);
}

/* ---- MUST 3 ---- */

/* Attack T2: the last microsecond counts, the deadline itself does not. */
static void test_deadline(void **unused) {
        (void)unused;
        RequestState state = request(1, true), late = request(1, true), later = request(1, true);
        RequestEvent e = event(REQUEST_EVENT_APPROVE, ANNA);

        e.now_usec = DEADLINE - 1;
        assert_int_equal(request_apply(&state, &e), 1);
        assert_int_equal(state.verdict, VERDICT_APPROVED);
        e.now_usec = DEADLINE;
        assert_int_equal(request_apply(&late, &e), -EKEYEXPIRED);
        assert_int_equal(late.verdict, VERDICT_EXPIRED);
        e.now_usec = UINT64_MAX;
        assert_int_equal(request_apply(&later, &e), -EKEYEXPIRED);
        assert_int_equal(later.verdict, VERDICT_EXPIRED);
        e.now_usec = START;
        assert_int_equal(request_apply(&later, &e), -EALREADY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_event_while_pending),
                cmocka_unit_test(test_the_third_wrong_code_of_anybody_denies),
                cmocka_unit_test(test_no_event_changes_a_final_state),
                cmocka_unit_test(test_a_zeroed_request_is_denied),
                cmocka_unit_test(test_requests_that_nobody_could_decide),
                cmocka_unit_test(test_decidable_after_escalation),
                cmocka_unit_test(test_threshold),
                cmocka_unit_test(test_parts_are_all_needed),
                cmocka_unit_test(test_an_administrator_decides_alone),
                cmocka_unit_test(test_an_administrator_without_say_counts_once),
                cmocka_unit_test(test_only_an_approval_approves),
                cmocka_unit_test(test_deadline),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
