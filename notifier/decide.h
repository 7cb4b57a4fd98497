/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a click does: one call of the broker, and words for its failure. The broker may take as long as the
 * request lives, because polkit may ask the person to authenticate first; nothing here waits for it.
 *
 * MUST 1: without the code that the broker shows for this request (Code=compare) nothing is approved; the
 *         broker checks it again (attack C6).
 * MUST 2: the code goes from GetRequest into Approve and nowhere else, and is wiped.
 * MUST 3: only an answer of the broker that says so makes a decision recorded.
 */
#pragma once

#include <systemd/sd-bus.h>

/* One that is under way. */
typedef struct Decision Decision;

/* The broker's answer, from the loop, once. reason: NULL if the decision is recorded, else one sentence for
 * the person who clicked, which lasts for the call. The callee may free the decision. */
typedef void (*DecisionAnswered)(const char *reason, void *userdata);

/* Sends it. 0 and *ret_decision; or a negative errno and one sentence for the person who clicked (caller
 * frees; NULL if memory ran out), and then answered is not called. */
int decision_approve(sd_bus *bus, const char *id, DecisionAnswered answered, void *userdata,
                     Decision **ret_decision, char **ret_reason);
int decision_deny(sd_bus *bus, const char *id, DecisionAnswered answered, void *userdata,
                  Decision **ret_decision, char **ret_reason);
/* Does not take it back: it no longer waits for the answer. Takes NULL, returns NULL. */
Decision *decision_free(Decision *decision);
