/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of what is known of a person who acts. */
#include "broker/voter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void voter_done(Voter *voter) {
        free(voter->account);
        free(voter->name);
        *voter = (Voter){.uid = (uid_t)-1, .person = (uid_t)-1};
}

int voter_from_caller(const Caller *caller, PolicyRole role, bool self_vouched, Voter *ret_voter) {
        Voter voter = {.uid = caller->uid,
                       .person = caller->person,
                       .account = strdup(caller->account.name),
                       .name = strdup(caller->person_name),
                       .local = caller->local_session,
                       .role = role,
                       .self_vouched = self_vouched};

        if (!voter.account || !voter.name) {
                voter_done(&voter);
                return -ENOMEM;
        }
        *ret_voter = voter;
        return 0;
}

RequestEvent voter_event(const Voter *voter, RequestEventKind kind, uint64_t now_usec) {
        return (RequestEvent){.kind = kind,
                              .now_usec = now_usec,
                              .person = voter->person,
                              .parts = voter->role.parts,
                              .as_admin = voter->role.admin,
                              .self_vouched = voter->self_vouched};
}
