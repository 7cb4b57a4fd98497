/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state machine: every state with every event, the requirements of request.h one by one, and random
 * histories against a model that keeps sets instead of arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "broker/request.h"

enum { REQUESTER = 1000, ANNA = 1001, BERT = 1002, CARL = 1003, START = 5000, DEADLINE = 9000 };

static RequestState request(unsigned needed, bool admins_decide) {
        RequestTerms terms = {.needed = needed, .admins_decide = admins_decide};
        RequestState state;

        memset(&state, 0xA5, sizeof(state));
        request_init(&state, REQUESTER, &terms, START, DEADLINE);
        return state;
}

static RequestEvent event(RequestEventKind kind, uid_t person) {
        return (RequestEvent){.kind = kind, .now_usec = START + 1, .person = person, .as_reviewer = true};
}

static int apply(RequestState *state, RequestEventKind kind, uid_t person) {
        RequestEvent e = event(kind, person);

        return request_apply(state, &e);
}

static int apply_admin(RequestState *state, RequestEventKind kind, uid_t person) {
        RequestEvent e = {.kind = kind, .now_usec = START + 1, .person = person, .as_admin = true};

        return request_apply(state, &e);
}

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
                {REQUEST_EVENT_UNVOTE, -ENOENT, -EKEYEXPIRED, VERDICT_PENDING, VERDICT_EXPIRED},
                {REQUEST_EVENT_UNVOTE + 1, -EINVAL, -EINVAL, VERDICT_PENDING, VERDICT_PENDING},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                RequestState state = request(2, true), late = request(2, true);
                RequestEvent e = event((RequestEventKind)table[i].kind, ANNA);

                assert_int_equal(request_apply(&state, &e), table[i].in_time);
                assert_int_equal(state.verdict, table[i].after);
                e.now_usec = DEADLINE;
                assert_int_equal(request_apply(&late, &e), table[i].late);
                assert_int_equal(late.verdict, table[i].after_late);
        }
}

/* MUST 2, and attack B9. */
static void test_no_event_changes_a_final_state(void **unused) {
        (void)unused;
        static const Verdict finals[] = {VERDICT_DENIED, VERDICT_EXEMPT, VERDICT_APPROVED, VERDICT_EXPIRED,
                                         VERDICT_CANCELLED};

        for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++)
                for (int kind = -1; kind <= REQUEST_EVENT_UNVOTE + 1; kind++)
                        for (unsigned late = 0; late < 2; late++) {
                                RequestState state = request(1, true), before;
                                RequestEvent e = event((RequestEventKind)kind, ANNA);

                                e.as_admin = true;
                                e.now_usec = late ? DEADLINE : START;
                                state.verdict = finals[i];
                                before = state;
                                assert_int_equal(request_apply(&state, &e), -EALREADY);
                                assert_memory_equal(&state, &before, sizeof(state));
                        }
}

static void test_a_zeroed_request_is_denied(void **unused) {
        (void)unused;
        RequestState state = {0};

        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EALREADY);
        assert_int_equal(state.verdict, VERDICT_DENIED);
}

/* MUST 1: every threshold, and the approval before it is not enough. */
static void test_threshold(void **unused) {
        (void)unused;
        for (unsigned needed = 1; needed <= REQUEST_VOTERS_MAX; needed++) {
                RequestState state = request(needed, false);

                for (unsigned i = 0; i + 1 < needed; i++) {
                        assert_int_equal(request_missing(&state), needed - i);
                        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA + i), 0);
                        assert_int_equal(state.verdict, VERDICT_PENDING);
                }
                assert_int_equal(request_missing(&state), 1);
                assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA + needed), 1);
                assert_int_equal(state.verdict, VERDICT_APPROVED);
                assert_int_equal(request_missing(&state), 0);
                assert_int_equal(state.n_votes, needed);
        }
}

