/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a trial looks: the rules that did not fit, the one that decides, the people who are there. */
#pragma once

#include "cli/output.h"
#include "cli/trial.h"

/* One rule that was asked and did not fit: its key, and what the login has instead. NULL, here and below: no
 * memory. */
Record *trial_view_earlier(const Trial *trial, const TrialLogin *login, size_t rule);

/* Somebody who is logged in and what they count as. */
Record *trial_view_person(const Trial *trial, const TrialPerson *person);

/* Everything else. */
Record *trial_view(const Trial *trial, const TrialLogin *login);
