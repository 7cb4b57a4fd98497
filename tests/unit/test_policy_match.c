/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Origins, networks and terminals: what is accepted, what is refused with which remedy, and what fits, every
 * length of a prefix against a loop over bits. Times are in test_policy_match_time.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_match.h"
#include "common/strv.h"

/* Neither the list nor its number is written by a parser that refuses. */
static void expect_problem(int r, char *problem, const char *value, const char *expected) {
        if (r != -EINVAL || !problem || strcmp(problem, expected) != 0)
                fail_msg("%d, \"%s\"\ninstead of \"%s\"\nfor \"%s\"", r, problem ? problem : "", expected,
                         value);
        free(problem);
}

static void expect_parsed(int r, const char *problem, const char *value) {
        if (r != 0 || problem)
                fail_msg("%d, \"%s\" for \"%s\"", r, problem ? problem : "", value);
}

/* ---- where from ---- */

static const char *const no_origin_names[] = {
        "host.example",
        "localhost",
        "1.2.3.4\n",
        " 1.2.3.4",
        "1.2.3.4 ",
        "0x7f.1",
        "0x7f.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "01.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4.",
        "1.2.3.4/32",
        "1.2.3.4%eth0",
        "::ffff:1.2.3.4%",
        "fe80::1%",
        "fe80::1%%",
        "fe80::1%a/b",
        "fe80::1%eth0\n",
        "fe80::1%interface-of-16c",
        "%eth0",
        "[::1]",
        ":::",
        "1::2::3",
        "12345::",
        "::1\x1b[2J",
        "\xff\xfe",
        ".",
        "box.example.org",
        "xbox",
        "box..",
        "bo",
};

static void test_names_are_no_addresses(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(no_origin_names) / sizeof(no_origin_names[0]); i++) {
                PolicyOrigin origin = policy_origin(no_origin_names[i], "box");

                if (origin.kind != POLICY_ORIGIN_NAME || origin.bits != 0)
                        fail_msg("\"%s\" is of kind %d", no_origin_names[i], origin.kind);
        }
}

static void test_long_origins(void **unused) {
        (void)unused;
        static const char starts[][8] = {"1.2.3.4", "::1%", "fe80::", "%", "host"};
        char *text = malloc(10241);

        for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
                memset(text, '1', 10240);
                text[10240] = '\0';
                memcpy(text, starts[i], strlen(starts[i]));
                assert_int_equal(policy_origin(text, "box").kind, POLICY_ORIGIN_NAME);
                assert_int_equal(policy_origin("box", text).kind, POLICY_ORIGIN_NAME);
                assert_int_equal(policy_origin(text, text).kind, POLICY_ORIGIN_LOCAL);
        }
        free(text);
}

static void test_local_origins(void **unused) {
        (void)unused;
        static const char *const own[][2] = {
                {"box", "box"},
                {"box", "BOX"},
                {"Box", "bOX"},
                {"box.", "box"},
                {"box", "box."},
                {"box.example.org", "Box.Example.ORG."},
                {"b\xc3\xa4x", "b\xc3\xa4x"},
        };

        assert_int_equal(policy_origin(NULL, NULL).kind, POLICY_ORIGIN_LOCAL);
        assert_int_equal(policy_origin(NULL, "box").kind, POLICY_ORIGIN_LOCAL);
        assert_int_equal(policy_origin("", "box").kind, POLICY_ORIGIN_LOCAL);
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
                assert_int_equal(policy_origin(own[i][0], own[i][1]).kind, POLICY_ORIGIN_LOCAL);
        assert_int_equal(policy_origin("box", NULL).kind, POLICY_ORIGIN_NAME);
        /* A host without a name is not every host. */
        assert_int_equal(policy_origin(".", "").kind, POLICY_ORIGIN_NAME);
        assert_int_equal(policy_origin(".", ".").kind, POLICY_ORIGIN_NAME);
        /* Only the letters of ASCII have two cases in host names. */
        assert_int_equal(policy_origin("b\xc3\xa4x", "b\xc3\x84x").kind, POLICY_ORIGIN_NAME);
        assert_int_equal(policy_origin("bo[", "bo{").kind, POLICY_ORIGIN_NAME);
        /* What comes through a tunnel is not from here, whatever the host is called. */
        assert_int_equal(policy_origin("127.0.0.1", "127.0.0.1").kind, POLICY_ORIGIN_ADDRESS);
        assert_int_equal(policy_origin("::1", "::1").kind, POLICY_ORIGIN_ADDRESS);
}

