/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real side of the model test: reads cases, runs the real parser, rules and state machine over them, and
 * writes a line for each command. It translates and judges nothing; tests/model/model.py says what is right.
 *
 * Input: one command a line, fields separated by tabs, "~" for an absent one, lists separated by '/'.
 *   case ID
 *   policy N                                          followed by the N lines of a policy file
 *   login SERVICE USER GROUPS TTY RHOST OWN-NAME WEEKDAY MINUTE
 *   service NAME                                      what is known by the service alone
 *   person UID NAME GROUPS VOUCHED                    numbered from 0 within the case
 *   note TEXT, reason TEXT                            under the rule that the login got
 *   request REQUESTER NOW DEADLINE                    likewise
 *   approve|deny|wrong|cancel|void|tick|recheck|escalate|none NOW PERSON
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/request.h"
#include "common/cleanup.h"
#include "common/policy.h"
#include "common/policy_load_file.h"
#include "common/strv.h"

enum { FIELDS_MAX = 10, PEOPLE_MAX = 64 };

typedef struct Driver {
        Policy *policy;
        PolicyDecision decision;
        PolicyPerson people[PEOPLE_MAX];
        char *names[PEOPLE_MAX];
        char **groups[PEOPLE_MAX];
        bool vouched[PEOPLE_MAX];
        size_t n_people;
        RequestState request;
} Driver;

static void fail(const char *what) {
        fprintf(stderr, "driver: %s\n", what);
        exit(2);
}

static const char *field(char *const *fields, unsigned i) {
        if (!fields[i])
                fail("a field is missing");
        return strcmp(fields[i], "~") == 0 ? NULL : fields[i];
}

static uint64_t number(char *const *fields, unsigned i) {
        return strtoull(field(fields, i), NULL, 10);
}

/* The broker asks only for memberships that the policy names, and hands over those. */
static char **groups_among(const char *list, char *const *known) {
        _cleanup_free_ char *copy = strdup(list ? list : "");
        char **groups = NULL, *rest = copy, *group;

        while ((group = strsep(&rest, "/")))
                if (*group && strv_contains(known, group) && strv_append(&groups, group) < 0)
                        fail("no memory");
        return groups;
}

static void reset(Driver *d) {
        d->policy = policy_unref(d->policy);
        for (size_t i = 0; i < d->n_people; i++) {
                free(d->names[i]);
                strv_free(d->groups[i]);
        }
        memset(d, 0, sizeof(*d));
}

static void do_case(Driver *d, char **fields) {
        reset(d);
        printf("case %s\n", field(fields, 1));
}

static char *read_lines(unsigned n) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0, length = 0;
        char *text = NULL;
        FILE *out = open_memstream(&text, &length);

        for (; n > 0; n--)
                if (getline(&line, &size, stdin) < 0 || fputs(line, out) < 0)
                        fail("the policy is shorter than said");
        fclose(out);
        return text;
}

static void do_policy(Driver *d, char **fields) {
        _cleanup_free_ char *text = read_lines((unsigned)number(fields, 1)), *message = NULL;
        PolicyRules read = {0};
        unsigned line = 0;
        int r = policy_parse(text, strlen(text), "p", &read, &message);

        if (r != 0) {
                if (message)
                        (void)sscanf(message, "p:%u:", &line);
                printf("refused %s %u %s\n", r == -EINVAL ? "EINVAL" : strerror(-r), line,
                       message ? message : "");
                return;
        }
        d->policy = calloc(1, sizeof(*d->policy));
        if (!d->policy)
                fail("no memory");
        d->policy->rules = read.rules;
        d->policy->n_rules = read.n_rules;
        if (policy_name_groups(d->policy) < 0)
                fail("no memory");
        printf("rules %zu\n", read.n_rules);
}

