/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random histories against a model of request.h that keeps sets instead of arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/request_fixture.h"
#include "tests/unit/slow_quorum.h"

enum { PEOPLE = 7, NOBODY = 6 }; /* number NOBODY stands for REQUEST_UID_INVALID, number 0 is the requester */

typedef enum Said { NOTHING = 0, YES, NO } Said;

typedef struct Model {
        Verdict verdict;
        Said said[PEOPLE];
        QuorumParts parts[PEOPLE];
        unsigned wrong;
        bool escalated;
        RequestTerms terms;
} Model;

static unsigned model_count(const Model *m, Said said) {
        unsigned n = 0;

        for (unsigned i = 0; i < PEOPLE; i++)
                n += m->said[i] == said;
        return n;
}

static unsigned model_missing(const Model *m) {
        QuorumParts people[PEOPLE];
        size_t n = 0;

        for (unsigned i = 0; i < PEOPLE; i++)
                if (m->said[i] == YES)
                        people[n++] = m->parts[i];
        return slow_missing(&m->terms.quorum, m->escalated, people, n);
}

static bool model_is_asked(const Model *m, QuorumParts parts) {
        unsigned n = m->escalated ? m->terms.quorum.n_alternatives : m->terms.quorum.n_first;

        for (unsigned i = 0; i < n; i++)
                if (parts & m->terms.quorum.alternatives[i])
                        return true;
        return false;
}

static bool model_is_admin(const Model *m, const RequestEvent *e, unsigned who) {
        return m->terms.admins_decide && e->as_admin && who != 0;
}

static bool model_may_vote(const Model *m, const RequestEvent *e, unsigned who) {
        if (who == NOBODY)
                return false;
        if (who == 0)
                return m->terms.self_review && e->self_vouched && model_is_asked(m, e->parts);
        return model_is_admin(m, e, who) || model_is_asked(m, e->parts);
}

static int model_approve(Model *m, const RequestEvent *e, unsigned who) {
        QuorumParts before = m->parts[who];
        Said said = m->said[who];

        if (!model_may_vote(m, e, who))
                return -EPERM;
        if (said == NO)
                return -EEXIST;
        m->said[who] = YES;
        m->parts[who] = e->parts;
        if (model_is_admin(m, e, who) || model_missing(m) == 0)
                m->verdict = VERDICT_APPROVED;
        else if (said == YES) {
                m->parts[who] = before;
                return -EEXIST;
        }
        return 0;
}

static int model_deny(Model *m, const RequestEvent *e, unsigned who) {
        bool alone = model_is_admin(m, e, who);

        if (!model_may_vote(m, e, who))
                return -EPERM;
        if (m->said[who] == NO && !alone)
                return -EEXIST;
        m->said[who] = NO;
        if (alone || model_count(m, NO) >= m->terms.deny_threshold)
                m->verdict = VERDICT_DENIED;
        return 0;
}

static int model_recheck(Model *m, const RequestEvent *e, unsigned who) {
        if (m->said[who] != YES)
                return -ENOENT;
        if (model_may_vote(m, e, who))
                m->parts[who] = e->parts;
        else
                m->said[who] = NOTHING;
        return 0;
}

static int model_event(Model *m, const RequestEvent *e, unsigned who) {
        switch (e->kind) {
        case REQUEST_EVENT_APPROVE:
                return model_approve(m, e, who);
        case REQUEST_EVENT_DENY:
                return model_deny(m, e, who);
        case REQUEST_EVENT_RECHECK:
                return model_recheck(m, e, who);
        case REQUEST_EVENT_WRONG_CODE:
                if (!model_may_vote(m, e, who))
                        return -EPERM;
                if (++m->wrong == 3)
                        m->verdict = VERDICT_DENIED;
                return 0;
        case REQUEST_EVENT_ESCALATE:
                if (m->escalated || m->terms.quorum.n_first == m->terms.quorum.n_alternatives)
                        return -ENOENT;
                m->escalated = true;
                return 0;
        case REQUEST_EVENT_CANCEL:
                m->verdict = VERDICT_CANCELLED;
                return 0;
        case REQUEST_EVENT_VOID:
                m->verdict = VERDICT_DENIED;
                return 0;
        default:
                return 0;
        }
}