static void expect_address(const char *rhost, unsigned bits, const uint8_t *address) {
        PolicyOrigin origin = policy_origin(rhost, "box");
        uint8_t expected[16] = {0};

        memcpy(expected, address, bits / 8);
        assert_int_equal(origin.kind, POLICY_ORIGIN_ADDRESS);
        assert_int_equal(origin.bits, bits);
        assert_memory_equal(origin.address, expected, 16);
}

static void test_addresses(void **unused) {
        (void)unused;
        static const uint8_t v4[] = {192, 0, 2, 255}, zero[16] = {0};
        static const uint8_t v6[] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd};
        static const uint8_t compatible[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 255};

        expect_address("192.0.2.255", 32, v4);
        expect_address("::ffff:192.0.2.255", 32, v4);
        expect_address("::FFFF:c000:2ff", 32, v4);
        expect_address("0:0:0:0:0:ffff:192.0.2.255", 32, v4);
        expect_address("::ffff:192.0.2.255%eth0", 32, v4);
        expect_address("fe80::abcd", 128, v6);
        expect_address("FE80::ABCD", 128, v6);
        expect_address("fe80::abcd%eth0", 128, v6);
        expect_address("fe80::abcd%2", 128, v6);
        expect_address("fe80::abcd%br-lan.7", 128, v6);
        expect_address("fe80:0:0:0:0:0:0:abcd", 128, v6);
        expect_address("::192.0.2.255", 128, compatible); /* deprecated, and not the same host */
        expect_address("::", 128, zero);
        expect_address("0.0.0.0", 32, zero);
}

static bool fits(const char *networks, const char *rhost) {
        PolicyOrigin origin = policy_origin(rhost, "box");
        PolicyNetwork *parsed = NULL;
        char *problem = NULL;
        bool fit = false;
        size_t n = 0;

        expect_parsed(policy_match_parse_networks(networks, &parsed, &n, &problem), problem, networks);
        for (size_t i = 0; i < n; i++)
                fit = fit || policy_match_network(&parsed[i], &origin);
        free(parsed);
        return fit;
}

static void test_networks(void **unused) {
        (void)unused;
        PolicyNetwork *parsed;
        char *problem = NULL;
        size_t n;

        assert_int_equal(policy_match_parse_networks(" 10.0.0.0/8,,2001:db8::/32\t192.0.2.1 , ::/0", &parsed,
                                                     &n, &problem),
                         0);
        assert_int_equal(n, 4);
        assert_int_equal(parsed[0].bits, 32);
        assert_int_equal(parsed[0].prefix, 8);
        assert_int_equal(parsed[1].bits, 128);
        assert_int_equal(parsed[1].prefix, 32);
        assert_int_equal(parsed[2].prefix, 32);
        assert_int_equal(parsed[3].prefix, 0);
        free(parsed);

        assert_true(fits("10.0.0.0/8", "10.255.0.1"));
        assert_true(fits("10.0.0.0/8", "::ffff:10.255.0.1"));
        assert_false(fits("10.0.0.0/8", "11.0.0.0"));
        assert_true(fits("192.0.2.1", "192.0.2.1"));
        assert_false(fits("192.0.2.1", "192.0.2.0"));
        assert_true(fits("10.0.0.0/8 192.0.2.1", "192.0.2.1"));
        assert_true(fits("2001:db8::/33", "2001:db8:7fff::1"));
        assert_false(fits("2001:db8::/33", "2001:db8:8000::1"));
        assert_true(fits("fe80::/10", "fe80::1%eth0"));
        /* the two families never mix */
        assert_false(fits("0.0.0.0/0", "::1"));
        assert_false(fits("::/0", "10.0.0.1"));
        assert_false(fits("::/0", "::ffff:10.0.0.1"));
        assert_false(fits("::/80", "::ffff:10.0.0.1"));
        assert_true(fits("0.0.0.0/0", "255.255.255.255"));
        assert_true(fits("::/0", "ffff::"));
        /* no address, no network */
        assert_false(fits("0.0.0.0/0 ::/0", "host.example"));
        assert_false(fits("0.0.0.0/0 ::/0", ""));
        assert_false(fits("0.0.0.0/0 ::/0", "box"));
        assert_false(policy_match_network(&(PolicyNetwork){.bits = 32},
                                          &(PolicyOrigin){.kind = POLICY_ORIGIN_NAME, .bits = 32}));
}

static bool bit(const uint8_t *address, unsigned i) {
        return address[i / 8] >> (7 - i % 8) & 1;
}

