/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that authenticates somebody through PAM, as login or sudo do, and tells the tests what
 * happened: one JSON object a line on standard output.
 *
 *   {"message": STYLE, "text": TEXT}        each message of the conversation, at once
 *   {"call": WORD, "code": CODE}            what each call of --call returned, if there are several
 *   {"result": CODE, ...}                   what the last returned
 *
 * --call=WORD,... says which calls are made on one handle: auth (as shipped), setcred, account, open, close.
 * Between them user=NAME, env=NAME=VALUE and authtok=PASSWORD change the handle. With --direct the module is
 * called, not libpam, so that no stack changes its answer.
 *
 * It stands for the programs around the module, and so is allowed to be strange: it can change the
 * account name during the conversation, close all descriptors, load and unload the module a thousand
 * times, or let the n-th call of the C library fail (with the library that faults.c makes, preloaded).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

enum { ARGS_MAX = 16, ANSWERS_MAX = 16, FD_MAX = 1024, FAULT_NOT_MET = 42 };

static struct {
        const char *user, *service, *confdir, *direct, *tty, *rhost, *ruser, *rename, *calls, *seek, *program;
        const char *args[ARGS_MAX], *answers[ANSWERS_MAX];
        int n_args, n_answers, repeat, first_fault, last_fault, alarm, fail_message, rename_from;
        bool eof, wait_enter, threads, close_all, catch_signals;
} options = {.user = "root", .service = "peerauth-test", .calls = "auth", .repeat = 1, .fail_message = -1};

/* libpam's log lines come here instead of to the machine's log. */
void syslog(int priority, const char *format, ...) {
        va_list ap;

        fprintf(stderr, "SYSLOG(%d): ", priority & LOG_PRIMASK);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
}

void __syslog_chk(int priority, int flag, const char *format, ...) {
        va_list ap;

        (void)flag;
        fprintf(stderr, "SYSLOG(%d): ", priority & LOG_PRIMASK);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
}

static pam_handle_t *current;
static int fault; /* which call fails in the next attempt; 0: none */
static bool fault_hit;
static int messages_seen, prompts_seen;
static int leftovers; /* of --seek, when a message was shown and at the end */

static void print_json(const char *text) {
        putchar('"');
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                if (*c == '"' || *c == '\\' || *c < 0x20 || *c == 0x7f)
                        printf("\\u%04x", *c);
                else
                        putchar(*c);
        putchar('"');
}

static void wait_for_enter(void) {
        char c;

        while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
                ;
}

/* The n-th prompt gets the n-th --answer, or the last one. */
static const char *next_answer(void) {
        int i = prompts_seen++;

        if (options.n_answers == 0)
                return "";
        return options.answers[i < options.n_answers ? i : options.n_answers - 1];
}

static int count_in(const char *p, const char *end, const char *needle) {
        size_t size = strlen(needle);
        int n = 0;

        while ((p = memmem(p, (size_t)(end - p), needle, size)) && ++n)
                p += size;
        return n;
}

/* How often --seek stands in the memory of this program, but for its arguments. */
static int count_leftovers(void) {
        FILE *maps = options.seek ? fopen("/proc/self/maps", "re") : NULL;
        char line[512];
        int n = 0;

        if (!maps)
                return 0;
        while (fgets(line, sizeof(line), maps)) {
                uintptr_t start, end;

                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw", &start, &end) != 2 || !strstr(line, " rw"))
                        continue;
                if (strstr(line, "[stack]")) /* the arguments stand above */
                        end = (uintptr_t)options.program;
                n += count_in((const char *)start, (const char *)end, options.seek);
        }
        (void)fclose(maps);
        return n;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **ret, void *data) {
        struct pam_response *responses = calloc((size_t)n, sizeof(*responses));

        (void)data;
        if (!responses)
                return PAM_BUF_ERR;
        for (int i = 0; i < n; i++) {
                bool prompt = messages[i]->msg_style == PAM_PROMPT_ECHO_OFF ||
                              messages[i]->msg_style == PAM_PROMPT_ECHO_ON;

                printf("{\"message\": %d, \"text\": ", messages[i]->msg_style);
                print_json(messages[i]->msg);
                printf("}\n");
                fflush(stdout);
                leftovers += count_leftovers();
                if (options.rename && messages_seen >= options.rename_from)
                        (void)pam_set_item(current, PAM_USER, options.rename);
                if (messages_seen++ == options.fail_message) {
                        free(responses);
                        return PAM_CONV_ERR;
                }
                if (prompt && options.wait_enter)
                        wait_for_enter();
                if (prompt && !options.eof)
                        responses[i].resp = strdup(next_answer());
        }
        *ret = responses;
        return PAM_SUCCESS;
}

