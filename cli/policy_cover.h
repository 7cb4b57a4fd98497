/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pure: whether one rule leaves another one nothing to decide. */
#pragma once

#include "common/policy.h"

/* Whether every login that the later rule fits is fitted by the earlier one too. False where it cannot be
 * told without knowing who is in which group. */
bool policy_cover(const PolicyRule *earlier, const PolicyRule *later);
