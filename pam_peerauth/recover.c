/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few prompts, with a call on the broker after each that looks like a code. */
#include "pam_peerauth/recover.h"

#include <errno.h>
#include <security/pam_ext.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>

#include "common/clock.h"
#include "common/protocol.h"
#include "common/recovery.h"
#include "common/text.h"
#include "pam_peerauth/show.h"
#include "pam_peerauth/typed.h"

enum {
        RECOVER_ODD_MAX = 3,      /* prompts that were answered by no code */
        RECOVER_PROMPTS_MAX = 10, /* in all: the broker counts wrong codes, not those that it cannot check */
};

/* The broker runs Argon2 for each, one after the other. */
#define RECOVER_ANSWER_USEC (20 * PEERAUTH_USEC_PER_SEC)
/* For a verdict that comes with the answer: who is denied is not asked again. */
#define RECOVER_SETTLE_USEC (PEERAUTH_USEC_PER_SEC / 4)

#define NOTICE_ODD       "That is neither a recovery code\nnor a one-time password."
#define NOTICE_OWN       "That code is for your colleague:\ntell it, do not type it here."
#define NOTICE_UNCHECKED "The code cannot be checked now."

typedef enum Kind {
        KIND_NOTHING = 0, /* to wait for, or the password */
        KIND_ODD,
        KIND_OWN, /* the code of this request */
        KIND_SECRET,
} Kind;

typedef struct Secret {
        char text[RECOVERY_SHOWN_SIZE];
} Secret;

_Static_assert((int)RECOVERY_SHOWN_SIZE > (int)PEERAUTH_CODE_DIGITS, "a one-time password must fit");
_Static_assert((int)RECOVERY_SHOWN_SIZE <= (int)PEERAUTH_SECRET_MAX, "the broker takes it");

static void secret_wipe(Secret *secret) {
        explicit_bzero(secret, sizeof(*secret));
}

/* *ret_secret is the one form in which it is sent, whatever spaces or dashes were typed. */
static Kind secret_read(const Recover *recover, const char *typed, Secret *ret_secret) {
        _cleanup_recovery_ RecoveryCode code = {0};

        if (typed[strspn(typed, " \t\r\n")] == '\0' || typed_is_password(recover->pamh, typed))
                return KIND_NOTHING;
        if (text_parse_code(typed, ret_secret->text) < 0) {
                if (recovery_parse(typed, &code) < 0)
                        return KIND_ODD;
                recovery_show(&code, ret_secret->text);
        }
        /* A password of six digits with a space behind it is that password. */
        if (typed_is_password(recover->pamh, ret_secret->text))
                return KIND_NOTHING;
        return strcmp(ret_secret->text, recover->created->code) == 0 ? KIND_OWN : KIND_SECRET;
}

/* What the broker's answers mean for the person; NULL: the verdict is there, or comes. */
static const struct {
        const char *error, *notice;
} answers[] = {
        {PEERAUTH_ERROR_CODE_MISMATCH, "That code is wrong, or was used before."},
        {PEERAUTH_ERROR_LOCKED, "One-time passwords are locked for now.\nRecovery codes still work."},
        {PEERAUTH_ERROR_RATE_LIMITED, "Too many tries. Wait a moment,\nthen type the code again."},
        {SD_BUS_ERROR_INVALID_ARGS, NOTICE_ODD},
        {PEERAUTH_ERROR_ALREADY_DECIDED, NULL},
        {PEERAUTH_ERROR_EXPIRED, NULL},
        {PEERAUTH_ERROR_NO_SUCH_REQUEST, NULL},
};

typedef struct Answer {
        const Recover *recover;
        const char *notice;
} Answer;

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Answer *answer = userdata;

        (void)ret_error;
        answer->recover->wait->woken = true;
        if (!error) {
                answer->notice = NULL;
                return 0;
        }
        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
                if (strcmp(error->name, answers[i].error) == 0) {
                        answer->notice = answers[i].notice;
                        return 0;
                }
        pam_syslog(answer->recover->pamh, LOG_WARNING, "login of \"%s\": cannot check a recovery code: %s",
                   answer->recover->origin->user, error->name);
        return 0;
}

/* Returns as recover_offer() does; *ret_notice, if there is one, says why to type another. */
static int redeem(const Recover *recover, const Secret *secret, const char **ret_notice) {
        PEERAUTH_CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Answer answer = {.recover = recover, .notice = NOTICE_UNCHECKED};
        uint64_t now = clock_boottime_usec();
        uint64_t end = clock_earlier(recover->deadline_usec, now + RECOVER_ANSWER_USEC);
        int r;

        r = client_redeem(recover->wait->bus, recover->created->id, secret->text, end > now ? end - now : 1,
                          &slot, on_answer, &answer);
        if (r < 0)
                return r;
        r = wait_until(recover->wait, end);
        *ret_notice = answer.notice;
        return r;
}

/* One answer of the person. Returns as recover_offer() does; *ret_notice: ask again, and say why. */
static int take(const Recover *recover, const char *typed, unsigned *odd, const char **ret_notice) {
        PEERAUTH_CLEANUP(secret_wipe) Secret secret = {0};
        int r = 0;

        *ret_notice = NULL;
        switch (secret_read(recover, typed, &secret)) {
        case KIND_NOTHING:
                return 0;
        case KIND_OWN:
                *ret_notice = NOTICE_OWN;
                (*odd)++;
                break;
        case KIND_ODD:
                *ret_notice = NOTICE_ODD;
                (*odd)++;
                break;
        case KIND_SECRET:
                r = redeem(recover, &secret, ret_notice);
                break;
        }
        return r == 0 && *ret_notice ? wait_until(recover->wait, clock_boottime_usec() + RECOVER_SETTLE_USEC)
                                     : r;
}

static bool is_late(const Recover *recover) {
        return clock_boottime_usec() >= recover->deadline_usec;
}

int recover_offer(const Recover *recover, char *first) {
        PEERAUTH_CLEANUP(typed_free_p) char *rest = first;
        const char *service = recover->origin->service, *notice = NULL;
        unsigned odd = 0;
        int r;

        if (!show_offers_recovery(service, recover->created))
                return 0;
        for (unsigned i = 0; i < RECOVER_PROMPTS_MAX && odd < RECOVER_ODD_MAX; i++) {
                PEERAUTH_CLEANUP(typed_free_p) char *typed = STEAL_PTR(rest);

                if (is_late(recover))
                        return 0;
                if (!typed && show_recovery(recover->pamh, service, notice, &typed) < 0)
                        return -ECANCELED;
                if (is_late(recover))
                        return 0;
                wait_watch(recover->wait, recover->origin->rhost);
                r = take(recover, typed, &odd, &notice);
                wait_unwatch(recover->wait);
                if (r != 0 || !notice)
                        return r;
        }
        return show_waiting(recover->pamh, notice);
}
