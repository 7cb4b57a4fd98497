/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Days and hours: what is accepted, what is refused with which remedy, and every minute of a week against a
 * walk through the span. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy_match.h"

#define MINUTES(hour, minute) ((hour)*60 + (minute))

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

/* A span in plain words; hours to beyond 24:00 go on in the next day. */
typedef struct Span {
        const char *days; /* one letter a day from Monday on: '-' or not */
        unsigned from, to;
} Span;

/* Minute by minute: walk through the span and see whether the moment comes by. */
static bool naive(const Span *spans, unsigned weekday, unsigned minute) {
        for (const Span *span = spans; span->days; span++)
                for (unsigned day = 0; day < 7; day++)
                        for (unsigned m = span->from; span->days[day] != '-' && m < span->to; m++)
                                if ((day * 1440 + m) % (7 * 1440) == weekday * 1440 + minute)
                                        return true;
        return false;
}

static const struct {
        const char *value;
        Span spans[4];
} weeks[] = {
        {"Mon-Fri 08:00-18:00", {{"MTWTF--", MINUTES(8, 0), MINUTES(18, 0)}}},
        {"Sat Sun", {{"-----SS", 0, 1440}}},
        {"Sun", {{"------S", 0, 1440}}},
        {"22:00-06:00", {{"MTWTFSS", MINUTES(22, 0), MINUTES(30, 0)}}},
        {"Sun 22:00-06:00", {{"------S", MINUTES(22, 0), MINUTES(30, 0)}}},
        {"Fri-Mon 23:59-00:01", {{"M---FSS", MINUTES(23, 59), MINUTES(24, 1)}}},
        {"00:00-24:00", {{"MTWTFSS", 0, 1440}}},
        {"Wed 12:00-24:00", {{"--W----", MINUTES(12, 0), 1440}}},
        {"Wed 12:00-00:00", {{"--W----", MINUTES(12, 0), 1440}}},
        {"Tue\t00:00-00:01", {{"-T-----", 0, 1}}},
        {"Tue 00:01-00:00", {{"-T-----", 1, 1440}}},
        {"Mon Wed-Thu Sun 09:30-09:31", {{"M-WT--S", MINUTES(9, 30), MINUTES(9, 31)}}},
        {"Mon-Sun", {{"MTWTFSS", 0, 1440}}},
        {"Mon-Fri 08:00-18:00, Sat 09:00-12:00 ,Sun,22:00-06:00",
         {{"MTWTF--", MINUTES(8, 0), MINUTES(18, 0)},
          {"-----S-", MINUTES(9, 0), MINUTES(12, 0)},
          {"------S", 0, 1440},
          {"MTWTFSS", MINUTES(22, 0), MINUTES(30, 0)}}},
};

static void test_every_minute_of_a_week(void **unused) {
        (void)unused;
        for (size_t i = 0; i < sizeof(weeks) / sizeof(weeks[0]); i++) {
                PolicyTime *times = NULL;
                char *problem = NULL;
                size_t n = 0;
                Span spans[5] = {{0}};

                memcpy(spans, weeks[i].spans, sizeof(weeks[i].spans));
                expect_parsed(policy_match_parse_times(weeks[i].value, &times, &n, &problem), problem,
                              weeks[i].value);
                for (unsigned day = 0; day < 7; day++)
                        for (unsigned minute = 0; minute < 1440; minute++) {
                                PolicyMoment moment = {.weekday = day, .minute = minute};
                                bool fit = false;

                                for (size_t j = 0; j < n; j++)
                                        fit = fit || policy_match_time(&times[j], &moment);
                                if (fit != naive(spans, day, minute))
                                        fail_msg("\"%s\" on day %u at %02u:%02u: %d", weeks[i].value, day,
                                                 minute / 60, minute % 60, fit);
                        }
                free(times);
        }
}

