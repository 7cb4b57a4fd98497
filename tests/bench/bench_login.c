/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins through the installed module and broker: exempt ones, and the time from the reviewer's approve
 * call to the return of pam_authenticate.
 *
 * Floors are taken in turn with the figures.
 *
 *   bench_login exempt SERVICE USER
 *   bench_login decide SERVICE USER REVIEWER PENDING DIRECTORY NAME
 *                                                       PENDING logins wait, this one among them; DIRECTORY
 *                                                       is on the ledger's file system; NAME of the figures
 *   bench_login hang SERVICE USER REVIEWER SHIM         decisions while the name service hangs for another
 *                                                       login, and while it does not, in turn; SHIM is the
 *                                                       file of tests/bus/shim.c in the broker
 *   bench_login hold PENDING                            holds them until it is killed
 */
#include <err.h>
#include <fcntl.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/client.h"
#include "common/text.h"
#include "tests/bench/floor.h"
#include "tests/bench/sample.h"

enum { LOGIN_EXEMPT = 500, LOGIN_DECIDE = 300, LOGIN_HANG = 200 };
enum { HANG_BEGINS_USEC = 20000, HANG_ENDS_USEC = 30000 }; /* the shim looks every 10 ms whether it is over */

/* Shared by the process that logs in and the one that approves. */
typedef struct Shared {
        double sent, returned;
        char code[PEERAUTH_CODE_DIGITS + 1];
        int result;
} Shared;

static int shown[2]; /* the requester writes here when it has its code */

/* Answers every prompt with an empty line, and finds "123 456" in what it is shown. */
static int conversation(int n, const struct pam_message **messages, struct pam_response **ret,
                        void *userdata) {
        Shared *shared = userdata;

        *ret = calloc((size_t)n, sizeof(**ret));
        for (int i = 0; *ret && i < n; i++) {
                if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF ||
                    messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
                        (*ret)[i].resp = strdup("");
                for (const char *p = messages[i]->msg; *p && shared && !*shared->code; p++) {
                        char digits[8];

                        if (strlen(p) < 7)
                                break;
                        memcpy(digits, p, 7);
                        digits[7] = '\0';
                        if (digits[3] == ' ' && text_parse_code(digits, shared->code) == 0)
                                (void)!write(shown[1], "", 1);
                }
        }
        return *ret ? PAM_SUCCESS : PAM_BUF_ERR;
}

static void bench_exempt(const char *service, const char *user) {
        static Sample sample, floor;
        const struct pam_conv conv = {.conv = conversation};
        pam_handle_t *pamh = NULL;
        double cold;

        floor_start_echo();
        cold = sample_now();
        if (pam_start(service, user, &conv, &pamh) != PAM_SUCCESS)
                errx(1, "pam_start failed");
        for (int i = 0; i < LOGIN_EXEMPT + 1; i++) {
                double start, before = floor_connect_call_close();
                int r;

                start = sample_now();
                r = pam_authenticate(pamh, 0);
                if (r != PAM_SUCCESS)
                        errx(1, "an exempt login ended with %s", pam_strerror(pamh, r));
                if (i == 0)
                        printf("exempt_cold %.1f\n",
                               sample_now() - cold); /* loads the module, and one floor */
                else {
                        sample_add(&sample, sample_now() - start);
                        sample_add(&floor, before);
                }
        }
        pam_end(pamh, PAM_SUCCESS);
        sample_report(&floor, "exempt_floor");
        sample_report(&sample, "exempt");
}

/* n pending logins of accounts that do not exist: they wait like all others. */
static sd_bus *hold_pending(unsigned n) {
        sd_bus *bus = NULL;

        if (client_connect(NULL, &bus) < 0)
                errx(1, "cannot reach the system bus");
        for (unsigned i = 0; i < n; i++) {
                ClientLogin login = {.service = "sshd"};
                ClientCreated created = {0};
                sd_bus_error error = SD_BUS_ERROR_NULL;
                char user[32];

                (void)snprintf(user, sizeof(user), "bench-nobody-%u", i);
                login.user = user;
                if (client_create_request(bus, &login, 10000000, &created, &error) < 0)
                        errx(1, "cannot hold login %u: %s", i, error.message ? error.message : "no answer");
                client_created_done(&created);
        }
        return bus;
}

