/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PAM data: libpam frees it with the handle, and never gives it to the program or to its children's. */
#include "pam_peerauth/approval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pam_peerauth/origin.h"

#define APPROVAL_NAME "pam_peerauth_approval"

typedef struct Approval {
        OutcomeKind kind;
        char user[];
} Approval;

static void approval_cleanup(pam_handle_t *pamh, void *data, int status) {
        (void)pamh;
        (void)status;
        free(data);
}

static const Approval *approval_find(const pam_handle_t *pamh) {
        const void *data = NULL;

        return pam_get_data(pamh, APPROVAL_NAME, &data) == PAM_SUCCESS ? data : NULL;
}

int approval_keep(pam_handle_t *pamh, const char *user, OutcomeKind kind) {
        size_t size = strlen(user) + 1;
        Approval *approval;

        approval = malloc(sizeof(*approval) + size);
        if (!approval)
                return -ENOMEM;
        approval->kind = kind;
        memcpy(approval->user, user, size);
        if (pam_set_data(pamh, APPROVAL_NAME, approval, approval_cleanup) == PAM_SUCCESS)
                return 0;
        free(approval);
        return -ENOMEM;
}

int approval_drop(pam_handle_t *pamh) {
        if (!approval_find(pamh))
                return 0;
        return pam_set_data(pamh, APPROVAL_NAME, NULL, NULL) == PAM_SUCCESS ? 0 : -EIO;
}

static Outcome approval_use(pam_handle_t *pamh, const Approval *approval) {
        if (!origin_is_user(pamh, approval->user))
                return outcome_make(OUTCOME_DENIED, OUTCOME_NOT_ALLOWED,
                                    "the account name is no longer \"%.64s\", which was let through",
                                    approval->user);
        if (approval->kind == OUTCOME_EXEMPT)
                return outcome_make(OUTCOME_EXEMPT, NULL, "exempt by the rule for its authentication");
        return outcome_make(approval->kind, NULL, "approved when it authenticated");
}

int approval_redeem(pam_handle_t *pamh, Outcome *ret_outcome) {
        const Approval *approval = approval_find(pamh);

        if (!approval)
                return 0;
        *ret_outcome = approval_use(pamh, approval);
        if (approval_drop(pamh) < 0)
                *ret_outcome = outcome_make(OUTCOME_UNAVAILABLE, NULL, "cannot take the approval away");
        return 1;
}
