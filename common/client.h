/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One typed function for each call on the broker. Used by the module, the notifier and the command
 * line tool, so it needs libsystemd only and keeps no state of its own.
 *
 * Every function returns 0 or a negative errno. -EREMOTEIO means that the call was answered with an error
 * by the broker, by the bus on its behalf or by a connection that broke: *ret_error (it may be NULL) says
 * which, and the caller frees it with sd_bus_error_free(). -EBADMSG is an answer of the wrong form. Other
 * arguments named ret_ are written only on success.
 *
 * No call waits without an end: 25 seconds, connection set-up included, where no time-out is an argument.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "common/protocol.h"
#include "common/recovery.h"
#include "common/totp.h"
#include "common/verdict.h"

/* Connects to address, or to the system bus at its fixed place if address is NULL: nothing is read from
 * the environment. The connection is closed by sd_bus_close_unref(). */
int client_connect(const char *address, sd_bus **ret_bus);

/* ---- Requester ---- */

typedef struct ClientLogin {
        const char *user, *service, *tty, *rhost, *ruser; /* NULL: not known */
        uint64_t time_left_usec;                          /* 0: the front end has no limit */
        const char *stage;                                /* NULL: PEERAUTH_STAGE_AUTH */
        bool can_ask;                                     /* PEERAUTH_ERROR_REASON_NEEDED may be the answer */
        const char *reason; /* the requester's; NULL: not asked for. Its message is wiped. */
} ClientLogin;

typedef struct ClientCreated {
        Verdict outcome;              /* VERDICT_PENDING, VERDICT_EXEMPT or VERDICT_DENIED */
        char id[PEERAUTH_ID_HEX + 1]; /* empty unless pending, like the code */
        char code[PEERAUTH_CODE_DIGITS + 1];
        uint64_t deadline_usec; /* CLOCK_BOOTTIME */
        uint32_t needed, reachable;
        bool enough;                      /* those reachable could approve it together; true when not said */
        bool recovery;                    /* client_redeem() may serve; false when not said */
        char *reviewers, *message, *rule; /* never NULL; text_safe() them before a person sees them */
} ClientCreated;

/* Wipes the code and frees; safe on a zeroed struct. */
void client_created_done(ClientCreated *created);

/* -EBADMSG too for a pending request without a well-formed id and code. */
int client_create_request(sd_bus *bus, const ClientLogin *login, uint64_t timeout_usec,
                          ClientCreated *ret_created, sd_bus_error *ret_error);

typedef struct ClientDecision {
        Verdict verdict;
        char *by, *note, *reason; /* went through text_safe(), by joined with ", "; NULL: not said */
} ClientDecision;
void client_decision_done(ClientDecision *decision);

/* Sends the held call. The reply arrives in callback; client_decision_parse() reads it. When timeout_usec
 * has passed the callback gets a local error reply. */
int client_wait_decision(sd_bus *bus, const char *id, uint64_t timeout_usec, sd_bus_slot **ret_slot,
                         sd_bus_message_handler_t callback, void *userdata);
/* Reads the reply: anything that is not a well-formed final verdict is VERDICT_DENIED with an error
 * (-EREMOTEIO: an error reply), so *ret_decision is written in every case. */
int client_decision_parse(sd_bus_message *reply, ClientDecision *ret_decision);
/*
 * Sends secret, a recovery code or a one-time password, for a request of this same connection. The message is
 * wiped. The reply arrives in callback and is no verdict: one that is right makes client_wait_decision()'s
 * call answer. When timeout_usec has passed the callback gets a local error reply.
 */
int client_redeem(sd_bus *bus, const char *id, const char *secret, uint64_t timeout_usec,
                  sd_bus_slot **ret_slot, sd_bus_message_handler_t callback, void *userdata);
/* Does not wait for an answer. */
int client_cancel_request(sd_bus *bus, const char *id);

/* Tells a broker that runs (none is started for it) which session a login got, and that it ended. */
int client_session_opened(sd_bus *bus, const char *session, uint64_t timeout_usec, sd_bus_error *ret_error);
int client_session_closed(sd_bus *bus, const char *session, uint64_t timeout_usec, sd_bus_error *ret_error);