static pid_t start_login(const char *service, const char *user, Shared *shared) {
        const struct pam_conv conv = {.conv = conversation, .appdata_ptr = shared};
        pam_handle_t *pamh = NULL;
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pam_start(service, user, &conv, &pamh) != PAM_SUCCESS)
                _exit(2);
        shared->result = pam_authenticate(pamh, 0);
        shared->returned = sample_now();
        (void)pam_end(pamh, shared->result);
        _exit(0);
}

static void become(const char *reviewer) {
        const struct passwd *pw = getpwnam(reviewer);

        if (!pw || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
            setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
                errx(1, "cannot become %s", reviewer);
}

/* The reviewer's side runs in a process of its own, with the reviewer's uid and one open connection. */
static void review(const char *reviewer, const char *user, Shared *shared, int go, int done) {
        sd_bus *bus = NULL;
        char c;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        become(reviewer);
        if (client_connect(NULL, &bus) < 0)
                errx(1, "cannot reach the system bus");
        while (read(go, &c, 1) == 1) {
                ClientRequestList list = {0};
                sd_bus_error error = SD_BUS_ERROR_NULL;
                int r = client_list_requests(bus, &list, &error);

                for (size_t i = 0; r >= 0 && i < list.n_items; i++)
                        if (strcmp(list.items[i].user, user) == 0) {
                                shared->sent = sample_now();
                                r = client_approve(bus, list.items[i].id, shared->code, "", NULL, NULL,
                                                   &error);
                                break;
                        }
                if (r < 0)
                        errx(1, "review failed: %s", error.message ? error.message : strerror(-r));
                sd_bus_error_free(&error);
                client_request_list_done(&list);
                (void)!write(done, "", 1);
        }
        _exit(0);
}

/* The floor of a decision: two calls, one durable commit. */
typedef struct DecideFloor {
        sd_bus *bus;
        FloorDisk disk;
        Sample calls, commits, syncs, whole;
} DecideFloor;

static void floor_decide(DecideFloor *floor) {
        double calls = floor_call(floor->bus) + floor_call(floor->bus), commit = floor_commit(&floor->disk);

        sample_add(&floor->calls, calls / 2);
        sample_add(&floor->commits, commit);
        sample_add(&floor->syncs, floor_fdatasync(&floor->disk));
        sample_add(&floor->whole, calls + commit);
}

static void report_part(Sample *sample, const char *name, const char *part) {
        char whole[64];

        (void)snprintf(whole, sizeof(whole), "%s%s", name, part);
        sample_report(sample, whole);
}

static void report_decide(DecideFloor *floor, Sample *sample, const char *name) {
        sample_report(sample, name);
        report_part(&floor->whole, name, "_floor");
        report_part(&floor->calls, name, "_call");
        report_part(&floor->commits, name, "_commit");
        report_part(&floor->syncs, name, "_sync");
}

/* One login, from the code on the screen to the return of pam_authenticate. */
static double decide_once(const char *service, const char *user, Shared *shared, int go, int done) {
        pid_t pid;
        char c;

        memset(shared, 0, sizeof(*shared));
        shared->result = -1;
        pid = start_login(service, user, shared);
        if (read(shown[0], &c, 1) != 1)
                errx(1, "no code was shown");
        usleep(2000); /* the requester is past its prompt and waits */
        (void)!write(go, "", 1);
        if (read(done, &c, 1) != 1)
                errx(1, "the reviewer ended");
        (void)waitpid(pid, NULL, 0);
        if (shared->result != PAM_SUCCESS)
                errx(1, "an approved login ended with %d", shared->result);
        return shared->returned - shared->sent;
}

/* The two sides of many logins: this process logs in, another one approves. */
typedef struct Sides {
        Shared *shared;
        int go, done;
} Sides;

static Sides start_reviewer(const char *reviewer, const char *user) {
        Shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                              0);
        int go[2], done[2];

        if (shared == MAP_FAILED || pipe(go) < 0 || pipe(done) < 0 || pipe(shown) < 0)
                err(1, "set-up");
        if (fork() == 0) {
                close(go[1]);
                close(done[0]);
                review(reviewer, user, shared, go[0], done[1]);
        }
        close(done[1]); /* so that the end of the reviewer is seen */
        return (Sides){.shared = shared, .go = go[1], .done = done[0]};
}