/* Every prefix length, with a difference in each single bit, and without. */
static void test_every_prefix_length(void **unused) {
        (void)unused;
        static const uint8_t pattern[16] = {0xA5, 0x3C, 0xFF, 0x00, 0x81, 0x7E, 0x55, 0xAA,
                                            0x01, 0x80, 0xC3, 0x18, 0xE7, 0x42, 0xBD, 0x66};

        for (unsigned bits = 32; bits <= 128; bits += 96)
                for (unsigned prefix = 0; prefix <= bits; prefix++) {
                        PolicyNetwork network = {.bits = bits, .prefix = prefix};

                        for (unsigned i = 0; i < prefix; i++)
                                network.address[i / 8] |= (uint8_t)(bit(pattern, i) << (7 - i % 8));
                        for (unsigned flip = 0; flip <= bits; flip++) {
                                PolicyOrigin origin = {.kind = POLICY_ORIGIN_ADDRESS, .bits = bits};
                                bool expected = true;

                                memcpy(origin.address, pattern, bits / 8);
                                if (flip < bits)
                                        origin.address[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
                                for (unsigned i = 0; i < prefix; i++)
                                        expected = expected &&
                                                   bit(network.address, i) == bit(origin.address, i);
                                assert_int_equal(policy_match_network(&network, &origin), expected);
                        }
                }
}

#define NO_ADDRESS                                                                                 \
        "is not an address; names are never resolved, write a whole address or a network such as " \
        "192.0.2.0/24 or 2001:db8::/32"

static const struct {
        const char *value, *problem;
} refused_networks[] = {
        {"", "there is no address in the list"},
        {" , ,", "there is no address in the list"},
        {"host.example", "'host.example' " NO_ADDRESS},
        {"10.0.0.0/8 host", "'host' " NO_ADDRESS},
        {"localhost", "'localhost' is not an address; this machine is meant by Location=local"},
        {"local", "'local' is not an address; this machine is meant by Location=local"},
        {"fe80::1%eth0",
         "'fe80::1%eth0' is not an address; a zone is not compared, leave out the % and what follows"},
        {"10.0.0.", "'10.0.0.' " NO_ADDRESS},
        {"10.0.0.*", "'10.0.0.*' " NO_ADDRESS},
        {"10.0.0.1-10.0.0.9", "'10.0.0.1-10.0.0.9' " NO_ADDRESS},
        {"10/8", "'10/8' " NO_ADDRESS},
        {"127.1", "'127.1' " NO_ADDRESS},
        {"010.0.0.1", "'010.0.0.1' " NO_ADDRESS},
        {"0x7f.1", "'0x7f.1' " NO_ADDRESS},
        {"[::1]", "'[::1]' " NO_ADDRESS},
        {"!10.0.0.1", "'!10.0.0.1' " NO_ADDRESS},
        {"/8", "'/8' " NO_ADDRESS},
        {"x\x1b[2J", "'x\\x1b[2J' " NO_ADDRESS},
        {"10.0.0.0/33", "'10.0.0.0/33' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/", "'10.0.0.0/' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/08", "'10.0.0.0/08' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/-1", "'10.0.0.0/-1' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/8x", "'10.0.0.0/8x' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/8/8", "'10.0.0.0/8/8' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/4294967304", "'10.0.0.0/4294967304' has no number of bits from 0 to 32 behind the '/'"},
        {"10.0.0.0/255.0.0.0", "'10.0.0.0/255.0.0.0' has no number of bits from 0 to 32 behind the '/'"},
        {"::1/129", "'::1/129' has no number of bits from 0 to 128 behind the '/'"},
        {"10.0.0.1/8", "'10.0.0.1/8' has bits beyond its prefix; write 10.0.0.0/8 for the network, or "
                       "10.0.0.1 for the one address"},
        {"192.0.2.129/25", "'192.0.2.129/25' has bits beyond its prefix; write 192.0.2.128/25 for the "
                           "network, or 192.0.2.129 for the one address"},
        {"0.0.0.1/0", "'0.0.0.1/0' has bits beyond its prefix; write 0.0.0.0/0 for the network, or "
                      "0.0.0.1 for the one address"},
        {"2001:db8::1/32", "'2001:db8::1/32' has bits beyond its prefix; write 2001:db8::/32 for the "
                           "network, or 2001:db8::1 for the one address"},
        {"::ffff:10.0.0.0/104", "'::ffff:10.0.0.0/104' is IPv4, and compared so; write 10.0.0.0/8"},
        {"::ffff:10.1.2.3/104", "'::ffff:10.1.2.3/104' is IPv4, and compared so; write 10.0.0.0/8"},
        {"::ffff:10.0.0.1", "'::ffff:10.0.0.1' is IPv4, and compared so; write 10.0.0.1/32"},
        {"::ffff:0:0/96", "'::ffff:0:0/96' is IPv4, and compared so; write 0.0.0.0/0"},
};

static void test_refused_networks(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(refused_networks) / sizeof(refused_networks[0]); i++) {
                PolicyNetwork *networks = (PolicyNetwork *)&refused_networks;
                char *problem = NULL;
                size_t n = 77;
                int r = policy_match_parse_networks(refused_networks[i].value, &networks, &n, &problem);

                expect_problem(r, problem, refused_networks[i].value, refused_networks[i].problem);
                assert_ptr_equal(networks, &refused_networks);
                assert_int_equal(n, 77);
        }
}