/* ---- Reviewer ---- */

/* Strings are the broker's, never NULL (a NULL list is an empty one, see common/strv.h), and go through
 * text_safe() before a person sees them; id is 32 lower-case hex digits. */
typedef struct ClientRequest {
        char *id, *user, *service, *tty, *rhost, *ruser, *rule, *reviewers, *code_mode, *why_not, *state;
        char *reason;                   /* the requester's; "" too if it was asked for and not given */
        char *note_mode, *note_pattern; /* what the rule asks of the reviewer's note: PEERAUTH_TEXT_... */
        char **voters;                  /* NULL: nobody */
        char code[PEERAUTH_CODE_DIGITS + 1]; /* only under Code=compare, only from client_get_request() */
        uint32_t uid, needed, approvals, denials;
        uint32_t missing;       /* approvals of reviewers; UINT32_MAX: only administrators decide */
        uint64_t created_usec;  /* since the Unix epoch */
        uint64_t deadline_usec; /* CLOCK_BOOTTIME */
        bool verified, can_decide;
        bool escalated; /* the second group is asked as well */
        bool self;      /* the caller's own login */
} ClientRequest;
void client_request_done(ClientRequest *request);

/* Whether an approval without a note would be refused. */
bool client_request_needs_note(const ClientRequest *request);

typedef struct ClientRequestList {
        ClientRequest *items;
        size_t n_items;
} ClientRequestList;
void client_request_list_done(ClientRequestList *list);

/* Every request that the caller may see, oldest first, all pages. A request that comes or goes between two
 * pages may be missing, never doubled. */
int client_list_requests(sd_bus *bus, ClientRequestList *ret_list, sd_bus_error *ret_error);
/* -EBADMSG too if the answer is about another request. */
int client_get_request(sd_bus *bus, const char *id, ClientRequest *ret_request, sd_bus_error *ret_error);

/* Approve with the code that the requester said, or deny. ret_state and ret_missing may be NULL; note too.
 * The message with the code is wiped. -EBADMSG too if the state is no word of the protocol. */
int client_approve(sd_bus *bus, const char *id, const char *code, const char *note, Verdict *ret_state,
                   unsigned *ret_missing, sd_bus_error *ret_error);
int client_deny(sd_bus *bus, const char *id, const char *note, Verdict *ret_state, sd_bus_error *ret_error);

/* The same as client_approve(), and polkit may ask the person to authenticate meanwhile: whoever calls it
 * gives as much time as the request has left. */
int client_approve_interactive(sd_bus *bus, const char *id, const char *code, const char *note,
                               uint64_t timeout_usec, Verdict *ret_state, unsigned *ret_missing,
                               sd_bus_error *ret_error);

/* Sends that call; the reply arrives in callback, and client_approve_parse() reads it. When timeout_usec has
 * passed the callback gets a local error reply. */
int client_approve_async(sd_bus *bus, const char *id, const char *code, const char *note,
                         uint64_t timeout_usec, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
                         void *userdata);
/* The same for a denial, whose reply client_approve_parse() reads too. Starts no broker: one that is gone
 * took its requests with it. */
int client_deny_async(sd_bus *bus, const char *id, const char *note, uint64_t timeout_usec,
                      sd_bus_slot **ret_slot, sd_bus_message_handler_t callback, void *userdata);

/* Returns as client_approve() does; every ret_ may be NULL. */
int client_approve_parse(sd_bus_message *reply, Verdict *ret_state, unsigned *ret_missing,
                         sd_bus_error *ret_error);

/* Asks for RequestChanged signals to this connection; match them with client_match_changed(). A broker that
 * was restarted has forgotten it. */
int client_subscribe(sd_bus *bus, sd_bus_error *ret_error);
int client_match_changed(sd_bus *bus, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
                         void *userdata);

/*
 * Whether a RequestChanged message was sent by the connection that owns the broker's name now (owner is
 * its unique name): a match on the well-known name also fires for forged unicast signals (B5).
 */
