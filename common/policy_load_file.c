/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the bytes of one file to rules.
 *
 * MUST 1: libeconf sees only heads and pairs that policy_scan.c has passed, without comments, empty lines and
 *         indentation, which it takes for more of the value above (0.5.1); and it sees a copy, so a file
 *         that changes meanwhile changes nothing.
 * MUST 2: a file counts only if libeconf and the scan understand it alike; a libeconf that reads a line in
 *         another way refuses the file instead of changing a rule.
 */
#include "common/policy_load_file.h"

#include <errno.h>
#include <libeconf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/policy_key.h"
#include "common/policy_load_open.h"
#include "common/policy_scan.h"

enum { SECTION_MAX = POLICY_RULE_NAME_MAX + 8 };

static void econf_free_p(econf_file **file) {
        econf_freeFile(*file);
}

void policy_rules_done(PolicyRules *rules) {
        for (size_t i = 0; i < rules->n_rules; i++)
                policy_rule_done(&rules->rules[i]);
        free(rules->rules);
        *rules = (PolicyRules){0};
}

/* MUST 1. libeconf opens files by name only, so the lines go to an unnamed file in memory. */
static int write_lines(int fd, const PolicyScan *scan) {
        for (size_t i = 0; i < scan->n_lines; i++) {
                const PolicyLine *line = &scan->lines[i];
                int n = line->key ? dprintf(fd, "%s=%s\n", line->key, line->value)
                                  : dprintf(fd, "[Rule %s]\n", line->rule);

                if (n < 0)
                        return -errno;
        }
        return 0;
}

static int econf_from_scan(const PolicyScan *scan, const char *path, econf_file **ret_file,
                           char **ret_message) {
        _cleanup_close_ int fd = memfd_create("policy", MFD_CLOEXEC);
        char name[32];
        econf_err e;
        int r = fd < 0 ? -errno : write_lines(fd, scan);

        if (r < 0)
                return policy_message(ret_message, r, path, 0, "cannot be copied to memory: %s",
                                      strerror(-r));
        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        e = econf_readFile(ret_file, name, "=", "#");
        if (e == ECONF_NOMEM)
                return -ENOMEM;
        if (e != ECONF_SUCCESS)
                return policy_message(ret_message, -EINVAL, path, 0, "libeconf: %s", econf_errString(e));
        return 0;
}

static int take_line(econf_file *file, const PolicyLine *line, const char *path, PolicyDraft *draft,
                     char **ret_message) {
        _cleanup_free_ char *value = NULL, *problem = NULL;
        char section[SECTION_MAX];
        int r;

        (void)snprintf(section, sizeof(section), "Rule %s", line->rule);
        (void)econf_getStringValue(file, section, line->key, &value); /* NULL if it fails */
        r = policy_key_apply(draft, line->key, line->value, &problem);
        if (r == 0 && (!value || strcmp(value, line->value) != 0)) /* MUST 2 */
                return policy_message(ret_message, -EINVAL, path, line->number,
                                      "libeconf reads this line differently");
        return problem ? policy_message(ret_message, r, path, line->number, "%s", problem) : r;
}

/* Takes the lines of one rule, from its [Rule NAME] on; returns their number. */
static int take_rule(econf_file *file, const PolicyScan *scan, size_t first, const char *path,
                     PolicyRule *ret_rule, char **ret_message) {
        const PolicyLine *head = &scan->lines[first];
        _cleanup_free_ char *problem = NULL;
        PEERAUTH_CLEANUP(policy_draft_done)
        PolicyDraft draft = {
                .rule = {.name = strdup(head->rule), .file = strdup(path), .line = head->number},
        };
        size_t i = first + 1;
        int r = draft.rule.name && draft.rule.file ? 0 : -ENOMEM;

        for (; r == 0 && i < scan->n_lines && scan->lines[i].key; i++)
                r = take_line(file, &scan->lines[i], path, &draft, ret_message);
        if (r == 0)
                r = policy_key_finish(&draft, &problem);
        if (problem)
                r = policy_message(ret_message, r, path, head->number, "[Rule %s]: %s", head->rule, problem);
        if (r < 0)
                return r;
        *ret_rule = draft.rule;
        draft.rule = (PolicyRule){0};
        return (int)(i - first);
}

int policy_parse(const char *bytes, size_t size, const char *path, PolicyRules *ret_rules,
                 char **ret_message) {
        PEERAUTH_CLEANUP(econf_free_p) econf_file *file = NULL;
        PEERAUTH_CLEANUP(policy_scan_done) PolicyScan scan = {0};
        PEERAUTH_CLEANUP(policy_rules_done) PolicyRules rules = {0};
        _cleanup_free_ char *problem = NULL;
        unsigned line;
        int r;

        r = policy_scan(bytes, size, &scan, &line, &problem);
        if (problem)
                return policy_message(ret_message, r, path, line, "%s", problem);
        if (r == 0)
                r = econf_from_scan(&scan, path, &file, ret_message);
        if (r < 0)
                return r;

        rules.rules = calloc(scan.n_rules + 1, sizeof(PolicyRule));
        if (!rules.rules)
                return -ENOMEM;
        for (size_t i = 0; i < scan.n_lines; i += (size_t)r) {
                r = take_rule(file, &scan, i, path, &rules.rules[rules.n_rules], ret_message);
                if (r < 0)
                        return r;
                rules.n_rules++;
        }
        *ret_rules = rules;
        rules = (PolicyRules){0};
        return 0;
}