static const char *fit_name(PolicyFit fit) {
        static const char *const names[] = {
                [POLICY_FIT_UNSURE] = "unsure",         [POLICY_FIT_YES] = "yes",
                [POLICY_FIT_NOT_SERVICE] = "service",   [POLICY_FIT_NOT_USER] = "user",
                [POLICY_FIT_NOT_GROUP] = "group",       [POLICY_FIT_NOT_TTY] = "tty",
                [POLICY_FIT_NOT_LOCATION] = "location", [POLICY_FIT_NOT_ADDRESS] = "address",
                [POLICY_FIT_NOT_TIME] = "time",
        };

        return (size_t)fit < sizeof(names) / sizeof(names[0]) ? names[fit] : "?";
}

static const char *answer(const PolicyDecision *decision) {
        if (!decision->rule || decision->unsure)
                return "denied";
        switch (decision->rule->action) {
        case POLICY_REQUIRE:
                return "pending";
        case POLICY_EXEMPT:
                return "exempt";
        case POLICY_MONITOR:
                return "monitored";
        case POLICY_DENY:
        default:
                return "denied";
        }
}

static void print_text_rule(const char *name, const PolicyText *text) {
        static const char *const modes[] = {"off", "optional", "required", "pattern"};

        printf(" %s=%s", name, modes[text->mode]);
        if (text->pattern)
                printf(":%s", text->pattern);
}

static void print_terms(const PolicyRule *rule) {
        static const char *const nobody[] = {"deny", "wait", "recovery-only", "allow-and-record"};

        printf(" code=%s deny=%u self=%d remote=%d", rule->code == CODE_COMPARE ? "compare" : "enter",
               rule->deny_threshold ? rule->deny_threshold : 1, rule->self_review, rule->remote_reviewers);
        print_text_rule("note", &rule->note);
        print_text_rule("reason", &rule->reason);
        printf(" nobody=%s expires=%llu escalate=%llu size=%u/%u", nobody[rule->when_nobody],
               (unsigned long long)(rule->expires_usec / PEERAUTH_USEC_PER_SEC),
               (unsigned long long)(rule->escalate_usec / PEERAUTH_USEC_PER_SEC),
               quorum_size(&rule->quorum, false), quorum_size(&rule->quorum, true));
}

static void do_login(Driver *d, char **fields) {
        char **groups = groups_among(field(fields, 3), d->policy->login_groups);
        PolicyQuery query = {
                .service = field(fields, 1),
                .user = field(fields, 2),
                .groups = groups,
                .tty = field(fields, 4),
                .origin = policy_origin(field(fields, 5), field(fields, 6)),
                .moment = {.weekday = (unsigned)number(fields, 7), .minute = (unsigned)number(fields, 8)},
        };
        const PolicyRule *rule;

        d->decision = policy_decide(d->policy, &query);
        rule = d->decision.rule;
        printf("login %s %s", rule ? rule->name : "-", answer(&d->decision));
        for (size_t i = 0; i < d->policy->n_rules; i++)
                printf(" %s", fit_name(policy_fit(&d->policy->rules[i], &query)));
        if (rule && (rule->action == POLICY_REQUIRE || rule->action == POLICY_MONITOR))
                print_terms(rule);
        printf("\n");
        strv_free(groups);
}

static void do_service(Driver *d, char **fields) {
        const PolicyRule *rule = policy_decide_by_service(d->policy, field(fields, 1));

        printf("service %s\n", rule ? rule->name : "-");
}

static void do_person(Driver *d, char **fields) {
        size_t i = d->n_people++;

        if (i >= PEOPLE_MAX)
                fail("too many people");
        d->names[i] = strdup(field(fields, 2));
        d->groups[i] = groups_among(field(fields, 3), d->policy->group_names);
        d->vouched[i] = number(fields, 4) != 0;
        d->people[i] = (PolicyPerson){
                .uid = (uid_t)number(fields, 1), .name = d->names[i], .groups = d->groups[i]};
}

/* Commands that need a rule say so where there is none, so that a wrong rule is seen as that. */
static const PolicyRule *need_rule(const Driver *d, char **fields) {
        if (!d->decision.rule)
                printf("%s no rule\n", fields[0]);
        return d->decision.rule;
}

