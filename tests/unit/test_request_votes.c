/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose vote counts, how often, until when, and against what: MUST 4 to 6 of request.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/request_fixture.h"

/* ---- MUST 4 ---- */

/* Attack B11. */
static void test_a_person_counts_once(void **unused) {
        (void)unused;
        RequestState state = request(2, false), before;

        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 0);
        before = state;
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EEXIST);
        assert_memory_equal(&state, &before, sizeof(state));
        /* Not under other memberships either; they are not even remembered. */
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, A | B), -EEXIST);
        assert_memory_equal(&state, &before, sizeof(state));
        assert_int_equal(request_missing(&state), 1);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, BERT), 1);
}

/* Attack B10; an administrator is no exception, nor is a uid that could not be found out (B3), nor a vouched
 * session where the rule knows no self-review. */
static void test_nobody_decides_on_themselves(void **unused) {
        (void)unused;
        static const RequestEventKind kinds[] = {REQUEST_EVENT_APPROVE, REQUEST_EVENT_DENY,
                                                 REQUEST_EVENT_WRONG_CODE};
        static const uid_t people[] = {REQUESTER, REQUEST_UID_INVALID};

        for (unsigned i = 0; i < 3; i++)
                for (unsigned j = 0; j < 2; j++) {
                        RequestState state = request(1, true), before = state;

                        assert_int_equal(apply(&state, kinds[i], people[j]), -EPERM);
                        assert_int_equal(apply_admin(&state, kinds[i], people[j]), -EPERM);
                        assert_int_equal(apply_vouched(&state, kinds[i], false), -EPERM);
                        assert_int_equal(apply_vouched(&state, kinds[i], true), -EPERM);
                        assert_memory_equal(&state, &before, sizeof(state));
                }
}

/* An unknown account's request has no uid; a caller without one is still nobody. */
static void test_an_unknown_account_is_nobody(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(1, true);
        RequestState state;
        RequestEvent e = event(REQUEST_EVENT_APPROVE, REQUEST_UID_INVALID);

        terms.self_review = true;
        request_init(&state, REQUEST_UID_INVALID, &terms, START, DEADLINE);
        e.self_vouched = e.as_admin = true;
        assert_int_equal(request_apply(&state, &e), -EPERM);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 1);
}

static void test_self_review_is_one_ordinary_vote(void **unused) {
        (void)unused;
        RequestTerms two = some_of(2, true), one = some_of(1, false);
        RequestState state, alone;

        two.self_review = one.self_review = true;
        state = start(&two);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, REQUESTER), -EPERM); /* nobody vouches */
        assert_int_equal(apply_admin(&state, REQUEST_EVENT_APPROVE, REQUESTER), -EPERM);
        assert_int_equal(apply_vouched(&state, REQUEST_EVENT_APPROVE, true), 0); /* no administrator here */
        assert_false(state.votes[0].as_admin);
        assert_int_equal(apply_vouched(&state, REQUEST_EVENT_APPROVE, true), -EEXIST);
        expect(&state, VERDICT_PENDING, 1, 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 1);

        alone = start(&one);
        assert_int_equal(apply_vouched(&alone, REQUEST_EVENT_APPROVE, false), 1);
        expect(&alone, VERDICT_APPROVED, 1, 0);
}

static void test_self_review_needs_membership(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(1, true);
        RequestState state;
        RequestEvent e = event(REQUEST_EVENT_APPROVE, REQUESTER);

        terms.self_review = true;
        state = start(&terms);
        e.self_vouched = e.as_admin = true;
        e.parts = B;
        assert_int_equal(request_apply(&state, &e), -EPERM);
        e.parts = 0;
        assert_int_equal(request_apply(&state, &e), -EPERM);
}

/* As an ordinary reviewer: their denial is one of those that are needed. */
static void test_the_requester_denies_as_a_reviewer(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(2, true);
        RequestState state;

        terms.self_review = true;
        terms.deny_threshold = 2;
        state = start(&terms);
        assert_int_equal(apply_vouched(&state, REQUEST_EVENT_DENY, true), 0);
        expect(&state, VERDICT_PENDING, 0, 1);
        assert_int_equal(apply_vouched(&state, REQUEST_EVENT_DENY, true), -EEXIST);
        assert_int_equal(apply(&state, REQUEST_EVENT_DENY, ANNA), 1);
        expect(&state, VERDICT_DENIED, 0, 2);
}

