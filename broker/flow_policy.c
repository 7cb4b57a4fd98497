/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy in force: how it is replaced, what that leaves behind, and who somebody is under it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/flow_internal.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/strv.h"

static int flow_policy_rule_groups(char ***names, const PolicyRule *rule) {
        int r = strv_append_new(names, rule->admins_group);

        for (unsigned i = 0; i < rule->quorum.n_parts && r >= 0; i++)
                r = strv_append_new(names, rule->parts[i].group);
        return r;
}

/* Groups to look up from now on. Requests keep the rules that they were made under, so those are needed
 * until they are over, though the new policy may not name them. */
static int flow_policy_groups(const Flow *flow, const Policy *policy, char ***ret_names) {
        static char *const auditors[] = {(char *)FLOW_AUDITORS, NULL};
        _cleanup_strv_ char **names = strv_concat(policy->group_names, auditors);
        int r = names ? 0 : -ENOMEM;

        for (const Request *q = registry_next(flow->registry, NULL); q && r >= 0;
             q = registry_next(flow->registry, q))
                r = flow_policy_rule_groups(&names, q->rule);
        for (const FlowCreate *c = flow->creating; c && r >= 0; c = c->next)
                if (c->request && c->request->rule)
                        r = flow_policy_rule_groups(&names, c->request->rule);
        if (r >= 0)
                *ret_names = STEAL_PTR(names);
        return r;
}

static void flow_policy_note(Flow *flow, const char *message) {
        free(flow->policy_message);
        flow->policy_message = message ? strdup(message) : NULL;
}

/* At the start broker-started says which policy is in force. */
static void flow_policy_record(Flow *flow, const Policy *policy) {
        int r;

        if (!flow->ledger || (flow->policy && strcmp(flow->policy->hash, policy->hash) == 0))
                return;
        r = record_policy_changed(flow->ledger, policy, flow->policy ? flow->policy->hash : "");
        if (r < 0)
                log_error("the change of the policy could not be recorded: %s", strerror(-r));
        else
                flow_schedule_commit(flow);
}

void flow_set_policy(Flow *flow, Policy *policy, const char *message) {
        char **names = NULL;

        if (policy && flow_policy_groups(flow, policy, &names) < 0) {
                policy = policy_unref(policy);
                message = "There was not enough memory for it.";
        }
        flow_policy_note(flow, message);
        if (!policy)
                return;
        flow_policy_record(flow, policy);
        strv_free(flow->group_names);
        flow->group_names = names;
        policy_unref(flow->policy);
        flow->policy = policy;
}

void flow_reload_policy(Flow *flow, Reply *reply, const Caller *caller) {
        sd_bus_message *m = NULL;

        if (!flow_roles(flow, caller).admin && caller->uid != 0) {
                reply_prepare_error(reply, SD_BUS_ERROR_ACCESS_DENIED,
                                    "Only root and administrators may put a policy in force.");
                reply_free(reply);
                return;
        }
        log_info("uid %u (person %u) asked for the policy to be read again", caller->uid, caller->person);
        flow->reload(flow->reload_userdata);
        if (flow->policy_message)
                reply_prepare_error(reply, PEERAUTH_ERROR_POLICY_INVALID, "%s", flow->policy_message);
        else if (reply_begin(reply, &m) >= 0 &&
                 sd_bus_message_append(m, "su", flow->policy->hash, (uint32_t)flow->policy->n_rules) >= 0)
                reply_prepare(reply, sd_bus_message_ref(m));
        sd_bus_message_unref(m);
        flow_hold(flow, reply); /* the change is in the ledger before it is told */
}

char *const *flow_group_names(const Flow *flow) {
        return flow->group_names;
}

char *const *flow_login_groups(const Flow *flow) {
        return flow->policy ? flow->policy->login_groups : NULL;
}

FlowRoles flow_roles(const Flow *flow, const Caller *caller) {
        const PolicyPerson person = {
                .uid = caller->uid, .name = caller->account.name, .groups = caller->account.groups};
        FlowRoles roles = {0};

        if (caller_is_borrowed(caller))
                return roles;
        for (size_t i = 0; flow->policy && i < flow->policy->n_rules; i++) {
                PolicyRole role = policy_role(&flow->policy->rules[i], &person);

                roles.reviewer |= role.parts != 0;
                roles.admin |= role.admin;
        }
        roles.auditor = caller->uid == 0 || roles.admin ||
                        strv_contains(caller->account.groups, FLOW_AUDITORS);
        return roles;
}
