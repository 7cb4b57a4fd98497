/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ReloadPolicy: what of the answer is believed. */
#include "tests/unit/liar_fixture.h"

#include <stdlib.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

LIE(reloaded, "su", HASH, 12U)
LIE(short_hash, "su", "0123", 12U)
LIE(capital_hash, "su", "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", 12U)
LIE(no_number, "s", HASH)
LIE(nothing, "")

static int reload(Answer answer, char **hash, uint32_t *rules) {
        Liar liar;
        int r;

        liar_start(&liar, answer);
        r = client_reload_policy(liar.client, hash, rules, NULL);
        liar_stop(&liar);
        return r;
}

static void test_hash_and_number_are_read(void **state) {
        _cleanup_free_ char *hash = NULL;
        uint32_t rules = 0;

        (void)state;
        assert_int_equal(reload(reloaded, &hash, &rules), 0);
        assert_string_equal(hash, HASH);
        assert_int_equal(rules, 12);
}

static void test_malformed_answers_are_refused(void **state) {
        static const Answer lies[] = {short_hash, capital_hash, no_number, nothing};

        (void)state;
        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
                char *hash = NULL;
                uint32_t rules = 77;
                int r = reload(lies[i], &hash, &rules);

                if (r != -EBADMSG)
                        print_error("lie %zu gave %d\n", i, r);
                assert_int_equal(r, -EBADMSG);
                assert_null(hash);
                assert_int_equal(rules, 77);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hash_and_number_are_read),
                cmocka_unit_test(test_malformed_answers_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