typedef int (*Entry)(pam_handle_t *pamh, int flags, int argc, const char **argv);

static void arm_fault(void) {
        void (*arm)(int);

        *(void **)&arm = dlsym(RTLD_DEFAULT, "faults_arm");
        if (fault && arm)
                arm(fault);
}

static void disarm_fault(void) {
        int (*disarm)(void);

        *(void **)&disarm = dlsym(RTLD_DEFAULT, "faults_disarm");
        if (fault && disarm)
                fault_hit = disarm();
}

/* The beginning of libpam's own structure: it gives data and passwords to modules only, and --direct is one.
 */
enum { CALLED_FROM_MODULE = 1, CALLED_FROM_APPLICATION = 2 };
typedef struct HandleHead {
        char *authtok;
        unsigned caller_is;
} HandleHead;

static void pose_as(pam_handle_t *pamh, unsigned from, unsigned to) {
        HandleHead *head = (HandleHead *)(void *)pamh;

        if (head->caller_is != from) {
                fprintf(stderr, "this libpam keeps its caller elsewhere\n");
                exit(2);
        }
        head->caller_is = to;
}

static const struct {
        const char *word, *entry;
        int (*call)(pam_handle_t *pamh, int flags);
        int flags;
} calls[] = {
        {"auth", "pam_sm_authenticate", pam_authenticate, 0},
        {"setcred", "pam_sm_setcred", pam_setcred, PAM_ESTABLISH_CRED},
        {"account", "pam_sm_acct_mgmt", pam_acct_mgmt, 0},
        {"open", "pam_sm_open_session", pam_open_session, 0},
        {"close", "pam_sm_close_session", pam_close_session, 0},
};

static void *module; /* with --direct; its data may outlive a call, but not the handle */

static int call_directly(pam_handle_t *pamh, const char *name) {
        Entry entry = NULL;
        int r;

        if (!module)
                module = dlopen(options.direct, RTLD_NOW | RTLD_LOCAL);
        if (module)
                *(void **)&entry = dlsym(module, name);
        if (!entry) {
                fprintf(stderr, "%s\n", dlerror());
                return -1;
        }
        pose_as(pamh, CALLED_FROM_APPLICATION, CALLED_FROM_MODULE);
        r = entry(pamh, 0, options.n_args, options.args);
        pose_as(pamh, CALLED_FROM_MODULE, CALLED_FROM_APPLICATION);
        return r;
}

/* What others do to the handle between the calls. */
static bool change(pam_handle_t *pamh, const char *word) {
        const char *value = strchr(word, '=');

        if (!value++)
                return false;
        if (strncmp(word, "env=", 4) == 0) {
                (void)pam_putenv(pamh, value);
        } else if (strncmp(word, "user=", 5) == 0) {
                (void)pam_set_item(pamh, PAM_USER, value);
        } else if (strncmp(word, "authtok=", 8) == 0) {
                pose_as(pamh, CALLED_FROM_APPLICATION, CALLED_FROM_MODULE);
                (void)pam_set_item(pamh, PAM_AUTHTOK, value);
                pose_as(pamh, CALLED_FROM_MODULE, CALLED_FROM_APPLICATION);
        } else
                return false;
        return true;
}