static void test_an_administrator_decides_alone(void **unused) {
        (void)unused;
        RequestState state = request(2, true), without = request(2, false), alone = request(0, true);

        assert_int_equal(apply_admin(&state, REQUEST_EVENT_APPROVE, ANNA), 1);
        assert_int_equal(state.verdict, VERDICT_APPROVED);
        assert_true(state.votes[0].as_admin);

        assert_int_equal(apply_admin(&without, REQUEST_EVENT_APPROVE, ANNA), -EPERM);
        assert_int_equal(apply_admin(&without, REQUEST_EVENT_DENY, ANNA), -EPERM);
        assert_int_equal(without.verdict, VERDICT_PENDING);

        assert_int_equal(apply(&alone, REQUEST_EVENT_APPROVE, ANNA), -EPERM);
        assert_int_equal(request_missing(&alone), 0);
        assert_int_equal(apply_admin(&alone, REQUEST_EVENT_APPROVE, BERT), 1);
        assert_int_equal(alone.verdict, VERDICT_APPROVED);
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

/* MUST 4, attack B11. */
static void test_a_person_counts_once(void **unused) {
        (void)unused;
        RequestState state = request(2, false);

        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EEXIST);
        assert_int_equal(state.verdict, VERDICT_PENDING);
        assert_int_equal(request_missing(&state), 1);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, BERT), 1);
}

/* MUST 4, attack B10; an administrator is no exception, nor is a uid that could not be found out (B3). */
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
                        assert_memory_equal(&state, &before, sizeof(state));
                }
}

static void test_outsiders_decide_nothing(void **unused) {
        (void)unused;
        static const RequestEventKind kinds[] = {REQUEST_EVENT_APPROVE, REQUEST_EVENT_DENY,
                                                 REQUEST_EVENT_WRONG_CODE};

        for (unsigned i = 0; i < 3; i++) {
                RequestState state = request(1, true), before = state;
                RequestEvent e = {.kind = kinds[i], .now_usec = START, .person = ANNA};

                for (unsigned again = 0; again < PEERAUTH_WRONG_CODES_MAX + 1; again++)
                        assert_int_equal(request_apply(&state, &e), -EPERM);
                assert_memory_equal(&state, &before, sizeof(state));
        }
}

/* MUST 3, attack T2: the last microsecond counts, the deadline itself does not. */
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

static void test_one_denial_is_enough(void **unused) {
        (void)unused;
        RequestState state = request(3, false), changed = request(3, false);

        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), 0);
        assert_int_equal(apply(&state, REQUEST_EVENT_DENY, BERT), 1);
        assert_int_equal(state.verdict, VERDICT_DENIED);
        /* ... also by somebody who has approved before. */
        assert_int_equal(apply(&changed, REQUEST_EVENT_APPROVE, ANNA), 0);
        assert_int_equal(apply(&changed, REQUEST_EVENT_DENY, ANNA), 1);
        assert_int_equal(changed.verdict, VERDICT_DENIED);
}

/* MUST 5, attack C3: three in all, whoever typed them. */
static void test_third_wrong_code_denies(void **unused) {
        (void)unused;
        RequestState state = request(1, true);

        assert_int_equal(apply(&state, REQUEST_EVENT_WRONG_CODE, ANNA), 0);
        assert_int_equal(apply_admin(&state, REQUEST_EVENT_WRONG_CODE, BERT), 0);
        assert_int_equal(state.verdict, VERDICT_PENDING);
        assert_int_equal(apply(&state, REQUEST_EVENT_WRONG_CODE, ANNA), 1);
        assert_int_equal(state.verdict, VERDICT_DENIED);
        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, ANNA), -EALREADY);
}

static void test_a_vote_can_be_taken_back(void **unused) {
        (void)unused;
        static const uid_t people[] = {ANNA, BERT, CARL};

        for (unsigned gone = 0; gone < 3; gone++) {
                RequestState state = request(4, false);
                unsigned left = 0;

                for (unsigned i = 0; i < 3; i++)
                        assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, people[i]), 0);
                assert_int_equal(apply(&state, REQUEST_EVENT_UNVOTE, people[gone]), 0);
                assert_int_equal(apply(&state, REQUEST_EVENT_UNVOTE, people[gone]), -ENOENT);
                assert_int_equal(request_missing(&state), 2);
                for (unsigned i = 0; i < 3; i++)
                        if (i != gone)
                                assert_int_equal(state.votes[left++].person, people[i]);
                assert_int_equal(apply(&state, REQUEST_EVENT_APPROVE, people[gone]), 0);
                assert_int_equal(request_missing(&state), 1);
        }
}

