/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The properties of a session that decide something, each with its type. */
#include "common/logind.h"

#include <errno.h>
#include <string.h>

/* The properties that decide whether a session counts. The defaults do not. */
typedef struct SessionFacts {
        bool user, locked, alive;
        LogindSession session;
} SessionFacts;

static int read_text(sd_bus_message *m, const char *key, SessionFacts *facts) {
        const char *text;
        int r = sd_bus_message_read(m, "s", &text);

        if (r < 0)
                return r;
        if (strcmp(key, "Class") == 0)
                /* Since systemd 256 sessions of root and of system users have a class of their own. */
                facts->user = strcmp(text, "user") == 0 || strcmp(text, "user-early") == 0;
        else if (strcmp(key, "State") == 0)
                facts->alive = strcmp(text, "active") == 0 || strcmp(text, "online") == 0;
        else if (strcmp(key, "Id") == 0 && strlen(text) < LOGIND_ID_SIZE)
                memcpy(facts->session.id, text, strlen(text) + 1);
        return 0;
}

static int read_flag(sd_bus_message *m, const char *key, SessionFacts *facts) {
        int flag, r = sd_bus_message_read(m, "b", &flag);

        if (r < 0)
                return r;
        if (strcmp(key, "LockedHint") == 0)
                facts->locked = flag;
        else if (strcmp(key, "Remote") == 0)
                facts->session.remote = flag;
        return 0;
}

static int read_time(sd_bus_message *m, const char *key, SessionFacts *facts) {
        uint64_t usec;
        int r = sd_bus_message_read(m, "t", &usec);

        if (r < 0)
                return r;
        if (strcmp(key, "Timestamp") == 0)
                facts->session.since_usec = usec;
        else if (strcmp(key, "TimestampMonotonic") == 0)
                facts->session.since_mono_usec = usec;
        return 0;
}

static int read_user(sd_bus_message *m, SessionFacts *facts) {
        uint32_t uid;
        int r = sd_bus_message_read(m, "(uo)", &uid, NULL);

        if (r >= 0)
                facts->session.uid = uid;
        return r;
}

static int read_leader(sd_bus_message *m, SessionFacts *facts) {
        uint32_t pid;
        int r = sd_bus_message_read(m, "u", &pid);

        if (r >= 0)
                facts->session.leader = (pid_t)pid;
        return r;
}

/* The value of one property; what is not asked for, or has another type than it should, is passed over. */
static int read_value(sd_bus_message *m, const char *key, const char *type, SessionFacts *facts) {
        if (strcmp(type, "s") == 0)
                return read_text(m, key, facts);
        if (strcmp(type, "b") == 0)
                return read_flag(m, key, facts);
        if (strcmp(type, "t") == 0)
                return read_time(m, key, facts);
        if (strcmp(type, "(uo)") == 0 && strcmp(key, "User") == 0)
                return read_user(m, facts);
        if (strcmp(type, "u") == 0 && strcmp(key, "Leader") == 0)
                return read_leader(m, facts);
        return sd_bus_message_skip(m, type);
}

/* The next entry of an a{sv}: 1, or 0 at the end. */
static int read_property(sd_bus_message *m, SessionFacts *facts) {
        const char *key, *type;
        int r = sd_bus_message_enter_container(m, 'e', "sv");

        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, NULL, &type);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'v', type);
        if (r >= 0)
                r = read_value(m, key, type, facts);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

int logind_read_session(sd_bus_message *m, LogindSession *ret_session) {
        SessionFacts facts = {.locked = true, .session = {.uid = (uid_t)-1, .remote = true}};
        int r;

        if (sd_bus_message_is_method_error(m, NULL))
                return -sd_bus_message_get_errno(m);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = read_property(m, &facts)) > 0)
                ;
        if (r < 0)
                return r;
        if (facts.session.uid == (uid_t)-1 || !*facts.session.id)
                return -ENODATA;
        *ret_session = facts.session;
        return facts.user && facts.alive && !facts.locked;
}