#define NO_HOURS  "is not hours; write them with two digits each, as in 09:00-17:00"
#define NO_DAY    "is not a day as it is written here: Mon Tue Wed Thu Fri Sat Sun"
#define NEITHER   "is neither a day (Mon, Mon-Fri) nor hours (08:00-18:00)"
#define LONG_DASH "has a dash that is not '-'; type it again, as in Mon-Fri"
#define NO_TIME   "has a time that no day has; a day is 00:00-24:00"
#define NO_COMMA  "follows hours without a comma; the days of a span come first"

static void test_refused_times(void **unused) {
        (void)unused;
        static const struct {
                const char *value, *problem;
        } table[] = {
                {"", "a comma has no days or hours on one side; remove it"},
                {"Mon,", "a comma has no days or hours on one side; remove it"},
                {"Mon, ,Tue", "a comma has no days or hours on one side; remove it"},
                {"Mon\xe2\x80\x93"
                 "Fri",
                 "'Mon\xe2\x80\x93"
                 "Fri' " LONG_DASH},
                {"08:00\xe2\x88\x92"
                 "18:00",
                 "'08:00\xe2\x88\x92"
                 "18:00' " LONG_DASH},
                {"9:00-17:00", "'9:00-17:00' " NO_HOURS},
                {"09:00-5:00", "'09:00-5:00' " NO_HOURS},
                {"09:00", "'09:00' " NO_HOURS},
                {"09-17", "'09-17' " NO_HOURS},
                {"0900-1700", "'0900-1700' " NO_HOURS},
                {"9am-5pm", "'9am-5pm' " NO_HOURS},
                {"09:00-17:00h", "'09:00-17:00h' " NO_HOURS},
                {"09:00-17:00;", "'09:00-17:00;' " NO_HOURS},
                {"09:00..17:00", "'09:00..17:00' " NO_HOURS},
                {"25:00-26:00", "'25:00-26:00' " NO_TIME},
                {"08:00-24:01", "'08:00-24:01' " NO_TIME},
                {"08:60-09:00", "'08:60-09:00' " NO_TIME},
                {"0x:00-09:00", "'0x:00-09:00' " NO_TIME},
                {"24:00-08:00", "'24:00-08:00' begins at 24:00; write 00:00 of the next day"},
                {"08:00-08:00", "'08:00-08:00' ends as it begins; leave the hours out for the whole day"},
                {"00:00-00:00", "'00:00-00:00' ends as it begins; leave the hours out for the whole day"},
                {"mon", "'mon' " NO_DAY},
                {"MON-FRI", "'MON-FRI' " NO_DAY},
                {"Monday", "'Monday' " NO_DAY},
                {"Mon..Fri", "'Mon..Fri' " NEITHER},
                {"Mon-Fri08:00-18:00", "'Mon-Fri08:00-18:00' " NEITHER},
                {"Mon-Funday", "'Mon-Funday' " NO_DAY},
                {"Mon-Mon", "'Mon-Mon' begins and ends on one day; write that day"},
                {"Mon - Fri", "'-' stands alone; write ranges without spaces: Mon-Fri"},
                {"weekdays", "'weekdays' " NEITHER},
                {"*", "'*' " NEITHER},
                {"!Sun", "'!Sun' " NEITHER},
                {"Mon 08:00-12:00 13:00-17:00", "'13:00-17:00' " NO_COMMA},
                {"08:00-18:00 Mon-Fri", "'Mon-Fri' " NO_COMMA},
                {"Mon\x1b", "'Mon\\x1b' " NO_DAY},
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                PolicyTime *times = (PolicyTime *)&table;
                char *problem = NULL;
                size_t n = 77;
                int r = policy_match_parse_times(table[i].value, &times, &n, &problem);

                expect_problem(r, problem, table[i].value, table[i].problem);
                assert_ptr_equal(times, &table);
                assert_int_equal(n, 77);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_minute_of_a_week),
                cmocka_unit_test(test_refused_times),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