bool client_signal_is_genuine(sd_bus_message *signal, const char *owner);
/* The unique name that owns the broker's name now; caller frees. -ENXIO: nobody. Starts no broker. */
int client_broker_owner(sd_bus *bus, char **ret_owner);
/* Calls back when the owner of the broker's name changes; client_owner_parse() reads the message. */
int client_match_owner(sd_bus *bus, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
                       void *userdata);
/* The new owner, "" for nobody, owned by the message. -EPERM: the bus daemon did not send this (B5). */
int client_owner_parse(sd_bus_message *signal, const char **ret_owner);

/* ---- Auditor ---- */

/* At most count entries from number first on, as they are stored; fewer, or none, at the end of the ledger.
 * The caller frees with strv_free(). */
int client_read_entries(sd_bus *bus, uint64_t first, uint32_t count, char ***ret_entries,
                        sd_bus_error *ret_error);

int client_get_checkpoint(sd_bus *bus, char **ret_note, char **ret_vkey, sd_bus_error *ret_error);
/* The descriptor is the caller's. */
int client_open_snapshot(sd_bus *bus, int *ret_fd, char **ret_note, char **ret_vkey, sd_bus_error *ret_error);

typedef struct ClientStatistics {
        uint64_t ledger_size, started_usec; /* entries; since the Unix epoch */
        uint32_t pending, subscribers;
        bool policy_valid;
        char *policy_message, *ledger_message, *version; /* never NULL; "" if there is nothing to say */
        char *policy_hash; /* of the policy in force, in hex; "" if there is none, never NULL */
        char **roles; /* of the caller: "reviewer", "administrator", "auditor"; NULL: none, or not said */
} ClientStatistics;
void client_statistics_done(ClientStatistics *statistics);
int client_get_statistics(sd_bus *bus, ClientStatistics *ret_statistics, sd_bus_error *ret_error);

/* ---- Administrator ---- */

/* Makes the broker read its policy again. PEERAUTH_ERROR_POLICY_INVALID says where it is wrong, and leaves
 * the old one in force. ret_hash is the caller's to free. */
int client_reload_policy(sd_bus *bus, char **ret_hash, uint32_t *ret_rules, sd_bus_error *ret_error);

/* The rest is for root only. The messages with secrets are wiped. */

/* How many recovery codes an account has left, and whether its one-time passwords count. */
int client_get_recovery(sd_bus *bus, const char *user, uint32_t *ret_codes, bool *ret_totp,
                        sd_bus_error *ret_error);

typedef struct ClientRecoveryCodes {                     /* secret */
        char shown[RECOVERY_CODES][RECOVERY_SHOWN_SIZE]; /* as recovery_show() writes them */
} ClientRecoveryCodes;
void client_recovery_codes_wipe(ClientRecoveryCodes *codes);

/* Makes new codes; earlier ones are void from then on. */
int client_generate_recovery(sd_bus *bus, const char *user, ClientRecoveryCodes *ret_codes,
                             sd_bus_error *ret_error);
int client_remove_recovery(sd_bus *bus, const char *user, sd_bus_error *ret_error);

typedef struct ClientTotp {          /* secret */
        char secret[TOTP_TEXT_SIZE]; /* base32 in groups, for typing */
        char uri[TOTP_URI_SIZE];     /* for a QR code */
} ClientTotp;
void client_totp_wipe(ClientTotp *totp);

/* Begins an enrolment, which counts once client_confirm_totp() has brought one password of it. host names
 * this place in the app. Both texts are printable ASCII. */
int client_enroll_totp(sd_bus *bus, const char *user, const char *host, ClientTotp *ret_totp,
                       sd_bus_error *ret_error);
/* PEERAUTH_ERROR_CODE_MISMATCH: another password would do. */
int client_confirm_totp(sd_bus *bus, const char *user, const char *password, sd_bus_error *ret_error);
int client_remove_totp(sd_bus *bus, const char *user, sd_bus_error *ret_error);