static void check_text(const PolicyText *rule, char **fields) {
        static const char *const names[] = {"wrong", "missing", "unwanted", "fine"};

        printf("%s %s\n", fields[0], names[policy_text_check(rule, field(fields, 1))]);
}

static void do_note(Driver *d, char **fields) {
        if (need_rule(d, fields))
                check_text(&d->decision.rule->note, fields);
}

static void do_reason(Driver *d, char **fields) {
        if (need_rule(d, fields))
                check_text(&d->decision.rule->reason, fields);
}

static void print_request(const RequestState *state) {
        printf(" %s missing=%u approvals=%u denials=%u escalated=%d\n", verdict_to_string(state->verdict),
               request_missing(state), request_approvals(state), request_denials(state), state->escalated);
}

static void do_request(Driver *d, char **fields) {
        const PolicyRule *rule = need_rule(d, fields);
        RequestTerms terms;

        if (!rule)
                return;
        terms = (RequestTerms){
                .quorum = rule->quorum,
                .admins_decide = rule->admins_group != NULL,
                .deny_threshold = rule->deny_threshold,
                .self_review = rule->self_review,
        };
        memset(&d->request, 0xA5, sizeof(d->request));
        request_init(&d->request, (uid_t)number(fields, 1), &terms, number(fields, 2), number(fields, 3));
        printf("request");
        print_request(&d->request);
}

static const struct {
        const char *word;
        RequestEventKind kind;
} events[] = {
        {"none", REQUEST_EVENT_NONE},         {"approve", REQUEST_EVENT_APPROVE},
        {"deny", REQUEST_EVENT_DENY},         {"wrong", REQUEST_EVENT_WRONG_CODE},
        {"cancel", REQUEST_EVENT_CANCEL},     {"tick", REQUEST_EVENT_TICK},
        {"void", REQUEST_EVENT_VOID},         {"recheck", REQUEST_EVENT_RECHECK},
        {"escalate", REQUEST_EVENT_ESCALATE},
};

static void do_event(Driver *d, char **fields, RequestEventKind kind) {
        size_t i = number(fields, 2);
        PolicyRole role;
        RequestEvent event;
        int r;

        if (i >= d->n_people)
                fail("an unknown person");
        if (!need_rule(d, fields))
                return;
        role = policy_role(d->decision.rule, &d->people[i]);
        event = (RequestEvent){
                .kind = kind,
                .now_usec = number(fields, 1),
                .person = d->people[i].uid,
                .parts = role.parts,
                .as_admin = role.admin,
                .self_vouched = d->vouched[i],
        };
        r = request_apply(&d->request, &event);
        printf("%s %s", fields[0], r < 0 ? strerrorname_np(-r) : r == 0 ? "0" : "1");
        print_request(&d->request);
}

static const struct {
        const char *word;
        void (*run)(Driver *d, char **fields);
} commands[] = {
        {"case", do_case},     {"policy", do_policy}, {"login", do_login},   {"service", do_service},
        {"person", do_person}, {"note", do_note},     {"reason", do_reason}, {"request", do_request},
};

static void run(Driver *d, char **fields) {
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                if (strcmp(fields[0], commands[i].word) == 0) {
                        if (i >= 2 && !d->policy)
                                return; /* it was refused */
                        commands[i].run(d, fields);
                        return;
                }
        for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
                if (strcmp(fields[0], events[i].word) == 0) {
                        if (d->policy)
                                do_event(d, fields, events[i].kind);
                        return;
                }
        fail("an unknown command");
}

int main(void) {
        static Driver driver;
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        while (getline(&line, &size, stdin) > 0) {
                char *fields[FIELDS_MAX + 1] = {NULL}, *rest = line;

                line[strcspn(line, "\n")] = '\0';
                for (unsigned i = 0; i < FIELDS_MAX && rest; i++)
                        fields[i] = strsep(&rest, "\t");
                run(&driver, fields);
        }
        reset(&driver);
        return fflush(stdout) == 0 ? 0 : 2;
}