static void bench_decide(const char *service, const char *user, const char *reviewer, unsigned pending,
                         const char *directory, const char *name) {
        static Sample sample;
        static DecideFloor floor;
        sd_bus *held = hold_pending(pending - 1);
        Sides sides = start_reviewer(reviewer, user);

        floor_start_echo();
        floor.bus = floor_connect();
        floor_disk_open(&floor.disk, directory);
        for (int i = 0; i < LOGIN_DECIDE; i++) {
                floor_decide(&floor);
                sample_add(&sample, decide_once(service, user, sides.shared, sides.go, sides.done));
        }
        report_decide(&floor, &sample, name);
        floor_disk_close(&floor.disk);
        sd_bus_close_unref(floor.bus);
        sd_bus_close_unref(held);
}

/* As in tests/bus/shim.c. */
typedef struct ShimState {
        int64_t realtime_shift;
        int32_t name_service_hangs;
} ShimState;

static volatile ShimState *open_shim(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        void *state = fd < 0 ? MAP_FAILED
                             : mmap(NULL, sizeof(ShimState), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (state == MAP_FAILED)
                err(1, "%s", path);
        return state;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        (void)reply;
        (void)userdata;
        (void)error;
        errx(1, "the login that should hang was answered");
}

/* Ends the program if the broker has answered. */
static void check_hangs(sd_bus *hanging) {
        while (sd_bus_process(hanging, NULL) > 0)
                ;
}

/* A login whose account the name service does not answer for; it lasts as long as the connection. */
static sd_bus *start_hanging_login(void) {
        sd_bus *bus = floor_connect();

        if (sd_bus_call_method_async(bus, NULL, PEERAUTH_BUS_NAME, PEERAUTH_OBJECT_PATH,
                                     PEERAUTH_IFACE_REQUESTER, "CreateRequest", on_answer, NULL, "a{sv}", 2,
                                     PEERAUTH_KEY_USER, "s", "slow", PEERAUTH_KEY_SERVICE, "s", "sshd") < 0 ||
            sd_bus_flush(bus) < 0)
                errx(1, "cannot start a login that hangs");
        usleep(HANG_BEGINS_USEC);
        return bus;
}

static void bench_hang(const char *service, const char *user, const char *reviewer, const char *shim_path) {
        static Sample with, without;
        volatile ShimState *shim = open_shim(shim_path);
        Sides sides = start_reviewer(reviewer, user);

        for (int i = 0; i < LOGIN_HANG; i++) {
                sd_bus *hanging;

                sample_add(&without, decide_once(service, user, sides.shared, sides.go, sides.done));
                shim->name_service_hangs = 1;
                hanging = start_hanging_login();
                sample_add(&with, decide_once(service, user, sides.shared, sides.go, sides.done));
                check_hangs(hanging);
                shim->name_service_hangs = 0;
                sd_bus_close_unref(hanging);
                usleep(HANG_ENDS_USEC);
        }
        sample_report(&without, "hang_without");
        sample_report(&with, "hang_with");
}

int main(int argc, char *argv[]) {
        if (argc == 4 && strcmp(argv[1], "exempt") == 0)
                bench_exempt(argv[2], argv[3]);
        else if (argc == 8 && strcmp(argv[1], "decide") == 0)
                bench_decide(argv[2], argv[3], argv[4], (unsigned)atoi(argv[5]), argv[6], argv[7]);
        else if (argc == 6 && strcmp(argv[1], "hang") == 0)
                bench_hang(argv[2], argv[3], argv[4], argv[5]);
        else if (argc == 3 && strcmp(argv[1], "hold") == 0) {
                (void)hold_pending((unsigned)atoi(argv[2]));
                puts("held");
                fflush(stdout);
                pause();
        } else
                errx(2, "usage: bench_login exempt|decide|hang|hold ...; see the top of the source");
        return 0;
}
