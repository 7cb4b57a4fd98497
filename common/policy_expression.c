/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The grammar of Reviewers= and EscalateTo=. See policy_expression.h. */
#include "common/policy_expression.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/policy_value.h"
#include "common/protocol.h"
#include "common/strv.h"

#define SPACE  " \t"
#define DIGITS "0123456789"

static void part_done(PolicyPart *part) {
        free(part->group);
        strv_free(part->users);
        *part = (PolicyPart){0};
}

void policy_expression_done(PolicyExpression *expression) {
        for (unsigned i = 0; i < QUORUM_PARTS_MAX; i++)
                part_done(&expression->parts[i]);
        expression->quorum = (Quorum){0};
}

/* Cuts the next word off at *p; what stands in braces is in one word. NULL: there is none. */
static int next_word(const char **p, char **ret_word) {
        const char *word = *p + strspn(*p, SPACE), *close = word[0] == '{' ? strchr(word, '}') : NULL;
        size_t size = close ? (size_t)(close - word) : 0;

        size += word[0] == '{' && !close ? strlen(word) : strcspn(word + size, SPACE);
        *p = word + size;
        *ret_word = size > 0 ? strndup(word, size) : NULL;
        return size == 0 || *ret_word ? 0 : -ENOMEM;
}

/* What other programs write for "and" and "or". */
static bool is_foreign_joint(const char *word) {
        static const char *const words[] = {"&", "&&", "|", "||", ",", ";", "+", "/", "plus"};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(word, words[i]) == 0)
                        return true;
        return strpbrk(word, ",;|") || strstr(word, "&&");
}

/* With a number behind it, too: such a group cannot be told from a slip. */
static bool is_joint(const char *word) {
        size_t size = strcspn(word, ":");

        return (size == 3 && strncasecmp(word, "and", 3) == 0) ||
               (size == 2 && strncasecmp(word, "or", 2) == 0);
}

#define JOIN_BY_WORDS "is not understood; parts are joined by the words 'and' and 'or'"

/* What is wrong with a word that stands for a group, besides the name. */
static const char *wrong_group(const char *word) {
        if (is_joint(word))
                return "joins two parts, and one is missing; a group of this name cannot be used here";
        if (is_foreign_joint(word))
                return JOIN_BY_WORDS;
        if (strpbrk(word, "()"))
                return "has a parenthesis, and there are none; 'and' binds tighter than 'or', so write every "
                       "alternative out";
        if (strpbrk(word, "{}"))
                return "has a brace that has no counterpart; accounts are listed as in {mum dad}:2";
        if (strchr("@%", word[0]))
                return "has a prefix; a group is named without one";
        if (strpbrk(word, "*?[]"))
                return "has a wildcard, and there are none; name a group, and a number as in ops:2";
        if (word[0] == ':')
                return "has no group in front of ':'; write the name, as in ops:2";
        if (word[strspn(word, DIGITS)] == '\0')
                return "is a number; it stands behind the group, as in ops:2";
        if (word[strlen(word) - 1] == ':')
                return "has no number behind ':'; write it without a space, as in ops:2";
        return NULL;
}

/* GROUP or GROUP:N */
static int parse_group(const char *word, PolicyPart *part, unsigned *needed, char **ret_problem) {
        const char *wrong = wrong_group(word), *colon = strrchr(word, ':');
        _cleanup_free_ char *group = strndup(word, colon ? (size_t)(colon - word) : strlen(word));
        int r = 0;

        if (!group)
                return -ENOMEM;
        if (wrong)
                return policy_problem_value(ret_problem, word, wrong);
        *needed = 1;
        if (colon)
                r = policy_value_number(colon + 1, PEERAUTH_APPROVALS_MAX, "approvals", needed, ret_problem);
        return r < 0 ? r : policy_value_name(group, &part->group, ret_problem);
}