static void test_requests_that_nobody_could_decide(void **unused) {
        (void)unused;
        static const struct {
                unsigned needed;
                bool admins;
                uint64_t now;
                Verdict expected;
        } table[] = {
                {REQUEST_VOTERS_MAX, false, START, VERDICT_PENDING},
                {REQUEST_VOTERS_MAX + 1, true, START, VERDICT_DENIED},
                {UINT32_MAX, true, START, VERDICT_DENIED},
                {0, false, START, VERDICT_DENIED},
                {0, true, START, VERDICT_PENDING},
                {1, true, DEADLINE - 1, VERDICT_PENDING},
                {1, true, DEADLINE, VERDICT_EXPIRED},
                {1, true, DEADLINE + 1, VERDICT_EXPIRED},
                {0, false, DEADLINE, VERDICT_DENIED},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                RequestTerms terms = {.needed = table[i].needed, .admins_decide = table[i].admins};
                RequestState state;

                memset(&state, 0xFF, sizeof(state));
                request_init(&state, REQUESTER, &terms, table[i].now, DEADLINE);
                assert_int_equal(state.verdict, table[i].expected);
                assert_int_equal(state.n_votes, 0);
                assert_int_equal(state.wrong_codes, 0);
        }
}

/* ---- the model ---- */

enum { PEOPLE = 6, NOBODY = 5 }; /* number NOBODY stands for REQUEST_UID_INVALID, number 0 is the requester */

typedef struct Model {
        Verdict verdict;
        bool voted[PEOPLE];
        unsigned wrong, needed;
        bool admins;
} Model;

static unsigned model_votes(const Model *m) {
        unsigned n = 0;

        for (unsigned i = 0; i < PEOPLE; i++)
                n += m->voted[i];
        return n;
}

/* Follows the text of request.h, one sentence after the other. */
static int model_apply(Model *m, const RequestEvent *e, unsigned who) {
        bool votes = e->kind == REQUEST_EVENT_APPROVE || e->kind == REQUEST_EVENT_DENY ||
                     e->kind == REQUEST_EVENT_WRONG_CODE;
        bool alone = m->admins && e->as_admin;

        if (m->verdict != VERDICT_PENDING)
                return -EALREADY;
        if (e->kind == REQUEST_EVENT_NONE)
                return -EINVAL;
        if (e->now_usec >= DEADLINE) {
                m->verdict = VERDICT_EXPIRED;
                return e->kind == REQUEST_EVENT_TICK ? 1 : -EKEYEXPIRED;
        }
        if (votes && (who == 0 || who == NOBODY))
                return -EPERM;
        if (votes && !alone && !(e->as_reviewer && m->needed))
                return -EPERM;
        if (e->kind == REQUEST_EVENT_APPROVE && m->voted[who])
                return -EEXIST;
        if (e->kind == REQUEST_EVENT_UNVOTE && !m->voted[who])
                return -ENOENT;

        if (e->kind == REQUEST_EVENT_APPROVE)
                m->voted[who] = true;
        if (e->kind == REQUEST_EVENT_UNVOTE)
                m->voted[who] = false;
        if (e->kind == REQUEST_EVENT_WRONG_CODE)
                m->wrong++;

        if (e->kind == REQUEST_EVENT_APPROVE && (alone || model_votes(m) >= m->needed))
                m->verdict = VERDICT_APPROVED;
        if (e->kind == REQUEST_EVENT_DENY || e->kind == REQUEST_EVENT_VOID || m->wrong == 3)
                m->verdict = VERDICT_DENIED;
        if (e->kind == REQUEST_EVENT_CANCEL)
                m->verdict = VERDICT_CANCELLED;
        return m->verdict != VERDICT_PENDING;
}

