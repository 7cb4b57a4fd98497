/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peerauth-notifier: tells a reviewer, on the desktop, that a login waits, and takes the answer.
 *
 * One process a desktop session, with the rights of the person it runs for and no others: whatever it
 * sends, the broker checks.
 */
#include <errno.h>
#include <getopt.h>
#include <glib-unix.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/log.h"
#include "notifier/board.h"
#include "notifier/watch.h"

enum { EXIT_USAGE = 2, LATER_MAX_SEC = 600 };

typedef struct Notifier {
        GMainLoop *loop;
        Board *board;
        Watch *watch;
} Notifier;

static void on_answered(BoardAnswer answer, const char *id, const char *user, void *userdata) {
        Notifier *notifier = userdata;

        watch_answer(notifier->watch, answer, id, user);
}

static void on_session_over(void *userdata) {
        Notifier *notifier = userdata;

        log_info("the desktop session ended");
        g_main_loop_quit(notifier->loop);
}

static gboolean on_signal(void *userdata) {
        Notifier *notifier = userdata;

        g_main_loop_quit(notifier->loop);
        return G_SOURCE_CONTINUE;
}

typedef struct Options {
        const char *address; /* NULL: the system bus */
        unsigned later_sec;
} Options;

static int run(const Options *options) {
        static const BoardEvents events = {.answered = on_answered, .session_over = on_session_over};
        Notifier notifier = {.loop = g_main_loop_new(NULL, FALSE)};
        int r = board_open(&events, options->later_sec, &notifier, &notifier.board);

        if (r >= 0) {
                notifier.watch = watch_new(options->address, notifier.board);
                g_unix_signal_add(SIGTERM, on_signal, &notifier);
                g_unix_signal_add(SIGINT, on_signal, &notifier);
                g_main_loop_run(notifier.loop);
                watch_free(notifier.watch);
                board_close(notifier.board);
        }
        g_main_loop_unref(notifier.loop);
        return r;
}

static void usage(FILE *out) {
        fprintf(out,
                "Usage: peerauth-notifier [OPTION]...\n"
                "Shows logins that wait for your decision on the desktop.\n\n"
                "  --later=SECONDS  how long Later hides a login, 1 to %d (default %d)\n"
                "  --bus=ADDRESS    another bus than the system's, for tests\n"
                "  --debug          log more\n"
                "  --help           print this text\n"
                "  --version        print the version\n",
                LATER_MAX_SEC, BOARD_LATER_SEC);
}

static int parse_seconds(const char *text, unsigned *ret_seconds) {
        char *end;
        unsigned long value;

        errno = 0;
        value = strtoul(text, &end, 10);
        if (errno != 0 || *text < '0' || *text > '9' || *end || value < 1 || value > LATER_MAX_SEC) {
                log_error("--later takes 1 to %d seconds, not \"%s\"", LATER_MAX_SEC, text);
                return -EINVAL;
        }
        *ret_seconds = (unsigned)value;
        return 0;
}

/* 0: run with *ret_options; 1: nothing is left to do; -EINVAL: not understood. */
static int parse_options(int argc, char *argv[], Options *ret_options) {
        static const struct option known[] = {
                {"later", required_argument, NULL, 'l'}, {"bus", required_argument, NULL, 'b'},
                {"debug", no_argument, NULL, 'd'},       {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},     {NULL},
        };
        Options options = {.later_sec = BOARD_LATER_SEC};
        int option;

        while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
                if (option == 'b') {
                        options.address = optarg;
                } else if (option == 'l' && parse_seconds(optarg, &options.later_sec) == 0) {
                        continue;
                } else if (option == 'd') {
                        log_set_debug(true);
                } else if (option == 'h') {
                        usage(stdout);
                        return 1;
                } else if (option == 'v') {
                        puts("peerauth-notifier " PEERAUTH_VERSION);
                        return 1;
                } else {
                        return -EINVAL;
                }
        }
        if (optind < argc)
                return -EINVAL;
        *ret_options = options;
        return 0;
}

int main(int argc, char *argv[]) {
        const struct rlimit no_core = {0};
        Options options;
        int r;

        log_init("peerauth-notifier");
        r = parse_options(argc, argv, &options);
        if (r < 0) {
                usage(stderr);
                return EXIT_USAGE;
        }
        if (r > 0)
                return EXIT_SUCCESS;
        (void)setrlimit(RLIMIT_CORE, &no_core); /* a code passes through under Code=compare (attack C7) */
        r = run(&options);
        if (r == -EEXIST)
                log_info("another notifier serves this session already");
        return r < 0 && r != -EEXIST ? EXIT_FAILURE : EXIT_SUCCESS;
}
