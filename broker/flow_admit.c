/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a login that arrived goes on: it passes, is refused, or is held once it is known who is there to
 * review. Every way ends with an answer to CreateRequest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/flow_internal.h"
#include "broker/record.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/log.h"

/* Everything that CreateRequest returns; strings may be NULL. */
typedef struct CreateAnswer {
        Verdict outcome;
        const char *id, *code, *rule, *reviewers, *message;
        uint64_t deadline_usec;
        unsigned needed, reachable;
        bool enough, recovery;
} CreateAnswer;

static int answer_append(sd_bus_message *m, const CreateAnswer *answer) {
        int r;

        r = sd_bus_message_append(m, "ssst", verdict_to_string(answer->outcome), answer->id ? answer->id : "",
                                  answer->code ? "000000" : "", answer->deadline_usec);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = bus_dict_add_string(m, PEERAUTH_KEY_RULE, answer->rule);
        if (r >= 0)
                r = bus_dict_add_string(m, PEERAUTH_KEY_MESSAGE, answer->message);
        if (r >= 0 && answer->outcome == VERDICT_PENDING) {
                r = bus_dict_add_string(m, PEERAUTH_KEY_REVIEWERS, answer->reviewers);
                if (r >= 0)
                        r = bus_dict_add(m, PEERAUTH_KEY_NEEDED, "u", (uint32_t)answer->needed);
                if (r >= 0)
                        r = bus_dict_add(m, PEERAUTH_KEY_REACHABLE, "u", (uint32_t)answer->reachable);
                if (r >= 0)
                        r = bus_dict_add(m, PEERAUTH_KEY_ENOUGH, "b", (int)answer->enough);
                if (r >= 0)
                        r = bus_dict_add(m, PEERAUTH_KEY_RECOVERY, "b", (int)answer->recovery);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/*
 * libsystemd moves a message while it grows, and does not wipe where it was. So the message is made with a
 * placeholder, and the digits are written when it has found its place, which is wiped when it is freed.
 */
static int answer_write_code(sd_bus_message *m, const char *code) {
        const char *place;
        int r;

        /* Nothing answers a reply, so its serial number can be any but 0. */
        r = sd_bus_message_seal(m, 1, 0);
        if (r >= 0)
                r = sd_bus_message_read(m, "sss", NULL, NULL, &place);
        if (r >= 0)
                memcpy((char *)place, code, PEERAUTH_CODE_DIGITS);
        return r;
}

/* Without memory for it, the reply stays what it was: a denial. */
static void admit_answer(Reply *reply, const CreateAnswer *answer) {
        _cleanup_message_ sd_bus_message *m = NULL;

        if (reply_begin(reply, &m) < 0 || sd_bus_message_sensitive(m) < 0 || answer_append(m, answer) < 0 ||
            (answer->code && answer_write_code(m, answer->code) < 0))
                return;
        reply_prepare(reply, STEAL_PTR(m));
}

/* ---- how a login ends that is not held ---- */

void flow_admit_fail(FlowCreate *create, const char *error, const char *message) {
        reply_prepare_error(create->reply, error, "%s", message);
        flow_create_free(create);
}

void flow_admit_refuse(FlowCreate *create, const char *message) {
        Flow *flow = create->flow;
        const PolicyRule *rule = create->request->rule;
        const CreateAnswer answer = {
                .outcome = VERDICT_DENIED, .rule = rule ? rule->name : NULL, .message = message};

        if (record_refused(flow->ledger, create->request, message) < 0) {
                flow_admit_fail(create, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                "The login was refused, and that could not be recorded.");
                return;
        }
        admit_answer(create->reply, &answer);
        flow_schedule_commit(flow);
        flow_hold(flow, STEAL_PTR(create->reply));
        flow_create_free(create);
}

static void admit_exempt(Reply *reply, const PolicyRule *rule) {
        const CreateAnswer answer = {.outcome = VERDICT_EXEMPT, .rule = rule->name};

        admit_answer(reply, &answer);
        reply_free(reply);
}

void flow_admit_pass(FlowCreate *create) {
        admit_exempt(STEAL_PTR(create->reply), create->request->rule);
        flow_create_free(create);
}

/* Watched only: what the entry says decides nothing, so a ledger that is full keeps nobody out. */
void flow_admit_pass_watched(FlowCreate *create, const RecordPass *pass) {
        Flow *flow = create->flow;
        int r = pass && flow->ledger ? record_passed(flow->ledger, create->request, pass) : -ENOTCONN;

        if (r < 0)
                log_warning("a login that rule \"%s\" only watches passed unrecorded: %s",
                            create->request->rule->name,
                            pass ? strerror(-r) : "too many at once, or no ledger");
        else
                flow_schedule_commit(flow);
        flow_admit_pass(create);
}

/* Nobody was there, and the rule lets it pass then; but only with a durable entry. */
static void admit_pass_nobody(FlowCreate *create) {
        const RecordPass pass = {.nobody = true};
        Flow *flow = create->flow;
        const CreateAnswer answer = {.outcome = VERDICT_EXEMPT, .rule = create->request->rule->name};

        if (record_passed(flow->ledger, create->request, &pass) < 0) {
                flow_admit_fail(create, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                "The login could not be recorded, so it is denied.");
                return;
        }
        admit_answer(create->reply, &answer);
        flow_schedule_commit(flow);
        flow_hold(flow, STEAL_PTR(create->reply));
        flow_create_free(create);
}

bool flow_exempts_service(const Flow *flow, const char *service) {
        const PolicyRule *rule = flow->policy ? policy_decide_by_service(flow->policy, service) : NULL;

        return rule && rule->action == POLICY_EXEMPT;
}

void flow_exempt(Flow *flow, Reply *reply, const char *service) {
        admit_exempt(reply, policy_decide_by_service(flow->policy, service));
}

/* ---- a request ---- */

static uint64_t admit_lifetime(const FlowCreate *create) {
        uint64_t expires = create->request->rule->expires_usec;

        return create->time_left_usec != 0 ? clock_earlier(create->time_left_usec, expires) : expires;
}

static void admit_init_state(const FlowCreate *create) {
        Request *request = create->request;
        const PolicyRule *rule = request->rule;
        const RequestTerms terms = {.quorum = rule->quorum,
                                    .admins_decide = rule->admins_group != NULL,
                                    .deny_threshold = rule->deny_threshold,
                                    .self_review = rule->self_review};
        uint64_t now = clock_boottime_usec();

        request_init(&request->state, request->state.requester, &terms, now, now + admit_lifetime(create));
}

static void admit_finish(FlowCreate *create, const RecordPass *reach) {
        Flow *flow = create->flow;
        Request *request = create->request;
        _cleanup_free_ char *reviewers = policy_reviewers_text(request->rule, false);
        unsigned size = quorum_size(&request->rule->quorum, false);
        CreateAnswer answer = {.outcome = VERDICT_PENDING,
                               .rule = request->rule->name,
                               .reviewers = reviewers,
                               .needed = size == QUORUM_NEVER ? 0 : size,
                               .reachable = reach->reachable,
                               .enough = reach->enough,
                               .recovery = flow_has_recovery(flow, request)};
        char code[CODE_SIZE];
        const char *quota;
        int r;

        /* Again: others may have come in while the reviewers were counted. */
        quota = registry_quota(flow->registry, request);
        if (quota) {
                flow_admit_fail(create, PEERAUTH_ERROR_RATE_LIMITED, quota);
                return;
        }
        admit_init_state(create);
        r = registry_add(flow->registry, request, sd_bus_message_get_sender(reply_call(create->reply)), code);
        if (r < 0) {
                reply_prepare_error(create->reply,
                                    r == -ENOBUFS ? PEERAUTH_ERROR_RATE_LIMITED : SD_BUS_ERROR_FAILED,
                                    "The login cannot be held for approval: %s.", strerror(-r));
                flow_create_free(create);
                return;
        }
        answer.id = request->id;
        answer.code = code;
        answer.deadline_usec = request->state.deadline_usec;
        admit_answer(create->reply, &answer);
        crypto_wipe(code, sizeof(code));
        request->created = STEAL_PTR(create->reply);
        create->request = NULL;
        flow_create_free(create);
        flow_record_created(flow, request);
}

/* ---- who is there ---- */

/* How many could have a say, from the start or (escalated) later, and whether they are enough together. */
static RecordPass admit_count(const FlowCreate *create, const ReachResult *result, bool escalated) {
        const Request *request = create->request;
        const Quorum *quorum = &request->rule->quorum;
        QuorumParts parts[REACH_PEOPLE_MAX], open = quorum_open_parts(quorum, escalated);
        RecordPass count = {0};
        unsigned n = 0;

        for (size_t i = 0; i < result->n; i++) {
                const ReachPerson *person = &result->people[i];
                /* Of an account that does not exist, nobody is told that reviewers are away (attack A7). */
                PolicyRole role = request->state.requester == REQUEST_UID_INVALID
                                          ? person->role
                                          : flow_role_for(create->flow, request, person, result->sessions);

                if (role.admin || role.parts & open)
                        count.reachable++;
                count.enough |= role.admin;
                parts[n++] = role.parts;
        }
        count.enough |= quorum_missing(quorum, escalated, parts, n) == 0;
        return count;
}

#define TEXT_NOBODY "Nobody who could approve this login is logged in now."

static void admit_with_nobody(FlowCreate *create, const RecordPass *count) {
        switch (create->request->rule->when_nobody) {
        case POLICY_NOBODY_WAIT:
                admit_finish(create, count);
                return;
        case POLICY_NOBODY_ALLOW:
                /* Another name service than the broker's may know an account that this one does not. */
                if (create->request->state.requester == REQUEST_UID_INVALID)
                        admit_finish(create, count);
                else
                        admit_pass_nobody(create);
                return;
        case POLICY_NOBODY_RECOVERY_ONLY:
                if (flow_has_recovery(create->flow, create->request))
                        admit_finish(create, count);
                else
                        flow_admit_refuse(create, TEXT_NOBODY
                                          " This account has no recovery codes: ask an administrator.");
                return;
        case POLICY_NOBODY_DENY:
                break;
        }
        flow_admit_refuse(create, TEXT_NOBODY " Ask one of them to log in, and try again.");
}

static void on_reach(int r, const ReachResult *result, void *userdata) {
        FlowCreate *create = userdata;
        bool watched = create->request->rule->action == POLICY_MONITOR;
        RecordPass count = {0}, later = {0};

        if (r < 0)
                log_warning("cannot find out who is logged in to review: %s", strerror(-r));
        else {
                count = admit_count(create, result, false);
                later = admit_count(create, result, true);
        }
        if (watched)
                flow_admit_pass_watched(create, &count);
        else if (r >= 0 && result->group_missing)
                flow_admit_refuse(
                        create, "The group that should approve this login does not exist on this machine. An "
                                "administrator creates it with groupadd, or names another in "
                                "/etc/peerauth/peerauth.conf.");
        else if (r >= 0 && !result->incomplete && !result->more && later.reachable == 0)
                admit_with_nobody(create, &count);
        else /* who is there may not be known: the login is held all the same, and votes are checked */
                admit_finish(create, &count);
}

void flow_admit_begin(FlowCreate *create) {
        const ReachQuestion question = {.policy = create->request->policy,
                                        .rule = create->request->rule,
                                        .done = on_reach,
                                        .userdata = create};

        if (reach_ask(create->flow->bus, create->flow->worker, &question, &create->reach) < 0)
                on_reach(-ENOMEM, NULL, create);
}