/* What is wrong with the accounts of a list, besides their names. */
static int check_users(char *const *users, char **ret_problem) {
        for (char *const *user = users; *user; user++) {
                if (is_joint(*user))
                        return policy_problem_value(ret_problem, *user,
                                                    "stands in braces; accounts are separated by spaces, and "
                                                    "one of this name cannot be used here");
                if (strchr(*user, ':'))
                        return policy_problem_value(
                                ret_problem, *user,
                                "has a number; it stands behind the brace, as in {mum dad}:2");
                if (strpbrk(*user, "*?[]"))
                        return policy_problem_value(ret_problem, *user,
                                                    "has a wildcard, and there are none; name the accounts");
                if (strchr("@%", (*user)[0]))
                        return policy_problem_value(
                                ret_problem, *user,
                                "is a group, and braces hold accounts; write it without prefix and braces");
                if (strv_contains(user + 1, *user))
                        return policy_problem_value(ret_problem, *user,
                                                    "stands twice in the braces, and counts once");
        }
        return 0;
}

/* The words of a list, before they are known to be names. */
static int split_users(const char *list, char ***ret_users) {
        _cleanup_strv_ char **users = NULL;
        _cleanup_free_ char *copy = strdup(list);
        char *rest = copy, *word;
        int r = copy ? 0 : -ENOMEM;

        while (r == 0 && (word = strsep(&rest, SPACE ",")))
                r = *word ? strv_append(&users, word) : 0;
        if (r == 0)
                *ret_users = STEAL_PTR(users);
        return r;
}

static int parse_users(const char *list, PolicyPart *part, char **ret_problem) {
        _cleanup_strv_ char **users = NULL;
        int r = split_users(list, &users);

        if (r < 0)
                return r;
        if (!users)
                return policy_problem(ret_problem, "'{}' has no account; write them as in {mum dad}");
        r = check_users(users, ret_problem);
        return r < 0 ? r : policy_value_names(list, &part->users, ret_problem);
}

/* {NAME ...} or {NAME ...}:N */
static int parse_list(const char *word, PolicyPart *part, unsigned *needed, char **ret_problem) {
        const char *close = strchr(word, '}'), *inner = strchr(word + 1, '{');
        _cleanup_free_ char *list = strndup(word + 1, close ? (size_t)(close - word - 1) : 0);
        size_t n;
        int r = 0;

        if (!list)
                return -ENOMEM;
        if (!close || (inner && inner < close))
                return policy_problem_value(ret_problem, word,
                                            "has a '{' without its '}'; write accounts as in {mum dad}:2");
        if (close[1] != '\0' && close[1] != ':')
                return policy_problem_value(
                        ret_problem, word,
                        "goes on behind '}'; write a number as in {mum dad}:2, or 'and' or 'or' with spaces");
        *needed = 1;
        if (close[1] == ':')
                r = policy_value_number(close + 2, PEERAUTH_APPROVALS_MAX, "approvals", needed, ret_problem);
        if (r == 0)
                r = parse_users(list, part, ret_problem);
        n = strv_length(part->users);
        if (r == 0 && n < *needed)
                return policy_problem_value(
                        ret_problem, word,
                        "asks for more people than it lists; name more accounts, or ask for fewer");
        return r;
}

/* Approvals that an alternative asks for. */
static unsigned alternative_size(const Quorum *quorum, unsigned i) {
        unsigned n = 0;

        for (unsigned part = 0; part < quorum->n_parts; part++)
                if (quorum->alternatives[i] & 1U << part)
                        n += quorum->needed[part];
        return n;
}

static int too_many_parts(char **ret_problem) {
        return policy_problem(ret_problem,
                              "more than %d parts, those of Reviewers= and EscalateTo= together; put people "
                              "into fewer groups",
                              QUORUM_PARTS_MAX);
}

static int too_many_alternatives(char **ret_problem) {
        return policy_problem(ret_problem,
                              "more than %d alternatives, those of Reviewers= and EscalateTo= together; put "
                              "people into fewer groups",
                              QUORUM_ALTERNATIVES_MAX);
}

