/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One locked block holds the key and every slot. */
#include "broker/code.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"

typedef struct CodeSlot {
        bool used, shown;
        uint8_t mac[CRYPTO_MAC_SIZE];
        char digits[CODE_SIZE];
} CodeSlot;

struct Codes {
        uint8_t key[CRYPTO_MAC_KEY_SIZE];
        CodeSlot slots[PEERAUTH_PENDING_MAX];
};

int codes_new(Codes **ret_codes) {
        Codes *codes;

        if (crypto_init() < 0)
                return -EIO;
        codes = crypto_locked_alloc(sizeof(*codes));
        if (!codes)
                return -ENOMEM;
        memset(codes, 0, sizeof(*codes));
        crypto_random(codes->key, sizeof(codes->key));
        *ret_codes = codes;
        return 0;
}

Codes *codes_free(Codes *codes) {
        return crypto_locked_free(codes);
}

void code_draw(char ret_code[CODE_SIZE]) {
        (void)snprintf(ret_code, CODE_SIZE, "%06u", (unsigned)(crypto_random_uniform(1000000) % 1000000));
}

static bool codes_taken(const Codes *codes, const uint8_t mac[CRYPTO_MAC_SIZE]) {
        bool taken = false;

        for (unsigned i = 0; i < PEERAUTH_PENDING_MAX; i++)
                taken |= codes->slots[i].used && crypto_equal(codes->slots[i].mac, mac, CRYPTO_MAC_SIZE);
        return taken;
}

int codes_issue(Codes *codes, bool keep_digits, unsigned *ret_slot, char ret_code[CODE_SIZE]) {
        uint8_t mac[CRYPTO_MAC_SIZE];
        unsigned slot = 0;

        while (slot < PEERAUTH_PENDING_MAX && codes->slots[slot].used)
                slot++;
        if (slot == PEERAUTH_PENDING_MAX)
                return -ENOBUFS;
        do {
                code_draw(ret_code);
                crypto_mac(codes->key, ret_code, PEERAUTH_CODE_DIGITS, mac);
        } while (codes_taken(codes, mac));
        codes->slots[slot] = (CodeSlot){.used = true, .shown = keep_digits};
        memcpy(codes->slots[slot].mac, mac, sizeof(mac));
        if (keep_digits)
                memcpy(codes->slots[slot].digits, ret_code, CODE_SIZE);
        *ret_slot = slot;
        return 0;
}

bool codes_match(const Codes *codes, unsigned slot, const char *typed) {
        uint8_t mac[CRYPTO_MAC_SIZE];

        if (slot >= PEERAUTH_PENDING_MAX || !codes->slots[slot].used)
                return false;
        if (strlen(typed) != PEERAUTH_CODE_DIGITS)
                return false;
        crypto_mac(codes->key, typed, PEERAUTH_CODE_DIGITS, mac);
        return crypto_equal(codes->slots[slot].mac, mac, sizeof(mac));
}

const char *codes_digits(const Codes *codes, unsigned slot) {
        if (slot >= PEERAUTH_PENDING_MAX || !codes->slots[slot].used || !codes->slots[slot].shown)
                return NULL;
        return codes->slots[slot].digits;
}

void codes_drop(Codes *codes, unsigned slot) {
        if (slot < PEERAUTH_PENDING_MAX)
                crypto_wipe(&codes->slots[slot], sizeof(codes->slots[slot]));
}
