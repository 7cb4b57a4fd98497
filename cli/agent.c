/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkttyagent: started, awaited, ended. */
#include "cli/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/prompt.h"
#include "common/cleanup.h"

#define AGENT_PATH "/usr/bin/pkttyagent"

enum { READY_MSEC = 5000, ENVIRONMENT_MAX = 8 };

/* What it writes with; polkit's own helper checks the password, and gets none of this. */
static const char *const kept[] = {"TERM", "LANG", "LC_ALL", "LC_MESSAGES", "LC_CTYPE"};

static char *assignment(const char *name, const char *value) {
        char *text;

        return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

static void make_environment(const char *bus, char *ret[ENVIRONMENT_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
                if (getenv(kept[i]))
                        ret[n++] = assignment(kept[i], getenv(kept[i]));
        if (bus)
                ret[n++] = assignment("DBUS_SYSTEM_BUS_ADDRESS", bus);
        ret[n] = NULL;
}

/* In the child: becomes the agent of its parent, which notices by the end of notify that it is ready. */
static void run_agent(pid_t parent, int notify, const char *bus) {
        char process[24], descriptor[24], *environment[ENVIRONMENT_MAX];
        const char *arguments[] = {AGENT_PATH, "--process",  process, "--notify-fd",
                                   descriptor, "--fallback", NULL};
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 || fcntl(notify, F_SETFD, 0) < 0)
                _exit(1);
        (void)snprintf(process, sizeof(process), "%ld", (long)parent);
        (void)snprintf(descriptor, sizeof(descriptor), "%d", notify);
        make_environment(bus, environment);
        (void)execve(AGENT_PATH, (char **)arguments, environment);
        _exit(1);
}

static void await_agent(int notify) {
        struct pollfd end = {.fd = notify, .events = POLLIN};

        while (poll(&end, 1, READY_MSEC) < 0 && errno == EINTR)
                ;
}

void agent_start(Agent *agent, const char *bus) {
        int ends[2];

        *agent = (Agent){0};
        if (geteuid() == 0 || !prompt_has_terminal() || access(AGENT_PATH, X_OK) < 0 ||
            pipe2(ends, O_CLOEXEC) < 0)
                return;
        agent->terminal_known = tcgetattr(STDIN_FILENO, &agent->terminal) == 0;
        (void)fflush(NULL);
        pid_t parent = getpid();
        pid_t child = fork();
        if (child == 0)
                run_agent(parent, ends[1], bus);
        (void)close(ends[1]);
        if (child > 0) {
                agent->pid = child;
                await_agent(ends[0]);
        }
        (void)close(ends[0]);
}

void agent_stop(Agent *agent) {
        if (agent->pid <= 0)
                return;
        (void)kill(agent->pid, SIGTERM);
        (void)kill(agent->pid, SIGCONT);
        while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        /* Ended in the middle of a question it leaves the echo off; in the background we may not touch it. */
        if (agent->terminal_known && tcgetpgrp(STDIN_FILENO) == getpgrp())
                (void)tcsetattr(STDIN_FILENO, TCSANOW, &agent->terminal);
        *agent = (Agent){0};
}
