/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long the rules of a large policy take to decide one login: as many rules as a policy may have, of every
 * kind of key, read from a file as the broker reads it, of which the last one decides.
 *
 * The floor is taken in turn with the figure: one strcmp() with a name of each rule, which is the least that
 * asking every rule could cost.
 *
 * Both are also taken with cold caches, as they are in a broker that has slept.
 *
 *   bench_policy DIRECTORY    where to put the policy; only root may be able to write there
 */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/policy_load.h"
#include "tests/bench/sample.h"

enum { RULES = 1000, ROUNDS = SAMPLE_MAX, WARM_UP = 100, COLD_ROUNDS = 200, PATH_SIZE = 4096 };
enum { CACHE_SIZE = 64 << 20, CACHE_LINE = 64 };

/* Sunday, 03:00, over ssh from 192.0.2.7, by alice, who is in the group staff: what no rule but the last one
 * fits. Each kind fails at another key, and all keys before that one fit. '@' stands for the number of the
 * rule, '&' for two digits below 60. */
static const char *const kinds[] = {
        "Service=service@ service@-l\n",
        "Service=sshd login\nUser=user@ other@ third@\n",
        "Service=sshd\nGroup=group& others&\n",
        "User=alice bob\nTty=tty& pts/@* :&\n",
        "Service=sshd\nLocation=local\n",
        "Service=sshd\nAddress=10.1&.0.0/16 198.51.100.1& 2001:db8:&::/48\n",
        "User=alice\nTime=Mon-Fri 08:00-18:&, Sat 09:00-12:00\n",
        ("Service=sshd\nUser=alice\nGroup=group& staff\nTty=ssh\nLocation=remote\nAddress=192.0.2.0/24\n"
         "Time=22:00-02:&\n"),
};

static void write_kind(FILE *f, const char *kind, unsigned number) {
        for (; *kind; kind++)
                if (*kind == '@')
                        (void)fprintf(f, "%u", number);
                else if (*kind == '&')
                        (void)fprintf(f, "%02u", number % 60);
                else
                        (void)fputc(*kind, f);
}

static void write_rules(FILE *f) {
        for (unsigned i = 0; i < RULES - 1; i++) {
                (void)fprintf(f, "[Rule number-%u]\nAction=require\nReviewers=reviewers:2\n", i);
                write_kind(f, kinds[i % (sizeof(kinds) / sizeof(kinds[0]))], i);
        }
        (void)fputs("[Rule last]\nAction=require\nReviewers=reviewers:2 or ops:1 and security:1\n", f);
}

static Policy *make_policy(const char *directory) {
        const PolicyDirs dirs = {.vendor = "/nonexistent", .etc = directory};
        char path[PATH_SIZE], *message = NULL;
        Policy *policy = NULL;
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/peerauth.conf", directory);
        f = fopen(path, "we");
        if (!f)
                err(1, "%s", path);
        write_rules(f);
        if (fclose(f) != 0 || chmod(path, 0644) < 0)
                err(1, "%s", path);
        if (policy_load(&dirs, &policy, &message) < 0)
                errx(1, "%s", message ? message : "no memory");
        if (policy->n_rules != RULES)
                errx(1, "the policy has %zu rules", policy->n_rules);
        return policy;
}

static const char *a_name(const PolicyRule *rule) {
        return rule->services ? rule->services[0] : rule->users ? rule->users[0] : rule->name;
}

static double time_policy(const Policy *policy, const PolicyQuery *query) {
        double start = sample_now();
        PolicyDecision decision = policy_decide(policy, query);
        double end = sample_now();

        if (!decision.rule || decision.unsure || strcmp(decision.rule->name, "last") != 0)
                errx(1, "rule %s decided", decision.rule ? decision.rule->name : "none");
        return end - start;
}

/* Read by nobody: the comparisons must not be optimised away. */
volatile unsigned bench_policy_different;

static double time_floor(const Policy *policy, const char *name) {
        double start = sample_now();

        for (size_t i = 0; i < policy->n_rules; i++)
                bench_policy_different += strcmp(a_name(&policy->rules[i]), name) != 0;
        return sample_now() - start;
}

/* Writes over everything that the processor remembers: a broker that decides a login has slept before. */
static void forget(void) {
        static volatile char memory[CACHE_SIZE];

        for (size_t i = 0; i < sizeof(memory); i += CACHE_LINE)
                memory[i]++;
}

static void bench_warm(const Policy *policy, const PolicyQuery *query) {
        static Sample figure, floor;

        for (int i = 0; i < ROUNDS + WARM_UP; i++) {
                double least = time_floor(policy, query->user), took = time_policy(policy, query);

                if (i < WARM_UP)
                        continue;
                sample_add(&floor, least);
                sample_add(&figure, took);
        }
        sample_report(&floor, "policy_floor");
        sample_report(&figure, "policy");
}

static void bench_cold(const Policy *policy, const PolicyQuery *query) {
        static Sample figure, floor;

        for (int i = 0; i < COLD_ROUNDS; i++) {
                forget();
                sample_add(&floor, time_floor(policy, query->user));
                forget();
                sample_add(&figure, time_policy(policy, query));
        }
        sample_report(&floor, "policy_cold_floor");
        sample_report(&figure, "policy_cold");
}

int main(int argc, char *argv[]) {
        char staff[] = "staff", *groups[] = {staff, NULL};
        PolicyQuery query = {.service = "sshd", .user = "alice", .groups = groups, .tty = "ssh"};
        Policy *policy;

        if (argc != 2)
                errx(2, "usage: bench_policy DIRECTORY");
        policy = make_policy(argv[1]);
        query.origin = policy_origin("192.0.2.7", NULL);
        query.moment = (PolicyMoment){.weekday = 6, .minute = 3 * 60};
        bench_warm(policy, &query);
        bench_cold(policy, &query);
        policy_unref(policy);
        return 0;
}