static int model_apply(Model *m, const RequestEvent *e, unsigned who) {
        int r;

        if (m->verdict != VERDICT_PENDING)
                return -EALREADY;
        if (e->kind == REQUEST_EVENT_NONE)
                return -EINVAL;
        if (e->now_usec >= DEADLINE) {
                m->verdict = VERDICT_EXPIRED;
                return e->kind == REQUEST_EVENT_TICK ? 1 : -EKEYEXPIRED;
        }
        r = model_event(m, e, who);
        return r < 0 ? r : m->verdict != VERDICT_PENDING;
}

static uint64_t random_state = 0x9E3779B97F4A7C15ULL;

static unsigned random_below(unsigned n) { /* xorshift64: the same histories on every machine */
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (unsigned)(random_state >> 33) % n;
}

static RequestTerms random_terms(void) {
        RequestTerms terms = {
                .admins_decide = random_below(2),
                .deny_threshold = 1 + random_below(3),
                .self_review = random_below(2),
        };

        terms.quorum.n_parts = 3;
        terms.quorum.n_alternatives = random_below(4);
        terms.quorum.n_first = random_below(terms.quorum.n_alternatives + 1);
        for (unsigned i = 0; i < 3; i++) {
                terms.quorum.needed[i] = 1 + random_below(3) / 2;
                terms.quorum.alternatives[i] = 1 + random_below(7);
        }
        return terms;
}

static RequestEvent random_event(unsigned step, unsigned who) {
        /* Most events approve or tick, or few histories would get far. */
        static const RequestEventKind kinds[] = {
                REQUEST_EVENT_APPROVE, REQUEST_EVENT_APPROVE,    REQUEST_EVENT_APPROVE,
                REQUEST_EVENT_APPROVE, REQUEST_EVENT_APPROVE,    REQUEST_EVENT_RECHECK,
                REQUEST_EVENT_RECHECK, REQUEST_EVENT_ESCALATE,   REQUEST_EVENT_TICK,
                REQUEST_EVENT_DENY,    REQUEST_EVENT_WRONG_CODE, REQUEST_EVENT_NONE,
                REQUEST_EVENT_DENY,    REQUEST_EVENT_CANCEL,     REQUEST_EVENT_VOID,
        };
        unsigned usual = sizeof(kinds) / sizeof(kinds[0]) - (step < 10 ? 3 : 0);

        return (RequestEvent){
                .kind = kinds[random_below(usual)],
                .now_usec = random_below(60) ? START + step : DEADLINE - 1 + random_below(3),
                .person = who == NOBODY ? REQUEST_UID_INVALID : REQUESTER + who,
                .parts = random_below(8),
                .as_admin = random_below(10) == 0,
                .self_vouched = random_below(2),
        };
}

static void compare(const RequestState *state, const Model *model, unsigned round) {
        if (state->verdict != model->verdict)
                fail_msg("round %u: %s, the model says %s", round, verdict_to_string(state->verdict),
                         verdict_to_string(model->verdict));
        assert_int_equal(request_approvals(state), model_count(model, YES));
        assert_int_equal(request_denials(state), model_count(model, NO));
        assert_int_equal(request_missing(state),
                         model->verdict == VERDICT_PENDING ? model_missing(model) : 0);
        assert_int_equal(state->escalated, model->escalated);
        assert_int_equal(state->wrong_codes, model->wrong);
}

static void test_random_histories_follow_the_model(void **unused) {
        (void)unused;
        unsigned seen[6] = {0};

        for (unsigned round = 0; round < 100000; round++) {
                RequestTerms terms = random_terms();
                RequestState state = start(&terms);
                Model model = {.verdict = VERDICT_PENDING, .terms = terms};

                if (!terms.admins_decide && terms.quorum.n_alternatives == 0)
                        model.verdict = VERDICT_DENIED;
                compare(&state, &model, round);
                for (unsigned step = 0; step < 14; step++) {
                        unsigned who = random_below(PEOPLE);
                        RequestEvent e = random_event(step, who);
                        int expected = model_apply(&model, &e, who), r = request_apply(&state, &e);

                        if (r != expected)
                                fail_msg("round %u step %u kind %u: %d, the model says %d", round, step,
                                         (unsigned)e.kind, r, expected);
                        compare(&state, &model, round);
                }
                seen[model.verdict]++;
        }
        /* Histories that all end alike would prove little. */
        assert_in_range(seen[VERDICT_DENIED], 5000, 90000);
        assert_in_range(seen[VERDICT_APPROVED], 5000, 90000);
        assert_in_range(seen[VERDICT_EXPIRED], 5000, 90000);
        assert_in_range(seen[VERDICT_CANCELLED], 500, 90000);
        assert_in_range(seen[VERDICT_PENDING], 1000, 90000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_histories_follow_the_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
