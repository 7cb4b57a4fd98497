/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A login arrives: may this caller ask, which rule decides, has the requester said why. What follows from
 * that is in flow_admit.c.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/flow_internal.h"
#include "common/clock.h"
#include "common/strv.h"

FlowCreate *flow_create_free(FlowCreate *create) {
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
                flow_create_free(flow->creating);
}

/* ---- permission and facts ---- */

static const char *create_no_way_to_ask(const char *service) {
#define NO_WAY_TO_ASK "This login needs a colleague's approval, and came in by a way that cannot ask for it. "
        return strcmp(service, "sshd") == 0
                       ? NO_WAY_TO_ASK "For ssh keys an administrator sets AuthenticationMethods "
                                       "publickey,keyboard-interactive in sshd_config."
                       : NO_WAY_TO_ASK "An administrator writes a rule with Action=exempt for it.";
}

/* NULL, or why this login is refused at once. */
static const char *create_objection(const FlowCreate *create) {
        const PolicyRule *rule = create->request->rule;

        if (!create->flow->policy)
                return "The policy of this machine is not valid, so no login can be approved. An "
                       "administrator sees the reason with: peerauthctl status";
        /* A rule for a group that is not found would else be passed over, and a later one let people in. */
        if (create->unknown_group)
                return "The policy of this machine names a group that is not found: it does not exist, or "
                       "the directory that has it does not answer.";
        if (create->unsure)
                return "The policy of this machine depends on the network that a login comes from, and of "
                       "yours only a name is known. An administrator sets UseDNS no in sshd_config.";
        if (!rule)
                return "No rule of this machine's policy covers this login.";
        if (rule->action == POLICY_DENY)
                return "A rule of this machine's policy forbids this login.";
        if (rule->action == POLICY_REQUIRE && create->account_stage)
                return create_no_way_to_ask(create->request->service);
        return NULL;
}

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