static void test_outsiders_decide_nothing(void **unused) {
        (void)unused;
        static const RequestEventKind kinds[] = {REQUEST_EVENT_APPROVE, REQUEST_EVENT_DENY,
                                                 REQUEST_EVENT_WRONG_CODE};
        RequestTerms terms = escalating();

        terms.admins_decide = true;
        for (unsigned i = 0; i < 3; i++) {
                RequestState state = start(&terms), before = state;

                for (unsigned again = 0; again < PEERAUTH_WRONG_CODES_MAX + 1; again++) {
                        assert_int_equal(apply_as(&state, kinds[i], ANNA, 0), -EPERM);
                        assert_int_equal(apply_as(&state, kinds[i], ANNA, C), -EPERM); /* not asked yet */
                }
                assert_memory_equal(&state, &before, sizeof(state));
        }
}

static void test_escalation_opens_once(void **unused) {
        (void)unused;
        RequestTerms terms = escalating();
        RequestState state = start(&terms), plain = request(1, false);

        assert_int_equal(apply(&state, REQUEST_EVENT_ESCALATE, 0), 0);
        assert_true(state.escalated);
        assert_int_equal(apply(&state, REQUEST_EVENT_ESCALATE, 0), -ENOENT);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, C), 0);
        assert_int_equal(request_missing(&state), 1);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, BERT, C), 1);

        assert_int_equal(apply(&plain, REQUEST_EVENT_ESCALATE, 0), -ENOENT);
        assert_false(plain.escalated);
}

/* ---- denials, MUST 6 ---- */

static void test_deny_threshold(void **unused) {
        (void)unused;
        for (unsigned threshold = 0; threshold <= PEERAUTH_APPROVALS_MAX; threshold++) {
                RequestTerms terms = some_of(3, false);
                RequestState state;
                unsigned denials = threshold ? threshold : 1;

                terms.deny_threshold = threshold;
                state = start(&terms);
                assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, CARL - 100), 0);
                for (unsigned i = 1; i < denials; i++) {
                        assert_int_equal(apply(&state, REQUEST_EVENT_DENY, ANNA + i), 0);
                        expect(&state, VERDICT_PENDING, 1, i);
                        assert_int_equal(apply(&state, REQUEST_EVENT_DENY, ANNA + i), -EEXIST);
                }
                assert_int_equal(apply(&state, REQUEST_EVENT_DENY, ANNA), 1);
                expect(&state, VERDICT_DENIED, 1, denials);
        }
}

static void test_an_administrator_denies_alone(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(2, true);
        RequestState state, promoted;

        terms.deny_threshold = 3;
        state = start(&terms);
        assert_int_equal(apply_admin(&state, REQUEST_EVENT_DENY, ANNA), 1);
        expect(&state, VERDICT_DENIED, 0, 1);
        /* Also one who has denied as a reviewer and has become an administrator. */
        promoted = start(&terms);
        assert_int_equal(apply(&promoted, REQUEST_EVENT_DENY, ANNA), 0);
        assert_int_equal(apply_admin(&promoted, REQUEST_EVENT_DENY, ANNA), 1);
        expect(&promoted, VERDICT_DENIED, 0, 1);
}

static void test_an_approval_may_become_a_denial(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(2, true);
        RequestState state;

        terms.deny_threshold = 2;
        state = start(&terms);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_DENY, ANNA), 0);
        expect(&state, VERDICT_PENDING, 0, 1);
        assert_int_equal(request_missing(&state), 2);
        /* ... and never back, not even by one who has become an administrator. */
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EEXIST);
        assert_int_equal(apply_admin(&state, REQUEST_EVENT_APPROVE, ANNA), -EEXIST);
        assert_int_equal(apply(&state, REQUEST_EVENT_RECHECK, ANNA), -ENOENT);
        expect(&state, VERDICT_PENDING, 0, 1);
        assert_int_equal(apply(&state, REQUEST_EVENT_DENY, BERT), 1);
        expect(&state, VERDICT_DENIED, 0, 2);
}

/* ---- MUST 5 ---- */

/* Attack C3: three in all, whoever typed them. */
static void test_third_wrong_code_denies(void **unused) {
        (void)unused;
        RequestState state = request(2, true);

        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, BERT), 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_WRONG_CODE, ANNA), 0);
        assert_int_equal(apply_admin(&state, REQUEST_EVENT_WRONG_CODE, CARL), 0);
        expect(&state, VERDICT_PENDING, 1, 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_WRONG_CODE, BERT), 1);
        expect(&state, VERDICT_DENIED, 1, 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EALREADY);
}

