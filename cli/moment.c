/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dates and weekdays to moments; a date is a date of the Gregorian calendar, so no time zone matters. */
#include "cli/moment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/clock.h"

static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
enum { N_DAYS = sizeof(days) / sizeof(days[0]) };

const char *moment_day(unsigned weekday) {
        return weekday < N_DAYS ? days[weekday] : "?";
}

PolicyMoment moment_now(void) {
        PolicyMoment now;

        clock_week(&now.weekday, &now.minute);
        return now;
}

/* Exactly n digits; -1 if they are not. */
static int digits(const char *text, int n) {
        int value = 0;

        for (int i = 0; i < n; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return -1;
                value = value * 10 + (text[i] - '0');
        }
        return value;
}

/* "HH:MM" and nothing behind it */
static int parse_clock(const char *text, unsigned *ret_minute) {
        int hour, minute;

        if (strlen(text) != strlen("22:30") || text[2] != ':')
                return -EINVAL;
        hour = digits(text, 2);
        minute = digits(text + 3, 2);
        if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
                return -EINVAL;
        *ret_minute = (unsigned)(hour * 60 + minute);
        return 0;
}

/* "YYYY-MM-DD": a day that there is */
static int parse_date(const char *text, unsigned *ret_weekday) {
        struct tm tm = {.tm_hour = 12};
        int year = digits(text, 4), month, day;

        if (year < 0 || text[4] != '-' || (month = digits(text + 5, 2)) < 0 || text[7] != '-' ||
            (day = digits(text + 8, 2)) < 0)
                return -EINVAL;
        tm.tm_year = year - 1900;
        tm.tm_mon = month - 1;
        tm.tm_mday = day;
        (void)timegm(&tm); /* normalises what is no date, such as 30 February */
        if (tm.tm_mon != month - 1 || tm.tm_mday != day)
                return -EINVAL;
        *ret_weekday = (unsigned)(tm.tm_wday + N_DAYS - 1) % N_DAYS; /* tm counts from Sunday */
        return 0;
}

int moment_parse(const char *text, PolicyMoment *ret_moment) {
        const char *space = strchr(text, ' ');
        size_t size = space ? (size_t)(space - text) : 0;
        PolicyMoment moment = {.weekday = N_DAYS};

        for (unsigned i = 0; i < N_DAYS; i++)
                if (size == strlen(days[i]) && strncasecmp(text, days[i], size) == 0)
                        moment.weekday = i;
        if (size == strlen("2026-11-21") && parse_date(text, &moment.weekday) < 0)
                return -EINVAL;
        if (moment.weekday == N_DAYS || parse_clock(space + 1, &moment.minute) < 0)
                return -EINVAL;
        *ret_moment = moment;
        return 0;
}

const char *moment_text(const PolicyMoment *moment, char ret[MOMENT_TEXT]) {
        (void)snprintf(ret, MOMENT_TEXT, "%s %02u:%02u", moment_day(moment->weekday),
                       moment->minute / 60 % 24, moment->minute % 60);
        return ret;
}
