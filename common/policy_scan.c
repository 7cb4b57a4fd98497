/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The strict grammar of a policy file. See policy_scan.h for what it keeps away from libeconf. */
#include "common/policy_scan.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/policy_value.h"
#include "common/text.h"

#define SPACE   " \t"
#define SECTION "[Rule "
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

enum { SHOWN_MAX = 60 };

void policy_scan_done(PolicyScan *scan) {
        free(scan->lines);
        free(scan->text);
        *scan = (PolicyScan){0};
}

/* Cuts white space off both ends, in place. */
static char *trim(char *text) {
        size_t size;

        text += strspn(text, SPACE);
        size = strlen(text);
        while (size > 0 && strchr(SPACE, text[size - 1]))
                size--;
        text[size] = '\0';
        return text;
}

static int check_bytes(const char *line, size_t size, char **ret_problem) {
        if (size > POLICY_LINE_MAX)
                return policy_problem(ret_problem, "the line is longer than %d bytes", POLICY_LINE_MAX);
        for (size_t i = 0; i < size;) {
                uint32_t character;
                int length = text_decode_utf8(line + i, size - i, &character);

                if (length < 0)
                        return policy_problem(ret_problem, "byte %zu of the line is not UTF-8", i + 1);
                if (character == '\r')
                        return policy_problem(ret_problem,
                                              "carriage return; save the file with Unix line ends");
                if ((character < 0x20 && character != '\t') || (character >= 0x7F && character < 0xA0))
                        return policy_problem(ret_problem, "control character 0x%02x in byte %zu of the line",
                                              (unsigned)character, i + 1);
                i += (size_t)length;
        }
        return 0;
}

static int scan_section(PolicyScan *scan, char *line, PolicyLine *ret_line, char **ret_problem) {
        size_t prefix = strlen(SECTION), size = strlen(line);
        char *name = line + prefix;

        if (strncmp(line, SECTION, prefix) != 0 || line[size - 1] != ']')
                return policy_problem(ret_problem, "not a section of this file; write [Rule NAME]");
        line[size - 1] = '\0';
        if (name[strspn(name, LETTERS DIGITS "._-")] != '\0' || name[0] == '\0' || strchr("._-", name[0]) ||
            strlen(name) > POLICY_RULE_NAME_MAX)
                return policy_problem(
                        ret_problem,
                        "the name of a rule is made of up to %d letters, digits and, behind the first, "
                        "'.', '_' and '-'",
                        POLICY_RULE_NAME_MAX);
        for (size_t i = 0; i < scan->n_lines; i++)
                if (!scan->lines[i].key && strcmp(scan->lines[i].rule, name) == 0)
                        return policy_problem(ret_problem, "[Rule %s] is already in line %u of this file",
                                              name, scan->lines[i].number);
        if (++scan->n_rules > POLICY_RULES_MAX)
                return policy_problem(ret_problem, "more than %d rules", POLICY_RULES_MAX);
        ret_line->rule = name;
        return 0;
}

static int scan_pair(PolicyScan *scan, char *line, PolicyLine *ret_line, char **ret_problem) {
        char *equals = strchr(line, '='), *key, *value;

        if (!equals) {
                _cleanup_free_ char *shown = text_safe(line, SHOWN_MAX);

                return policy_problem(ret_problem,
                                      "'%s' is neither Key=Value nor [Rule NAME]; a comment begins with #",
                                      shown ? shown : "");
        }
        *equals = '\0';
        key = trim(line);
        value = trim(equals + 1);
        if (key[0] == '\0' || key[strspn(key, LETTERS)] != '\0')
                return policy_problem(ret_problem,
                                      "in front of = must stand the name of a key, one word of letters");
        if (scan->n_lines == 0)
                return policy_problem(ret_problem, "%s= stands above the first [Rule NAME]", key);
        if (value[0] == '\0')
                return policy_problem(ret_problem, "%s= has no value; remove the line if none is meant", key);
        if (strchr(value, '#'))
                return policy_problem(ret_problem,
                                      "a comment needs a line of its own, and no value contains #");
        if (strpbrk(value, "\"'"))
                return policy_problem(ret_problem, "no value is quoted; remove the quotation marks");
        *ret_line = (PolicyLine){
                .number = ret_line->number,
                .rule = scan->lines[scan->n_lines - 1].rule,
                .key = key,
                .value = value,
        };
        return 0;
}

static int scan_line(PolicyScan *scan, char *line, unsigned number, char **ret_problem) {
        PolicyLine result = {.number = number}, *grown;
        int r;

        line = trim(line);
        if (line[0] == '\0' || line[0] == '#')
                return 0;
        r = line[0] == '[' ? scan_section(scan, line, &result, ret_problem)
                           : scan_pair(scan, line, &result, ret_problem);
        if (r < 0)
                return r;
        grown = reallocarray(scan->lines, scan->n_lines + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        scan->lines = grown;
        scan->lines[scan->n_lines++] = result;
        return 0;
}

int policy_scan(const char *bytes, size_t size, PolicyScan *ret_scan, unsigned *ret_line,
                char **ret_problem) {
        PEERAUTH_CLEANUP(policy_scan_done) PolicyScan scan = {0};
        char *end, *next;

        *ret_line = 0;
        scan.text = malloc(size + 1);
        if (!scan.text)
                return -ENOMEM;
        memcpy(scan.text, bytes, size);
        end = scan.text + size;
        *end = '\0';

        for (char *line = scan.text; line < end; line = next + 1) {
                int r;

                next = memchr(line, '\n', (size_t)(end - line));
                next = next ? next : end;
                *next = '\0';
                ++*ret_line;
                r = check_bytes(line, (size_t)(next - line), ret_problem);
                if (r == 0)
                        r = scan_line(&scan, line, *ret_line, ret_problem);
                if (r < 0)
                        return r;
        }
        *ret_scan = scan;
        scan = (PolicyScan){0};
        return 0;
}