/* ---- terminals ---- */

static void test_ttys(void **unused) {
        (void)unused;
        char **ttys = NULL, *problem = NULL;

        expect_parsed(policy_match_parse_ttys("tty* /dev/pts/3,:0,, ttyS0 *", &ttys, &problem), problem, "");
        assert_int_equal(strv_length(ttys), 5);
        assert_string_equal(ttys[0], "tty*");
        assert_string_equal(ttys[1], "pts/3");
        assert_string_equal(ttys[2], ":0");
        assert_string_equal(ttys[4], "*");
        strv_free(ttys);

        assert_true(policy_match_tty("tty1", "tty1"));
        assert_true(policy_match_tty("tty1", "/dev/tty1"));
        assert_false(policy_match_tty("tty1", "tty10"));
        assert_false(policy_match_tty("tty10", "tty1"));
        assert_false(policy_match_tty("tty1", "/dev//dev/tty1"));
        assert_false(policy_match_tty("tty1", "TTY1"));
        assert_true(policy_match_tty("tty*", "tty1"));
        assert_true(policy_match_tty("tty*", "/dev/tty"));
        assert_false(policy_match_tty("tty*", "xtty1"));
        assert_false(policy_match_tty("pts/*", "tty1"));
        assert_true(policy_match_tty("pts/*", "pts/\x1b[2J")); /* compared, never shown */
        assert_true(policy_match_tty("*", "ssh"));
        /* No terminal is none of them. */
        assert_false(policy_match_tty("*", NULL));
        assert_false(policy_match_tty("*", ""));
        assert_false(policy_match_tty("*", "/dev/"));
        assert_false(policy_match_tty("tty1", NULL));
        assert_false(policy_match_tty("", ""));
}

static void test_refused_ttys(void **unused) {
        (void)unused;
        static const struct {
                const char *value, *problem;
        } table[] = {
                {"", "there is no terminal in the list"},
                {", ", "there is no terminal in the list"},
                {"tty1 !tty2", "'!tty2' cannot be turned round; write an earlier rule for the exception"},
                {"-tty2", "'-tty2' cannot be turned round; write an earlier rule for the exception"},
                {"t*y", "'t*y' has a wildcard, and there is only a '*' at the end"},
                {"tty**", "'tty**' has a wildcard, and there is only a '*' at the end"},
                {"*1", "'*1' has a wildcard, and there is only a '*' at the end"},
                {"tty?", "'tty?' has a wildcard, and there is only a '*' at the end"},
                {"tty[1-6]", "'tty[1-6]' has a wildcard, and there is only a '*' at the end"},
                {"tty1-tty6", "'tty1-tty6' is a range, and there are none; list the names, or write tty*"},
                {"/dev/", "'/dev/' is not the name of a terminal; write it as in /dev: tty1, pts/0"},
                {"/tty1", "'/tty1' is not the name of a terminal; write it as in /dev: tty1, pts/0"},
                {"tty1;tty2", "'tty1;tty2' is not the name of a terminal; write it as in /dev: tty1, pts/0"},
                {"tt\xc3\xbf",
                 "'tt\xc3\xbf' is not the name of a terminal; write it as in /dev: tty1, pts/0"},
        };
        char text[66];

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                char **ttys = (char **)&table, *problem = NULL;
                int r = policy_match_parse_ttys(table[i].value, &ttys, &problem);

                expect_problem(r, problem, table[i].value, table[i].problem);
                assert_ptr_equal(ttys, &table);
        }
        memset(text, 't', 65);
        for (unsigned size = 65; size >= 64; size--) {
                char **ttys = NULL, *problem = NULL;

                text[size] = '\0';
                assert_int_equal(policy_match_parse_ttys(text, &ttys, &problem), size == 65 ? -EINVAL : 0);
                free(problem);
                strv_free(ttys);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_are_no_addresses),
                cmocka_unit_test(test_long_origins),
                cmocka_unit_test(test_local_origins),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_networks),
                cmocka_unit_test(test_every_prefix_length),
                cmocka_unit_test(test_refused_networks),
                cmocka_unit_test(test_ttys),
                cmocka_unit_test(test_refused_ttys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