static int call_one(pam_handle_t *pamh, const char *word) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (strcmp(word, calls[i].word) == 0)
                        return options.direct ? call_directly(pamh, calls[i].entry)
                                              : calls[i].call(pamh, calls[i].flags);
        fprintf(stderr, "unknown call %s\n", word);
        exit(2);
}

static int call(pam_handle_t *pamh) {
        char *words = strdup(options.calls), *rest = words;
        bool several = strchr(words, ',') != NULL, armed = false;
        int r = -1;

        for (char *word; (word = strsep(&rest, ","));) {
                if (change(pamh, word))
                        continue;
                if (!armed)
                        arm_fault(); /* once: what was changed before is not at fault */
                armed = true;
                r = call_one(pamh, word);
                if (several)
                        printf("{\"call\": \"%s\", \"code\": %d}\n", word, r);
                fflush(stdout);
        }
        disarm_fault();
        free(words);
        return r;
}

static int attempt(void) {
        const struct pam_conv conversation = {.conv = converse};
        int r;

        messages_seen = prompts_seen = 0;
        r = options.confdir ? pam_start_confdir(options.service, options.user, &conversation, options.confdir,
                                                &current)
                            : pam_start(options.service, options.user, &conversation, &current);
        if (r != PAM_SUCCESS) {
                fprintf(stderr, "pam_start: %d\n", r);
                return -1;
        }
        if (options.tty)
                (void)pam_set_item(current, PAM_TTY, options.tty);
        if (options.rhost)
                (void)pam_set_item(current, PAM_RHOST, options.rhost);
        if (options.ruser)
                (void)pam_set_item(current, PAM_RUSER, options.ruser);
        r = call(current);
        (void)pam_end(current, r);
        if (module)
                (void)dlclose(module);
        module = NULL;
        return r;
}

