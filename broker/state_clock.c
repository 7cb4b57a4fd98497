/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a step of the wall clock does to stored times: it moves them along, so that the spans between them and
 * now stay what they were (attack T1). See "Time" in state.h.
 */
#include "broker/state_internal.h"

#include <errno.h>
#include <inttypes.h>

int state_clock_newest(State *s, int64_t *ret_usec) {
        return state_integer(
                s,
                "SELECT coalesce(max(t), -0x7fffffffffffffff - 1) FROM ("
                "SELECT max(time) AS t FROM attempt UNION ALL SELECT max(last) FROM failure UNION ALL "
                "SELECT max(since) FROM block UNION ALL SELECT max(created) FROM recovery UNION ALL "
                "SELECT max(used) FROM recovery UNION ALL SELECT max(created) FROM totp)",
                STATE_NO_VALUES, ret_usec);
}

static int64_t clamp(int64_t usec) {
        const int64_t max = (int64_t)STATE_TIME_MAX;

        return usec > max ? max : usec < -max ? -max : usec;
}

/* The steps of TOTP are not times: moved back, they would let a used code serve again (R2). */
int state_clock_move(State *s, int64_t step_usec) {
#define MOVE(table, column) \
        "UPDATE " table " SET " column " = max(min(" column " + ?1, ?2), -?2) WHERE " column " IS NOT NULL"
        static const char *const statements[] = {
                MOVE("attempt", "time"), MOVE("failure", "last"),     MOVE("block", "since"),
                MOVE("block", "until"),  MOVE("recovery", "created"), MOVE("recovery", "used"),
                MOVE("totp", "created"),
        };
#undef MOVE
        int r = state_begin(s);

        for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && r >= 0; i++)
                r = state_run(s, statements[i],
                              STATE_VALUES(STATE_INTEGER(step_usec), STATE_INTEGER((int64_t)STATE_TIME_MAX)));
        r = state_end(s, r);
        if (r < 0)
                return r;
        s->newest_usec = clamp(s->newest_usec + step_usec);
        return 0;
}

int state_clock(State *s, uint64_t realtime_usec, uint64_t boottime_usec, int64_t *ret_step_usec) {
        const int64_t slack = (int64_t)(STATE_CLOCK_SLACK_SEC * PEERAUTH_USEC_PER_SEC);
        int64_t offset, step;

        if (realtime_usec > STATE_TIME_MAX || boottime_usec > STATE_TIME_MAX)
                return -EINVAL;
        offset = (int64_t)realtime_usec - (int64_t)boottime_usec;
        step = s->offset_known ? offset - s->offset_usec : 0;
        if (step < -slack || step > slack) {
                int r = state_clock_move(s, step);

                if (r < 0)
                        return r;
                s->offset_usec = offset;
                s->step_usec += step;
        } else if (!s->offset_known)
                s->offset_usec = offset;
        /* Otherwise the old offset stays: small steps add up until they are one. */
        s->offset_known = true;
        if (s->step_usec == 0)
                return 0;
        *ret_step_usec = s->step_usec;
        s->step_usec = 0;
        return 1;
}
