/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A rule in words: as its keys are written in the file, and what it does.
 *
 * Strings are the caller's to free; NULL: no memory.
 */
#pragma once

#include "common/policy.h"

/* The key that a rule does not fit by, as written: "Service=cron atd". For the POLICY_FIT_NOT_... only;
 * POLICY_FIT_UNSURE is Address=. */
char *rule_text_key(const PolicyRule *rule, PolicyFit fit);

/* Every key that logins are matched by: "Service=sshd Time=Sat Sun"; "every login" without any. */
char *rule_text_matches(const PolicyRule *rule);

/* Who approves: "2 of ops, or 1 of boss; after 1min: 2 of ops, or 1 of security, or 1 of boss". "-" where
 * nobody is asked. */
char *rule_text_reviewers(const PolicyRule *rule);

/* The value of Note= or Reason=: "required", "match:OPS-[0-9]+". */
char *rule_text_text(const PolicyText *text);

enum { RULE_TEXT_SPAN = 32 };

/* "1min 30s". Returns ret. */
const char *rule_text_span(uint64_t usec, char ret[RULE_TEXT_SPAN]);