/* Says why in *ret_message and returns an error name, or NULL if the login may be recorded. */
static const char *create_blocked(Flow *flow, const Caller *caller, const char **ret_message) {
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

/* *ret_rests: whether another answer would be given if a group that was not found had the account in it. */
static PolicyDecision create_decide(const Flow *flow, const Caller *caller, const FlowLogin *login,
                                    bool *ret_rests) {
        char own_name[HOST_NAME_MAX + 1] = "";
        PolicyQuery query = {.service = login->service,
                             .user = caller->requester.name,
                             .groups = caller->requester.groups,
                             .tty = login->tty};

        clock_week(&query.moment.weekday, &query.moment.minute);
        (void)gethostname(own_name, sizeof(own_name) - 1);
        /* sudo reports this machine's own name, and says who asks. From anybody else it may be a name that a
         * stranger's DNS gave. */
        query.origin = policy_origin(login->rhost, login->ruser && *login->ruser ? own_name : NULL);
        *ret_rests = flow->policy && caller->requester.unknown_groups &&
                     policy_rests_on_groups(flow->policy, &query);
        return flow->policy ? policy_decide(flow->policy, &query) : (PolicyDecision){0};
}

static char *fact(const char *text) {
        return strdup(text ? text : "");
}

/* A request with its facts, not yet alive; NULL when memory ran out. */
static Request *create_request(const Caller *caller, const FlowLogin *login) {
        Request *request = calloc(1, sizeof(*request));

        if (!request)
                return NULL;
        request->code_slot = CODE_NO_SLOT;
        request->state.requester = caller->requester.exists ? caller->requester.uid : REQUEST_UID_INVALID;
        request->verified = caller->uid == 0;
        memcpy(request->askers, caller->behind, sizeof(request->askers));
        request->owner_pid = caller->pid;
        request->owner_parent = caller->parent;
        memcpy(request->owner_session, caller->session, sizeof(request->owner_session));
        request->created_usec = clock_realtime_usec();
        request->user = fact(caller->requester.name);
        request->service = fact(login->service);
        request->tty = fact(login->tty);
        request->rhost = fact(login->rhost);
        request->ruser = fact(login->ruser);
        request->stated_reason = login->reason && *login->reason ? strdup(login->reason) : NULL;
        if (!request->user || !request->service || !request->tty || !request->rhost || !request->ruser ||
            (login->reason && *login->reason && !request->stated_reason))
                return registry_drop(request);
        return request;
}

/* Takes over reply; NULL when memory ran out, and it is answered. */
static FlowCreate *create_new(Flow *flow, Reply *reply, const Caller *caller, const FlowLogin *login) {
        bool rests_on_unknown;
        PolicyDecision decision = create_decide(flow, caller, login, &rests_on_unknown);
        FlowCreate *create = calloc(1, sizeof(*create));

        if (!create) {
                reply_free(reply);
                return NULL;
        }
        *create = (FlowCreate){.flow = flow,
                               .next = flow->creating,
                               .link = &flow->creating,
                               .reply = reply,
                               .request = create_request(caller, login),
                               .time_left_usec = login->time_left_usec,
                               .unsure = decision.unsure,
                               .unknown_group = rests_on_unknown,
                               .account_stage = login->account_stage,
                               .can_ask = login->can_ask,
                               .reason_given = login->reason != NULL};
        if (create->next)
                create->next->link = &create->next;
        flow->creating = create;
        if (!create->request)
                return flow_create_free(create);
        create->request->policy = policy_ref(flow->policy);
        create->request->rule = decision.rule;
        return create;
}

/* ---- the requester's reason ---- */

/* Whether the login may go on; otherwise it was answered. */
static bool create_check_reason(FlowCreate *create) {
        const PolicyText *rule = &create->request->rule->reason;
        bool pattern = rule->mode == POLICY_TEXT_PATTERN;

        if (!create->reason_given && rule->mode != POLICY_TEXT_OFF && create->can_ask) {
                reply_prepare_error(create->reply, PEERAUTH_ERROR_REASON_NEEDED,
                                    "Reason for this login%s%s: ",
                                    pattern                              ? ", as "
                                    : rule->mode == POLICY_TEXT_OPTIONAL ? " (optional)"
                                                                         : "",
                                    pattern ? rule->pattern : "");
                flow_create_free(create);
                return false;
        }
        switch (policy_text_check(rule, create->request->stated_reason)) {
        case POLICY_TEXT_FINE:
                return true;
        case POLICY_TEXT_UNWANTED:
                flow_admit_fail(create, SD_BUS_ERROR_INVALID_ARGS,
                                "The rule for this login takes no reason.");
                return false;
        case POLICY_TEXT_MISSING:
                flow_admit_refuse(create,
                                  create->reason_given
                                          ? "This login needs a reason, and none was given."
                                          : "This login needs a reason, and this way in cannot ask for one.");
                return false;
        case POLICY_TEXT_WRONG:
                break;
        }
        flow_admit_refuse(
                create,
                "The reason that was given is not of the form that the rule for this login asks for.");
        return false;
}

/* ---- in this order ---- */

/* Whether this login passes or ends without being held; then it was answered. */
static bool create_settles_at_once(FlowCreate *create, const Caller *caller, const FlowLogin *login) {
        const PolicyRule *rule = create->request->rule;
        bool known = rule && !create->unsure && !create->unknown_group;
        const char *message = create_forbidden(caller, login), *error;

        if (message)
                flow_admit_fail(create, SD_BUS_ERROR_ACCESS_DENIED, message);
        else if (create_is_stale(create->flow, caller))
                flow_admit_fail(create, SD_BUS_ERROR_FAILED,
                                "The policy of this machine changed just now; log in again.");
        else if (known && rule->action == POLICY_EXEMPT)
                flow_admit_pass(create);
        else if ((error = create_blocked(create->flow, caller, &message)) && known &&
                 rule->action == POLICY_MONITOR)
                flow_admit_pass_watched(create, NULL);
        else if (error)
                flow_admit_fail(create, error, message);
        else if ((message = create_objection(create)))
                flow_admit_refuse(create, message);
        else
                return false;
        return true;
}

void flow_create(Flow *flow, Reply *reply, const Caller *caller, const FlowLogin *login) {
        FlowCreate *create = create_new(flow, reply, caller, login);
        const char *quota;

        if (!create || create_settles_at_once(create, caller, login))
                return;
        if (create->request->rule->action == POLICY_REQUIRE) {
                if (!create_check_reason(create))
                        return;
                quota = registry_quota(flow->registry, create->request);
                if (quota) {
                        flow_admit_fail(create, PEERAUTH_ERROR_RATE_LIMITED, quota);
                        return;
                }
        }
        flow_admit_begin(create);
}
