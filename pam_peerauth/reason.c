/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* At most two questions; the answer made fit for the broker as every fact is. */
#include "pam_peerauth/reason.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/protocol.h"
#include "pam_peerauth/origin.h"
#include "pam_peerauth/show.h"
#include "pam_peerauth/typed.h"

enum { REASON_TRIES = 2 };

int reason_ask(pam_handle_t *pamh, const char *service, const char *question, char **ret_reason,
               Outcome *ret_outcome) {
        for (int i = 0; i < REASON_TRIES; i++) {
                PEERAUTH_CLEANUP(typed_free_p) char *typed = NULL;
                char *reason;

                if (show_question(pamh, service, question, i > 0, &typed) < 0) {
                        *ret_outcome = outcome_make(OUTCOME_CANCELLED, NULL,
                                                    "cancelled when asked for the reason");
                        return -1;
                }
                if (strlen(typed) > PEERAUTH_REASON_MAX)
                        continue;
                reason = origin_fit_text(typed_holds_password(pamh, typed) ? "" : typed, PEERAUTH_REASON_MAX);
                if (reason)
                        *ret_reason = reason;
                else
                        *ret_outcome = outcome_from_error("copy the reason", -ENOMEM, NULL);
                return reason ? 0 : -1;
        }
        *ret_outcome = outcome_make(OUTCOME_DENIED, "The reason is too long.",
                                    "the reason is longer than %d bytes", PEERAUTH_REASON_MAX);
        return -1;
}