static uint64_t random_state = 0x9E3779B97F4A7C15ULL;

static unsigned random_below(unsigned n) { /* xorshift64: the same histories on every machine */
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (unsigned)(random_state >> 33) % n;
}

static void test_random_histories_follow_the_model(void **unused) {
        (void)unused;
        unsigned seen[6] = {0};

        for (unsigned round = 0; round < 100000; round++) {
                /* Most events approve or tick, or few histories would get far. */
                static const RequestEventKind kinds[] = {
                        REQUEST_EVENT_APPROVE,    REQUEST_EVENT_APPROVE, REQUEST_EVENT_APPROVE,
                        REQUEST_EVENT_APPROVE,    REQUEST_EVENT_UNVOTE,  REQUEST_EVENT_TICK,
                        REQUEST_EVENT_WRONG_CODE, REQUEST_EVENT_NONE,    REQUEST_EVENT_DENY,
                        REQUEST_EVENT_CANCEL,     REQUEST_EVENT_VOID,
                };
                Model model = {
                        .verdict = VERDICT_PENDING, .needed = random_below(4), .admins = random_below(2)};
                RequestState state = request(model.needed, model.admins);

                if (!model.needed && !model.admins)
                        model.verdict = VERDICT_DENIED;
                for (unsigned step = 0; step < 12; step++) {
                        unsigned who = random_below(PEOPLE);
                        RequestEvent e = {
                                .kind = kinds[random_below(sizeof(kinds) / sizeof(kinds[0]) -
                                                           (step < 8 ? 3 : 0))],
                                .now_usec = random_below(40) ? START + step : DEADLINE - 1 + random_below(3),
                                .person = who == NOBODY ? REQUEST_UID_INVALID : REQUESTER + who,
                                .as_reviewer = random_below(4) != 0,
                                .as_admin = random_below(8) == 0,
                        };
                        int expected = model_apply(&model, &e, who), r = request_apply(&state, &e);

                        if (r != expected || state.verdict != model.verdict)
                                fail_msg("round %u step %u kind %u: %d and %s, the model says %d and %s",
                                         round, step, (unsigned)e.kind, r, verdict_to_string(state.verdict),
                                         expected, verdict_to_string(model.verdict));
                        assert_int_equal(state.n_votes, model_votes(&model));
                        if (model.verdict == VERDICT_PENDING && model.needed > 0)
                                assert_int_equal(request_missing(&state), model.needed - model_votes(&model));
                }
                seen[model.verdict]++;
        }
        /* Histories that all end alike would prove little. */
        assert_in_range(seen[VERDICT_DENIED], 5000, 90000);
        assert_in_range(seen[VERDICT_APPROVED], 5000, 90000);
        assert_in_range(seen[VERDICT_EXPIRED], 5000, 90000);
        assert_in_range(seen[VERDICT_CANCELLED], 1000, 90000);
        assert_in_range(seen[VERDICT_PENDING], 1000, 90000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_event_while_pending),
                cmocka_unit_test(test_no_event_changes_a_final_state),
                cmocka_unit_test(test_a_zeroed_request_is_denied),
                cmocka_unit_test(test_threshold),
                cmocka_unit_test(test_an_administrator_decides_alone),
                cmocka_unit_test(test_an_administrator_without_say_counts_once),
                cmocka_unit_test(test_a_person_counts_once),
                cmocka_unit_test(test_nobody_decides_on_themselves),
                cmocka_unit_test(test_outsiders_decide_nothing),
                cmocka_unit_test(test_deadline),
                cmocka_unit_test(test_one_denial_is_enough),
                cmocka_unit_test(test_third_wrong_code_denies),
                cmocka_unit_test(test_a_vote_can_be_taken_back),
                cmocka_unit_test(test_requests_that_nobody_could_decide),
                cmocka_unit_test(test_random_histories_follow_the_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