static int count_fds(void) {
        int n = 0;

        for (int fd = 0; fd < FD_MAX; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static bool same_mask(const sigset_t *a, const sigset_t *b) {
        for (int signo = 1; signo < SIGRTMAX; signo++)
                if (sigismember(a, signo) != sigismember(b, signo))
                        return false;
        return true;
}

static volatile sig_atomic_t caught;

static void on_signal(int signo) {
        caught = signo;
}

static void report(int result, int fds, const struct mallinfo2 *heap, const sigset_t *mask) {
        struct mallinfo2 now = mallinfo2();
        sigset_t mask_now;

        (void)pthread_sigmask(SIG_BLOCK, NULL, &mask_now);
        printf("{\"result\": %d, \"fds\": %d, \"heap\": %ld, \"mask_kept\": %s, \"caught\": %d, "
               "\"leftovers\": %d}\n",
               result, count_fds() - fds, (long)now.uordblks - (long)heap->uordblks,
               same_mask(mask, &mask_now) ? "true" : "false", (int)caught, leftovers + count_leftovers());
        fflush(stdout);
}

/* One child for each n, so that one failure does not lead to the next. */
static void run_faults(void) {
        bool done = false;

        if (!dlsym(RTLD_DEFAULT, "faults_arm")) {
                fprintf(stderr, "the fault library is not preloaded\n");
                exit(2);
        }
        for (fault = options.first_fault; fault <= options.last_fault && !done; fault++) {
                int status;
                pid_t pid = fork();

                if (pid == 0) {
                        int r = attempt();

                        printf("{\"fault\": %d, \"hit\": %d, \"result\": %d}\n", fault, fault_hit, r);
                        fflush(stdout);
                        _exit(fault_hit ? 0 : FAULT_NOT_MET);
                }
                if (waitpid(pid, &status, 0) != pid)
                        exit(2);
                done = WIFEXITED(status) && WEXITSTATUS(status) == FAULT_NOT_MET;
                if (WIFSIGNALED(status))
                        printf("{\"fault\": %d, \"hit\": 1, \"signal\": %d}\n", fault, WTERMSIG(status));
                fflush(stdout);
        }
}

/* Somebody else in the same process, for as long as it runs. */
static void *run_thread(void *data) {
        (void)data;
        for (;;) {
                free(malloc(100));
                (void)usleep(100);
        }
        return NULL;
}

/* --name or --name=VALUE; exactly one of the pointers is set. */
static const struct {
        const char *name;
        const char **text;
        int *number;
        bool *flag;
} rows[] = {
        {"user", .text = &options.user},
        {"service", .text = &options.service},
        {"confdir", .text = &options.confdir},
        {"direct", .text = &options.direct},
        {"tty", .text = &options.tty},
        {"rhost", .text = &options.rhost},
        {"ruser", .text = &options.ruser},
        {"rename", .text = &options.rename},
        {"call", .text = &options.calls},
        {"seek", .text = &options.seek},
        {"repeat", .number = &options.repeat},
        {"first-fault", .number = &options.first_fault},
        {"last-fault", .number = &options.last_fault},
        {"alarm", .number = &options.alarm},
        {"rename-from", .number = &options.rename_from},
        {"fail-message", .number = &options.fail_message},
        {"eof", .flag = &options.eof},
        {"wait-enter", .flag = &options.wait_enter},
        {"threads", .flag = &options.threads},
        {"close-all", .flag = &options.close_all},
        {"catch", .flag = &options.catch_signals},
};

static bool parse_argument(const char *argument) {
        const char *equals = strchr(argument, '='), *value = equals ? equals + 1 : NULL;
        size_t size = equals ? (size_t)(equals - argument) : strlen(argument);

        if (strncmp(argument, "arg=", 4) == 0 && options.n_args < ARGS_MAX) {
                options.args[options.n_args++] = value; /* of the module, with --direct */
                return true;
        }
        if (strncmp(argument, "answer=", 7) == 0 && options.n_answers < ANSWERS_MAX) {
                options.answers[options.n_answers++] = value;
                return true;
        }
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                if (strlen(rows[i].name) != size || strncmp(rows[i].name, argument, size) != 0)
                        continue;
                if (rows[i].text && value)
                        *rows[i].text = value;
                else if (rows[i].number && value)
                        *rows[i].number = atoi(value);
                else if (rows[i].flag && !value)
                        *rows[i].flag = true;
                else
                        return false;
                return true;
        }
        return false;
}

static void parse(int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (strncmp(argv[i], "--", 2) != 0 || !parse_argument(argv[i] + 2)) {
                        fprintf(stderr, "unknown argument %s\n", argv[i]);
                        exit(2);
                }
}

static void prepare(void) {
        pthread_t threads[4];

        if (options.alarm)
                (void)alarm((unsigned)options.alarm);
        if (options.catch_signals) {
                struct sigaction action = {.sa_handler = on_signal};

                (void)sigaction(SIGINT, &action, NULL);
                (void)sigaction(SIGTERM, &action, NULL);
        }
        for (size_t i = 0; options.threads && i < sizeof(threads) / sizeof(threads[0]); i++)
                if (pthread_create(&threads[i], NULL, run_thread, NULL) == 0)
                        (void)pthread_detach(threads[i]);
        if (options.close_all)
                for (int fd = 0; fd < FD_MAX; fd++)
                        if (fd != STDOUT_FILENO)
                                (void)close(fd);
}

int main(int argc, char **argv) {
        struct mallinfo2 heap = {0};
        sigset_t mask;
        int fds = 0, r = -1;

        options.program = argv[0];
        parse(argc, argv);
        prepare();
        (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
        if (options.last_fault) {
                run_faults();
                return 0;
        }
        /* What a first round sets up once is not counted. */
        for (int i = 0; i < options.repeat; i++) {
                if (i == 0 || i == options.repeat / 2) {
                        fds = count_fds();
                        heap = mallinfo2();
                }
                r = attempt();
        }
        report(r, fds, &heap, &mask);
        return 0;
}