/* ---- earlier voters, attack B12 ---- */

static void test_a_void_vote_is_taken_back(void **unused) {
        (void)unused;
        static const uid_t people[] = {ANNA, BERT, CARL};

        for (unsigned gone = 0; gone < 3; gone++) {
                RequestState state = request(4, false);

                for (unsigned i = 0; i < 3; i++)
                        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, people[i]), 0);
                assert_int_equal(apply_as(&state, REQUEST_EVENT_RECHECK, people[gone], 0), 0);
                assert_int_equal(apply_as(&state, REQUEST_EVENT_RECHECK, people[gone], 0), -ENOENT);
                expect(&state, VERDICT_PENDING, 2, 0);
                assert_int_equal(request_missing(&state), 2);
                for (unsigned i = 0; i < 3; i++)
                        assert_int_equal(apply(&state, REQUEST_EVENT_RECHECK, people[i]),
                                         i == gone ? -ENOENT : 0);
                assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, people[gone]), 0);
                assert_int_equal(request_missing(&state), 1);
        }
}

static void test_what_a_voter_is_now_counts(void **unused) {
        (void)unused;
        RequestTerms terms = escalating();
        RequestState state = start(&terms);

        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, A), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_RECHECK, ANNA, B), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, BERT, B), 0);
        expect(&state, VERDICT_PENDING, 2, 0);
        /* Whom the open alternatives do not ask for is no reviewer. */
        assert_int_equal(apply_as(&state, REQUEST_EVENT_RECHECK, ANNA, C), 0);
        expect(&state, VERDICT_PENDING, 1, 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, CARL, A), 1);
}

/* The requester's own vote is worth no more than their other session. */
static void test_a_self_vote_is_rechecked(void **unused) {
        (void)unused;
        RequestTerms terms = some_of(2, false);
        RequestState state;

        terms.self_review = true;
        state = start(&terms);
        assert_int_equal(apply_vouched(&state, REQUEST_EVENT_APPROVE, false), 0);
        assert_int_equal(apply_vouched(&state, REQUEST_EVENT_RECHECK, false), 0);
        expect(&state, VERDICT_PENDING, 1, 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_RECHECK, REQUESTER), 0);
        expect(&state, VERDICT_PENDING, 0, 0);
}

/* ---- bounds ---- */

static void test_no_more_votes_than_there_is_room(void **unused) {
        (void)unused;
        RequestTerms terms = escalating();
        RequestState state, before;

        terms.admins_decide = true;
        terms.deny_threshold = 2;
        state = start(&terms);
        for (unsigned i = 0; i < REQUEST_VOTES_MAX; i++)
                assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, 2000 + i, A), 0);
        before = state;
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, B), -ENOBUFS);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_DENY, ANNA, B), -ENOBUFS);
        assert_memory_equal(&state, &before, sizeof(state));
        /* Who has voted may still deny, and room can be made. */
        assert_int_equal(apply_as(&state, REQUEST_EVENT_DENY, 2000, A), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_RECHECK, 2001, 0), 0);
        assert_int_equal(apply_as(&state, REQUEST_EVENT_APPROVE, ANNA, B), 1);
        expect(&state, VERDICT_APPROVED, REQUEST_VOTES_MAX - 1, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_person_counts_once),
                cmocka_unit_test(test_nobody_decides_on_themselves),
                cmocka_unit_test(test_an_unknown_account_is_nobody),
                cmocka_unit_test(test_self_review_is_one_ordinary_vote),
                cmocka_unit_test(test_self_review_needs_membership),
                cmocka_unit_test(test_the_requester_denies_as_a_reviewer),
                cmocka_unit_test(test_outsiders_decide_nothing),
                cmocka_unit_test(test_escalation_opens_once),
                cmocka_unit_test(test_deny_threshold),
                cmocka_unit_test(test_an_administrator_denies_alone),
                cmocka_unit_test(test_an_approval_may_become_a_denial),
                cmocka_unit_test(test_third_wrong_code_denies),
                cmocka_unit_test(test_a_void_vote_is_taken_back),
                cmocka_unit_test(test_what_a_voter_is_now_counts),
                cmocka_unit_test(test_a_self_vote_is_rechecked),
                cmocka_unit_test(test_no_more_votes_than_there_is_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
