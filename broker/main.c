/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of peerauth-broker, which systemd starts. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "broker/broker.h"
#include "common/crypto.h"
#include "common/log.h"
#include "common/totp.h"
#include "common/policy_key.h"

enum { OPT_CONF_DIR = 256, OPT_VENDOR_DIR, OPT_STATE_DIR, OPT_KEYS, OPT_VERSION };

static const struct option main_options[] = {
        {"conf-dir", required_argument, NULL, OPT_CONF_DIR},
        {"vendor-dir", required_argument, NULL, OPT_VENDOR_DIR},
        {"state-dir", required_argument, NULL, OPT_STATE_DIR},
        {"print-policy-keys", no_argument, NULL, OPT_KEYS},
        {"debug", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {0},
};

static void print_help(void) {
        puts("peerauth-broker [OPTION...]\n\n"
             "Holds logins until colleagues approve them. Started by systemd.\n\n"
             "  --conf-dir=DIR        administrator's policy (default /etc/peerauth)\n"
             "  --vendor-dir=DIR      shipped policy (default /usr/lib/peerauth)\n"
             "  --state-dir=DIR       ledger and key (default $STATE_DIRECTORY or /var/lib/peerauth)\n"
             "  --print-policy-keys   print every key of peerauth.conf and end\n"
             "  -d, --debug           log more\n"
             "  -h, --help            print this help\n"
             "  --version             print the version");
}

/* Name, type, default and help with tabs between, one key a line: tests compare the manual page with it. */
static void print_policy_keys(void) {
        PolicyKeyRow row;

        for (size_t i = 0; policy_key_get(i, &row); i++)
                (void)printf("%s\t%s\t%s\t%s\n", row.name, row.type, row.fallback, row.help);
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char *argv[], BrokerOptions *options) {
        int c;

        while ((c = getopt_long(argc, argv, "dh", main_options, NULL)) >= 0)
                switch (c) {
                case OPT_CONF_DIR:
                        options->policy_dirs.etc = optarg;
                        break;
                case OPT_VENDOR_DIR:
                        options->policy_dirs.vendor = optarg;
                        break;
                case OPT_STATE_DIR:
                        options->state_dir = optarg;
                        break;
                case 'd':
                        log_set_debug(true);
                        break;
                case OPT_KEYS:
                        print_policy_keys();
                        return EXIT_SUCCESS;
                case OPT_VERSION:
                        puts("peerauth-broker " PEERAUTH_VERSION);
                        return EXIT_SUCCESS;
                case 'h':
                        print_help();
                        return EXIT_SUCCESS;
                default:
                        return 2;
                }
        if (optind == argc)
                return -1;
        fprintf(stderr, "peerauth-broker: unexpected argument '%s'; see --help\n", argv[optind]);
        return 2;
}

int main(int argc, char *argv[]) {
        const char *state_dir = getenv("STATE_DIRECTORY"); /* set by systemd, systemd.exec(5) */
        BrokerOptions options = {.policy_dirs = {.vendor = "/usr/lib/peerauth", .etc = "/etc/peerauth"},
                                 .state_dir = state_dir ? state_dir : "/var/lib/peerauth"};
        int r;

        log_init("peerauth-broker");
        r = parse_arguments(argc, argv, &options);
        if (r >= 0)
                return r;
        /* Codes and keys stay out of core dumps and of other processes' sight. */
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void)mallopt(M_ARENA_MAX, 1); /* threads are few and short-lived here; arenas cost memory */
        if (crypto_init() < 0 || totp_init() < 0) {
                log_error("a cryptographic library cannot be used; cannot start");
                return EXIT_FAILURE;
        }
        return broker_run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
