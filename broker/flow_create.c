/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A login arrives: may this caller ask, which rule decides, who could review; then it becomes a request,
 * passes, or is refused. And the two other things that a requester does: wait, and cancel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bus.h"
#include "broker/flow_internal.h"
#include "broker/reach.h"
#include "broker/record.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/log.h"
#include "common/strv.h"

/* A login whose reachable reviewers are being counted. */
struct FlowCreate {
        Flow *flow;
        FlowCreate *next, **link;
        Reply *reply;
        Request *request; /* filled in, not yet in the registry */
        Reach *reach;
        uint64_t expires_usec;
};

static FlowCreate *create_free(FlowCreate *create) {
        if (!create)
                return NULL;
        *create->link = create->next;
        if (create->next)
                create->next->link = create->link;
        reach_free(create->reach);
        registry_drop(create->request);
        reply_free(create->reply);
        free(create);
        return NULL;
}

void flow_create_abandon(Flow *flow) {
        while (flow->creating)
                create_free(flow->creating);
}

/* Everything that CreateRequest returns; strings may be NULL. */
typedef struct CreateAnswer {
        Verdict outcome;
        const char *id, *code, *rule, *reviewers, *message;
        uint64_t deadline_usec;
        unsigned needed, reachable;
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
static void create_answer(Reply *reply, const CreateAnswer *answer) {
        _cleanup_message_ sd_bus_message *m = NULL;

        if (reply_begin(reply, &m) < 0 || sd_bus_message_sensitive(m) < 0 || answer_append(m, answer) < 0 ||
            (answer->code && answer_write_code(m, answer->code) < 0))
                return;
        reply_prepare(reply, STEAL_PTR(m));
}

/* ---- refusal and exemption ---- */

static void create_refuse(Flow *flow, Reply *reply, const Request *request, const char *message) {
        const RecordLogin login = {.user = request->user,
                                   .service = request->service,
                                   .tty = request->tty,
                                   .rhost = request->rhost,
                                   .uid = request->state.requester};
        const CreateAnswer answer = {.outcome = VERDICT_DENIED,
                                     .rule = request->rule ? request->rule->name : NULL,
                                     .message = message};

        if (record_refused(flow->ledger, &login, answer.rule, message) < 0) {
                reply_prepare_error(reply, PEERAUTH_ERROR_LEDGER_UNAVAILABLE,
                                    "The login was refused, and that could not be recorded.");
                reply_free(reply);
                return;
        }
        create_answer(reply, &answer);
        flow_schedule_commit(flow);
        flow_hold(flow, reply);
}

static void create_exempt(Reply *reply, const PolicyRule *rule) {
        const CreateAnswer answer = {.outcome = VERDICT_EXEMPT, .rule = rule->name};

        create_answer(reply, &answer);
        reply_free(reply);
}

bool flow_exempts_service(const Flow *flow, const char *service) {
        const PolicyRule *rule = flow->policy ? policy_decide_by_service(flow->policy, service) : NULL;

        return rule && rule->action == POLICY_EXEMPT;
}

void flow_exempt(Flow *flow, Reply *reply, const char *service) {
        create_exempt(reply, policy_decide_by_service(flow->policy, service));
}

/* ---- a request ---- */

static void create_finish(FlowCreate *create, unsigned reachable) {
        Flow *flow = create->flow;
        Request *request = create->request;
        uint64_t now = clock_boottime_usec();
        const RequestTerms terms = {.needed = request->rule->reviewers_needed,
                                    .admins_decide = request->rule->admins_group != NULL};
        _cleanup_free_ char *reviewers = policy_rule_reviewers_text(request->rule);
        CreateAnswer answer = {.outcome = VERDICT_PENDING,
                               .rule = request->rule->name,
                               .reviewers = reviewers,
                               .needed = terms.needed,
                               .reachable = reachable};
        char code[CODE_SIZE];
        const char *quota;
        int r;

        /* Again: others may have come in while the reviewers were counted. */
        quota = registry_quota(flow->registry, request);
        if (quota) {
                reply_prepare_error(create->reply, PEERAUTH_ERROR_RATE_LIMITED, "%s", quota);
                create_free(create);
                return;
        }
        request_init(&request->state, request->state.requester, &terms, now, now + create->expires_usec);
        r = registry_add(flow->registry, request, sd_bus_message_get_sender(reply_call(create->reply)), code);
        if (r < 0) {
                reply_prepare_error(create->reply,
                                    r == -ENOBUFS ? PEERAUTH_ERROR_RATE_LIMITED : SD_BUS_ERROR_FAILED,
                                    "The login cannot be held for approval: %s.", strerror(-r));
                create_free(create);
                return;
        }
        answer.id = request->id;
        answer.code = code;
        answer.deadline_usec = request->state.deadline_usec;
        create_answer(create->reply, &answer);
        crypto_wipe(code, sizeof(code));
        request->created = STEAL_PTR(create->reply);
        create->request = NULL;
        create_free(create);
        flow_record_created(flow, request);
}

static void on_reach(int r, unsigned count, bool group_missing, void *userdata) {
        FlowCreate *create = userdata;

        if (r < 0)
                log_warning("cannot count the reviewers who are logged in: %s", strerror(-r));
        if (!group_missing) {
                create_finish(create, count);
                return;
        }
        create_refuse(
                create->flow, STEAL_PTR(create->reply), create->request,
                "The group that should approve this login does not exist on this machine. An administrator "
                "creates it with groupadd, or names another in /etc/peerauth/peerauth.conf.");
        create_free(create);
}

static void create_begin(Flow *flow, Reply *reply, Request *request, uint64_t time_left_usec) {
        FlowCreate *create = calloc(1, sizeof(*create));
        uint64_t expires = request->rule->expires_usec;

        if (!create) {
                registry_drop(request);
                reply_free(reply);
                return;
        }
        if (time_left_usec != 0 && time_left_usec < expires)
                expires = time_left_usec;
        *create = (FlowCreate){.flow = flow,
                               .next = flow->creating,
                               .link = &flow->creating,
                               .reply = reply,
                               .request = request,
                               .expires_usec = expires};
        if (create->next)
                create->next->link = &create->next;
        flow->creating = create;
        /* Without an answer the request is made all the same; who may vote is checked at the vote. */
        if (reach_count(flow->bus, flow->worker, request->rule, request->state.requester, request->asker,
                        on_reach, create, &create->reach) < 0)
                create_finish(create, 0);
}

/* NULL, or why this login is refused at once. */
static const char *create_objection(const Flow *flow, const Caller *caller, const Request *request) {
        const PolicyRule *rule = request->rule;

        if (!flow->policy)
                return "The policy of this machine is not valid, so no login can be approved. An "
                       "administrator sees the reason with: peerauthctl status";
        /* A rule for a group that is not found would else be passed over, and a later one let people in. */
        if (caller->requester.unknown_groups)
                return "The policy of this machine names a group that is not found: it does not exist, or "
                       "the directory that has it does not answer.";
        if (!rule)
                return "No rule of this machine's policy covers this login.";
        if (rule->action == POLICY_DENY)
                return "A rule of this machine's policy forbids this login.";
        return NULL;
}

/* ---- permission and facts ---- */

/* Only root may create a request for another account, and only root's word for where it comes from
 * counts (attacks B4, B14). */
static const char *create_forbidden(const Caller *caller, const FlowLogin *login) {
        if (caller->uid == 0)
                return NULL;
        if (!caller->requester.exists || caller->requester.uid != caller->uid)
                return "Only root may ask for the login of another account.";
        if ((login->rhost && *login->rhost) || (login->ruser && *login->ruser))
                return "Only root may state where a login comes from.";
        return NULL;
}

/* Kept as it came: whoever shows it to a person makes it safe, once (text_safe() doubles backslashes). */
static char *fact(const char *text) {
        return strdup(text ? text : "");
}

/* NULL: no memory. */
static Request *create_request(const Flow *flow, const Caller *caller, const FlowLogin *login) {
        const PolicyQuery query = {.service = login->service,
                                   .user = caller->requester.name,
                                   .groups = caller->requester.groups};
        const PolicyRule *rule = flow->policy ? policy_decide(flow->policy, &query) : NULL;
        Request *request = calloc(1, sizeof(*request));

        if (!request)
                return NULL;
        request->code_slot = CODE_NO_SLOT;
        request->state.requester = caller->requester.uid;
        request->verified = caller->uid == 0;
        request->asker = caller->person;
        request->created_usec = clock_realtime_usec();
        request->user = fact(caller->requester.name);
        request->service = fact(login->service);
        request->tty = fact(login->tty);
        request->rhost = fact(login->rhost);
        request->ruser = fact(login->ruser);
        request->rule = rule ? policy_rule_copy(rule) : NULL;
        if (!request->user || !request->service || !request->tty || !request->rhost || !request->ruser ||
            (rule && !request->rule))
                return registry_drop(request);
        return request;
}

/* Says why in *ret_message and returns an error name, or NULL if the login may wait. */
static const char *create_blocked(Flow *flow, const Caller *caller, const FlowLogin *login,
                                  const char **ret_message) {
        *ret_message = create_forbidden(caller, login);
        if (*ret_message)
                return SD_BUS_ERROR_ACCESS_DENIED;
        if (caller->uid != 0 && !quota_take(&flow->quota, caller->uid, clock_boottime_usec())) {
                *ret_message = "Too many logins were started without privileges; try again in some minutes.";
                return PEERAUTH_ERROR_RATE_LIMITED;
        }
        if (!flow_ledger(flow)) {
                *ret_message =
                        "The ledger is not available, so no login can be approved. An administrator sees the "
                        "reason with: peerauthctl status";
                return PEERAUTH_ERROR_LEDGER_UNAVAILABLE;
        }
        return NULL;
}

/* The policy was replaced while the account was looked up, and asks for groups that nobody asked about. */
static bool create_is_stale(const Flow *flow, const Caller *caller) {
        for (char *const *name = flow_login_groups(flow); name && *name; name++)
                if (!strv_contains(caller->group_names, *name))
                        return true;
        return false;
}

void flow_create(Flow *flow, Reply *reply, const Caller *caller, const FlowLogin *login) {
        Request *request = create_request(flow, caller, login);
        const char *message, *error, *quota;

        if (!request) {
                reply_free(reply);
                return;
        }
        if (create_is_stale(flow, caller)) {
                reply_prepare_error(reply, SD_BUS_ERROR_FAILED,
                                    "The policy of this machine changed just now; log in again.");
                reply_free(reply);
                registry_drop(request);
                return;
        }
        if (request->rule && request->rule->action == POLICY_EXEMPT && !create_forbidden(caller, login) &&
            !caller->requester.unknown_groups) {
                create_exempt(reply, request->rule);
                registry_drop(request);
                return;
        }
        error = create_blocked(flow, caller, login, &message);
        if (error) {
                reply_prepare_error(reply, error, "%s", message);
                reply_free(reply);
                registry_drop(request);
                return;
        }
        message = create_objection(flow, caller, request);
        if (message) {
                create_refuse(flow, reply, request, message);
                registry_drop(request);
                return;
        }
        quota = registry_quota(flow->registry, request);
        if (quota) {
                reply_prepare_error(reply, PEERAUTH_ERROR_RATE_LIMITED, "%s", quota);
                reply_free(reply);
                registry_drop(request);
                return;
        }
        create_begin(flow, reply, request, login->time_left_usec);
}

/* ---- waiting and cancelling ---- */

/* The sender's own live request, or NULL with the reply answered: foreign and unknown ids are alike (B8). */
static Request *own_request(Flow *flow, Reply **reply, const char *id) {
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
        request = own_request(flow, &reply, id);
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
        Request *request = own_request(flow, &reply, id);

        if (!request)
                return;
        /* One that is decided already is not an error: the requester has gone either way. */
        (void)flow_event(flow, request, &event, NULL);
        reply_prepare_empty(reply);
        flow_hold(flow, reply);
}