/* Adds word to the last alternative. */
static int add_part(PolicyExpression *expression, const char *word, char **ret_problem) {
        Quorum *quorum = &expression->quorum;
        unsigned i = quorum->n_parts;
        int r;

        if (i == QUORUM_PARTS_MAX)
                return too_many_parts(ret_problem);
        r = word[0] == '{' ? parse_list(word, &expression->parts[i], &quorum->needed[i], ret_problem)
                           : parse_group(word, &expression->parts[i], &quorum->needed[i], ret_problem);
        if (r < 0)
                return r;
        quorum->n_parts++;
        quorum->alternatives[quorum->n_alternatives - 1] |= 1U << i;
        if (alternative_size(quorum, quorum->n_alternatives - 1) > PEERAUTH_APPROVALS_MAX)
                return policy_problem(ret_problem,
                                      "one alternative asks for more than %d approvals; ask for fewer",
                                      PEERAUTH_APPROVALS_MAX);
        return 0;
}

static int add_alternative(PolicyExpression *expression, char **ret_problem) {
        Quorum *quorum = &expression->quorum;

        if (quorum->n_alternatives == QUORUM_ALTERNATIVES_MAX)
                return too_many_alternatives(ret_problem);
        quorum->n_first = ++quorum->n_alternatives;
        return 0;
}

/* Takes what stands between two parts. */
static int take_joint(PolicyExpression *expression, const char *word, char **ret_problem) {
        if (strcmp(word, "and") == 0)
                return 0;
        if (strcmp(word, "or") == 0)
                return add_alternative(expression, ret_problem);
        if (is_joint(word))
                return policy_problem_value(ret_problem, word, "is written in small letters: 'and', 'or'");
        if (word[0] == ':')
                return policy_problem_value(ret_problem, word,
                                            "stands behind a space; write it without, as in ops:2");
        if (is_foreign_joint(word) && word[0] != '{')
                return policy_problem_value(ret_problem, word, JOIN_BY_WORDS);
        return policy_problem_value(ret_problem, word, "has neither 'and' nor 'or' in front of it");
}

int policy_expression_parse(const char *value, PolicyExpression *ret_expression, char **ret_problem) {
        PEERAUTH_CLEANUP(policy_expression_done) PolicyExpression expression = {0};
        const char *p = value;
        int r = add_alternative(&expression, ret_problem);

        while (r == 0) {
                _cleanup_free_ char *part = NULL, *joint = NULL;

                r = next_word(&p, &part);
                if (r == 0 && !part)
                        r = policy_problem_value(ret_problem, value,
                                                 "ends where a group or {accounts} must stand");
                if (r == 0)
                        r = add_part(&expression, part, ret_problem);
                if (r == 0)
                        r = next_word(&p, &joint);
                if (r == 0 && !joint)
                        break;
                if (r == 0)
                        r = take_joint(&expression, joint, ret_problem);
        }
        if (r < 0)
                return r;
        *ret_expression = expression;
        expression = (PolicyExpression){0};
        return 0;
}

/* Puts one expression behind what the rule already has. There is room. */
static void append(PolicyRule *rule, PolicyExpression *from) {
        Quorum *to = &rule->quorum;

        for (unsigned i = 0; i < from->quorum.n_parts; i++) {
                rule->parts[to->n_parts + i] = from->parts[i];
                to->needed[to->n_parts + i] = from->quorum.needed[i];
        }
        for (unsigned i = 0; i < from->quorum.n_alternatives; i++)
                to->alternatives[to->n_alternatives + i] = from->quorum.alternatives[i] << to->n_parts;
        to->n_parts += from->quorum.n_parts;
        to->n_alternatives += from->quorum.n_alternatives;
        *from = (PolicyExpression){0};
}

int policy_expression_join(PolicyExpression *first, PolicyExpression *later, PolicyRule *rule,
                           char **ret_problem) {
        if (first->quorum.n_parts + later->quorum.n_parts > QUORUM_PARTS_MAX)
                return too_many_parts(ret_problem);
        if (first->quorum.n_alternatives + later->quorum.n_alternatives > QUORUM_ALTERNATIVES_MAX)
                return too_many_alternatives(ret_problem);
        append(rule, first);
        rule->quorum.n_first = rule->quorum.n_alternatives;
        append(rule, later);
        return 0;
}
