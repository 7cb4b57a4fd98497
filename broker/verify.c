/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One locked block holds all that is under way, so its size is known from the start. */
#include "broker/verify.h"

#include <errno.h>
#include <string.h>

#include "common/protocol.h"

/* account and used belong to the loop; the rest to the thread between submitting and done. */
typedef struct VerifySlot {
        bool used;
        char account[PEERAUTH_USER_MAX + 1];
        VerifyFunc done;
        VerifyMadeFunc made; /* instead of done */
        void *userdata;
        int result;
        RecoveryCode typed, codes[RECOVERY_CODES];
        VerifySet set;
} VerifySlot;

struct Verify {
        Worker *worker;
        VerifySlot slots[VERIFY_MAX];
};

int verify_new(Worker *worker, Verify **ret_verify) {
        Verify *verify = crypto_locked_alloc(sizeof(*verify));

        if (!verify)
                return -ENOMEM;
        memset(verify, 0, sizeof(*verify));
        verify->worker = worker;
        *ret_verify = verify;
        return 0;
}

Verify *verify_free(Verify *verify) {
        if (!verify)
                return NULL;
        for (unsigned i = 0; i < VERIFY_MAX; i++)
                if (verify->slots[i].used)
                        return NULL; /* a thread that hangs still uses this memory */
        return crypto_locked_free(verify);
}

/* ---- what is stored ---- */

void verify_set_text(const VerifySet *set, unsigned code, char ret[CRYPTO_PASSWORD_TEXT_SIZE]) {
        crypto_password_text(set->salt, set->codes[code].hash, ret);
}

int verify_set_add(VerifySet *set, const char *text) {
        uint8_t salt[CRYPTO_PASSWORD_SALT_SIZE], hash[CRYPTO_PASSWORD_HASH_SIZE];
        unsigned n = 0;
        int r = crypto_password_parse(text, salt, hash);

        if (r < 0)
                return r;
        while (n < RECOVERY_CODES && set->codes[n].left)
                n++;
        if (n == RECOVERY_CODES)
                return -ENOBUFS;
        if (n > 0 && memcmp(salt, set->salt, sizeof(salt)) != 0)
                return -EBADMSG;
        memcpy(set->salt, salt, sizeof(salt));
        memcpy(set->codes[n].hash, hash, sizeof(hash));
        set->codes[n].left = true;
        return 0;
}

/* ---- in the thread ---- */

static int code_hash(const RecoveryCode *code, const VerifySet *set, uint8_t ret[CRYPTO_PASSWORD_HASH_SIZE]) {
        return crypto_password_hash(code->canonical, RECOVERY_CHARS, set->salt, ret);
}

static void run_code(void *userdata) {
        VerifySlot *slot = userdata;
        uint8_t hash[CRYPTO_PASSWORD_HASH_SIZE];
        int r = code_hash(&slot->typed, &slot->set, hash);

        for (unsigned i = 0; r >= 0 && i < RECOVERY_CODES; i++) {
                bool equal = crypto_equal(hash, slot->set.codes[i].hash, sizeof(hash));

                if (equal && slot->set.codes[i].left)
                        r = (int)i + 1;
        }
        crypto_wipe(hash, sizeof(hash));
        slot->result = r;
}

static void draw(RecoveryCode *ret_code) {
        uint8_t random[RECOVERY_BYTES];

        crypto_random(random, sizeof(random));
        recovery_from_random(random, ret_code);
        crypto_wipe(random, sizeof(random));
}

static void run_make(void *userdata) {
        VerifySlot *slot = userdata;
        int r = 0;

        crypto_random(slot->set.salt, sizeof(slot->set.salt));
        for (unsigned i = 0; r >= 0 && i < RECOVERY_CODES; i++) {
                draw(&slot->codes[i]);
                r = code_hash(&slot->codes[i], &slot->set, slot->set.codes[i].hash);
                slot->set.codes[i].left = true;
        }
        slot->result = r;
}

/* ---- in the loop ---- */

static void slot_done(void *userdata) {
        VerifySlot *slot = userdata;

        if (!slot->made)
                slot->done(slot->result, slot->userdata);
        else if (slot->result < 0)
                slot->made(slot->result, NULL, NULL, slot->userdata);
        else
                slot->made(0, slot->codes, &slot->set, slot->userdata);
        crypto_wipe(slot, sizeof(*slot));
}

static int slot_get(Verify *verify, const char *account, VerifySlot **ret_slot) {
        VerifySlot *slot = NULL;
        unsigned same = 0;

        if (strlen(account) > PEERAUTH_USER_MAX)
                return -EINVAL;
        for (unsigned i = 0; i < VERIFY_MAX; i++) {
                VerifySlot *other = &verify->slots[i];

                if (!other->used)
                        slot = other;
                else if (strcmp(other->account, account) == 0)
                        same++;
        }
        if (same >= VERIFY_ACCOUNT_MAX)
                return -EBUSY;
        if (!slot)
                return -ENOBUFS;
        *slot = (VerifySlot){.used = true, .result = -ECANCELED};
        strcpy(slot->account, account);
        *ret_slot = slot;
        return 0;
}

static int slot_submit(Verify *verify, VerifySlot *slot, WorkerFunc run) {
        int r = worker_submit(verify->worker, WORKER_VERIFY, NULL, run, slot_done, slot);

        if (r < 0)
                crypto_wipe(slot, sizeof(*slot));
        return r;
}

int verify_code(Verify *verify, const char *account, const RecoveryCode *typed, const VerifySet *set,
                VerifyFunc done, void *userdata) {
        VerifySlot *slot;
        int r = slot_get(verify, account, &slot);

        if (r < 0)
                return r;
        slot->done = done;
        slot->userdata = userdata;
        slot->typed = *typed;
        if (set)
                slot->set = *set;
        return slot_submit(verify, slot, run_code);
}

int verify_make(Verify *verify, const char *account, VerifyMadeFunc done, void *userdata) {
        VerifySlot *slot;
        int r = slot_get(verify, account, &slot);

        if (r < 0)
                return r;
        slot->made = done;
        slot->userdata = userdata;
        return slot_submit(verify, slot, run_make);
}
