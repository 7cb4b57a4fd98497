/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A moment of the week, as people write it and as the policy compares it. */
#pragma once

#include "common/policy_match.h"

enum { MOMENT_TEXT = 16 };

/* "Mon" for 0 to "Sun" for 6. */
const char *moment_day(unsigned weekday);

/* Now, in the machine's own time zone. */
PolicyMoment moment_now(void);

/* "2026-11-21 22:30" or "Sat 22:30", capital letters aside. 0, or -EINVAL. */
int moment_parse(const char *text, PolicyMoment *ret_moment);

/* "Sat 22:30". Returns ret. */
const char *moment_text(const PolicyMoment *moment, char ret[MOMENT_TEXT]);
