/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of the policy: who could have written them (attack A3), which stands over which, and the rules
 * that are shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/policy_load.h"

/* Two folders below a new one; the working directory is there, so every path is short. */
static const PolicyDirs dirs = {.vendor = "vendor", .etc = "etc"};

static int set_up(void **state) {
        char template[] = "/tmp/test_policy_load.XXXXXX";

        assert_non_null(mkdtemp(template));
        *state = strdup(template);
        assert_int_equal(chdir(template), 0);
        assert_int_equal(mkdir("vendor", 0755), 0);
        assert_int_equal(mkdir("etc", 0755), 0);
        assert_int_equal(mkdir("etc/peerauth.conf.d", 0755), 0);
        return 0;
}

static int tear_down(void **state) {
        char command[128];

        assert_int_equal(chdir("/"), 0);
        snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
        assert_int_equal(system(command), 0);
        free(*state);
        return 0;
}

static void put_bytes(const char *path, const char *bytes, size_t size) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, size, f), size);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0644), 0);
}

static void put(const char *path, const char *text) {
        put_bytes(path, text, strlen(text));
}

static Policy *load(void) {
        Policy *policy = NULL;
        char *message = NULL;
        int r = policy_load(&dirs, &policy, &message);

        if (r != 0)
                fail_msg("%d: %s", r, message ? message : "no message");
        assert_null(message);
        return policy;
}

/* message must begin with start and contain part. */
static void expect_refusal(int error, const char *start, const char *part) {
        Policy *policy = (Policy *)&dirs;
        char *message = NULL;
        int r = policy_load(&dirs, &policy, &message);

        assert_int_equal(r, error);
        assert_ptr_equal(policy, &dirs); /* not written */
        assert_non_null(message);
        if (strncmp(message, start, strlen(start)) != 0 || !strstr(message, part) || strchr(message, '\n'))
                fail_msg("the message is \"%s\", and not \"%s...%s\"", message, start, part);
        free(message);
}

/* The message is about path as a whole. */
static void expect_distrust(const char *path, const char *part) {
        char start[64];

        snprintf(start, sizeof(start), "%s: ", path);
        expect_refusal(-EPERM, start, part);
}

static void expect_names(char *const *list, const char *expected) {
        char joined[256] = "";

        for (; list && *list; list++)
                snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s ", *list);
        assert_string_equal(joined, expected);
}

static void expect_rules(const char *expected) {
        Policy *policy = load();
        char joined[256] = "";

        for (size_t i = 0; i < policy->n_rules; i++)
                snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s:%s ",
                         policy->rules[i].name, policy->rules[i].file);
        assert_string_equal(joined, expected);
        policy_unref(policy);
}

static void test_no_file_at_all(void **unused) {
        (void)unused;
        static const PolicyDirs nowhere = {.vendor = "none/vendor", .etc = "none/etc"};
        Policy *policy = NULL;
        char *message = NULL;

        expect_refusal(-ENOENT, "etc: no peerauth.conf here", "vendor");
        assert_int_equal(policy_load(&nowhere, &policy, &message), -ENOENT);
        assert_non_null(message);
        free(message);
        put("etc/peerauth.conf.d/not-one", "[Rule a]\nAction=exempt\n");
        put("etc/peerauth.conf.d/.hidden.conf", "[Rule a]\nAction=exempt\n");
        put("etc/peerauth.conf.d/old.conf~", "[Rule a]\nAction=exempt\n");
        put("etc/peerauth.conf.d/.conf", "[Rule a]\nAction=exempt\n");
        expect_refusal(-ENOENT, "etc: no peerauth.conf here", "vendor");
}

static void test_no_rule_at_all(void **unused) {
        (void)unused;
        put("etc/peerauth.conf", "");
        expect_refusal(-EINVAL, "etc: ", "no file has a [Rule NAME]");
        put("etc/peerauth.conf", "# nothing but words");
        expect_refusal(-EINVAL, "etc: ", "no file has a [Rule NAME]");
        put("vendor/peerauth.conf", "[Rule a]\nAction=deny\n");
        expect_rules("a:vendor/peerauth.conf ");
}

static void test_higher_levels_come_first(void **unused) {
        (void)unused;
        put("vendor/peerauth.conf", "[Rule v1]\nAction=deny\n[Rule v2]\nAction=deny\n");
        put("etc/peerauth.conf", "[Rule e1]\nAction=deny\n[Rule e2]\nAction=deny\n");
        put("etc/peerauth.conf.d/9-z.conf", "[Rule z1]\nAction=deny\n[Rule z2]\nAction=deny\n");
        put("etc/peerauth.conf.d/10-a.conf", "[Rule a1]\nAction=deny\n");
        expect_rules(
                "z1:etc/peerauth.conf.d/9-z.conf z2:etc/peerauth.conf.d/9-z.conf "
                "a1:etc/peerauth.conf.d/10-a.conf "
                "e1:etc/peerauth.conf e2:etc/peerauth.conf v1:vendor/peerauth.conf v2:vendor/peerauth.conf ");
}

/* A known name takes the place that it has below, with nothing left of the lower rule. */
static void test_a_rule_takes_the_place_of_its_namesake(void **unused) {
        (void)unused;
        Policy *policy;

        put("vendor/peerauth.conf",
            "[Rule cron]\nService=cron\nAction=exempt\n"
            "[Rule default]\nAction=require\nReviewers=peers:2\nAdmins=bosses\nCode=compare\n");
        put("etc/peerauth.conf",
            "[Rule new]\nUser=alice\nAction=deny\n[Rule default]\nAction=require\nReviewers=others\n");
        expect_rules("new:etc/peerauth.conf cron:vendor/peerauth.conf default:etc/peerauth.conf ");
        policy = load();
        assert_int_equal(policy->rules[0].line, 1);
        assert_int_equal(policy->rules[2].line, 4);
        assert_string_equal(policy->rules[2].parts[0].group, "others");
        assert_null(policy->rules[2].admins_group);
        assert_int_equal(policy->rules[2].code, CODE_ENTER);
        expect_names(policy->group_names, "others ");
        policy_unref(policy);

        put("etc/peerauth.conf.d/50.conf", "[Rule cron]\nAction=deny\n[Rule new]\nAction=exempt\n");
        put("etc/peerauth.conf.d/60.conf",
            "[Rule default]\nAction=deny\n[Rule cron]\nService=cron\nAction=exempt\n");
        expect_rules("new:etc/peerauth.conf.d/50.conf cron:etc/peerauth.conf.d/60.conf "
                     "default:etc/peerauth.conf.d/60.conf ");
}

/* One bad file refuses everything, wherever it is. */
static void test_one_bad_file_refuses_the_policy(void **unused) {
        (void)unused;
        static const char *const paths[] = {"vendor/peerauth.conf", "etc/peerauth.conf",
                                            "etc/peerauth.conf.d/50.conf"};

        for (unsigned bad = 0; bad < 3; bad++) {
                char start[64];

                for (unsigned i = 0; i < 3; i++)
                        put(paths[i], i == bad ? "[Rule a]\nAction=nonsense\n" : "[Rule a]\nAction=exempt\n");
                snprintf(start, sizeof(start), "%s:2: Action=", paths[bad]);
                expect_refusal(-EINVAL, start, "nonsense");
        }
}

static void test_names_of_files_are_utf8(void **unused) {
        (void)unused;
        put("etc/peerauth.conf.d/50-\xc3\xa4.conf", "[Rule a]\nAction=deny\n");
        expect_rules("a:etc/peerauth.conf.d/50-\xc3\xa4.conf ");
        put("etc/peerauth.conf.d/60-\xe4.conf", "[Rule b]\nAction=deny\n");
        expect_refusal(-EINVAL, "etc/peerauth.conf.d/60-\\xe4.conf: ", "not UTF-8; rename it");
}

static void append_rules(const char *path, unsigned first, unsigned n) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        for (unsigned i = first; i < first + n; i++)
                fprintf(f, "[Rule r%u]\nAction=deny\n", i);
        assert_int_equal(fclose(f), 0);
}

static void test_number_of_rules(void **unused) {
        (void)unused;
        Policy *policy;

        append_rules("etc/peerauth.conf", 0, 1000);
        policy = load();
        assert_int_equal(policy->n_rules, 1000);
        assert_string_equal(policy->rules[999].name, "r999");
        policy_unref(policy);
        append_rules("vendor/peerauth.conf", 0, 1000); /* the same names */
        policy = load();
        assert_int_equal(policy->n_rules, 1000);
        policy_unref(policy);
        append_rules("etc/peerauth.conf.d/a.conf", 999, 2);
        expect_refusal(-EINVAL, "etc/peerauth.conf.d/a.conf: ", "more than 1000 rules");
        append_rules("vendor/peerauth.conf", 0, 1001);
        expect_refusal(-EINVAL, "vendor/peerauth.conf:2001: ", "more than 1000 rules");
}

static void test_size_of_a_file(void **unused) {
        (void)unused;
        enum { MAX = 256 * 1024 };
        static char text[MAX + 2] = "[Rule a]\nAction=deny\n";
        size_t prefix = strlen(text);

        for (size_t i = prefix; i < MAX; i++)
                text[i] = i % 64 ? '#' : '\n';
        put("etc/peerauth.conf", text);
        expect_rules("a:etc/peerauth.conf ");
        text[MAX] = '\n';
        put("etc/peerauth.conf", text);
        expect_refusal(-EINVAL, "etc/peerauth.conf: ", "larger than 256 KiB");
}

static void test_number_of_drop_ins(void **unused) {
        (void)unused;
        char path[64];

        for (unsigned i = 0; i < 256; i++) {
                snprintf(path, sizeof(path), "etc/peerauth.conf.d/%u.conf", i);
                put(path, "[Rule a]\nAction=deny\n");
        }
        expect_rules("a:etc/peerauth.conf.d/99.conf ");
        put("etc/peerauth.conf.d/one-more.conf", "");
        expect_refusal(-EINVAL, "etc/peerauth.conf.d: ", "more than 256 files");
}

/* ---- which files it was ---- */

/* What sha256sum says of the same bytes. */
static void expect_hash(const char *printf_arguments) {
        char command[512], expected[65] = "";
        Policy *policy = load();
        FILE *f;

        snprintf(command, sizeof(command), "printf %s | sha256sum", printf_arguments);
        f = popen(command, "re");
        assert_non_null(f);
        assert_int_equal(fread(expected, 1, 64, f), 64);
        assert_int_equal(pclose(f), 0);
        assert_string_equal(policy->hash, expected);
        policy_unref(policy);
}

static void test_hash(void **unused) {
        (void)unused;
        put("etc/peerauth.conf", "[Rule a]\nAction=deny\n");
        expect_hash("'etc/peerauth.conf\\00021\\000[Rule a]\\nAction=deny\\n'");
        /* Comments count, since a person reads them. */
        put("etc/peerauth.conf", "# x\n[Rule a]\nAction=deny\n");
        expect_hash("'etc/peerauth.conf\\00025\\000# x\\n[Rule a]\\nAction=deny\\n'");
        put("vendor/peerauth.conf", "");
        put("etc/peerauth.conf.d/b.conf", "#");
        put("etc/peerauth.conf.d/a.conf", "[Rule b]\nAction=deny");
        expect_hash("'vendor/peerauth.conf\\0000\\000"
                    "etc/peerauth.conf\\00025\\000# x\\n[Rule a]\\nAction=deny\\n"
                    "etc/peerauth.conf.d/a.conf\\00020\\000[Rule b]\\nAction=deny"
                    "etc/peerauth.conf.d/b.conf\\0001\\000#'");
}

/* ---- who could have written it (attack A3) ---- */

static void require_root(void) {
        if (geteuid() != 0) {
                print_message("skipped: only root can make files that are root's, and then not\n");
                skip();
        }
}

static void test_permissions(void **unused) {
        (void)unused;
        static const struct {
                const char *path;
                mode_t mode;
                const char *part; /* NULL: accepted */
        } table[] = {
                {"etc/peerauth.conf", 0400, NULL},
                {"etc/peerauth.conf", 0644, NULL},
                {"etc/peerauth.conf", 0755, NULL},
                {"etc/peerauth.conf", 0664, "writable for its group (mode 0664); chmod go-w it"},
                {"etc/peerauth.conf", 0646, "writable for everybody (mode 0646)"},
                {"etc/peerauth.conf", 0666, "writable for everybody"},
                {"etc/peerauth.conf.d/a.conf", 0620, "writable for its group"},
                {"vendor/peerauth.conf", 0602, "writable for everybody"},
                {"etc", 0775, "writable for its group"},
                {"vendor", 0757, "writable for everybody"},
                {"etc/peerauth.conf.d", 0775, "writable for its group"},
                {"etc/peerauth.conf.d", 01777, "writable for everybody (mode 1777)"},
        };

        require_root();
        put("etc/peerauth.conf", "[Rule a]\nAction=deny\n");
        put("vendor/peerauth.conf", "[Rule a]\nAction=deny\n");
        put("etc/peerauth.conf.d/a.conf", "[Rule a]\nAction=deny\n");
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct stat st;

                assert_int_equal(stat(table[i].path, &st), 0);
                assert_int_equal(chmod(table[i].path, table[i].mode), 0);
                if (table[i].part)
                        expect_distrust(table[i].path, table[i].part);
                else
                        policy_unref(load());
                assert_int_equal(chmod(table[i].path, st.st_mode & 07777), 0);
        }
}

static void test_owner(void **unused) {
        (void)unused;
        static const char *const paths[] = {"etc/peerauth.conf", "etc/peerauth.conf.d/a.conf",
                                            "etc/peerauth.conf.d", "etc", "vendor"};

        require_root();
        put("etc/peerauth.conf", "[Rule a]\nAction=deny\n");
        put("etc/peerauth.conf.d/a.conf", "[Rule a]\nAction=deny\n");
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                assert_int_equal(chown(paths[i], 65534, 0), 0);
                expect_distrust(paths[i], "owned by uid 65534; chown it to root");
                assert_int_equal(chown(paths[i], 0, 0), 0);
        }
}

static void test_symbolic_links(void **unused) {
        (void)unused;
        put("real.conf", "[Rule a]\nAction=deny\n");
        assert_int_equal(symlink("../real.conf", "etc/peerauth.conf"), 0);
        expect_distrust("etc/peerauth.conf", "a symbolic link");
        assert_int_equal(unlink("etc/peerauth.conf"), 0);
        assert_int_equal(symlink("nowhere", "etc/peerauth.conf.d/a.conf"), 0); /* dangling is not absent */
        expect_distrust("etc/peerauth.conf.d/a.conf", "a symbolic link");
        assert_int_equal(unlink("etc/peerauth.conf.d/a.conf"), 0);
        assert_int_equal(rename("etc/peerauth.conf.d", "elsewhere"), 0);
        assert_int_equal(symlink("../elsewhere", "etc/peerauth.conf.d"), 0);
        expect_distrust("etc/peerauth.conf.d", "a symbolic link");
        assert_int_equal(rename("vendor", "vendor2"), 0);
        assert_int_equal(symlink("vendor2", "vendor"), 0);
        expect_distrust("vendor", "a symbolic link");
}

static void test_other_kinds_of_files(void **unused) {
        (void)unused;
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "etc/peerauth.conf"};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(mkfifo("etc/peerauth.conf", 0644), 0); /* must not wait for a writer */
        expect_distrust("etc/peerauth.conf", "not a regular file");
        assert_int_equal(unlink("etc/peerauth.conf"), 0);
        assert_int_equal(mkdir("etc/peerauth.conf", 0755), 0);
        expect_distrust("etc/peerauth.conf", "not a regular file");
        assert_int_equal(rmdir("etc/peerauth.conf"), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        expect_distrust("etc/peerauth.conf", "not a regular file");
        assert_int_equal(close(fd), 0);
        assert_int_equal(unlink("etc/peerauth.conf"), 0);
        assert_int_equal(rmdir("etc/peerauth.conf.d"), 0);
        put("etc/peerauth.conf.d", "[Rule a]\nAction=deny\n");
        expect_distrust("etc/peerauth.conf.d", "not a folder");
}

static void test_device(void **unused) {
        (void)unused;
        require_root();
        if (mknod("etc/peerauth.conf", S_IFCHR | 0644, (1U << 8) | 3) < 0) { /* /dev/null */
                print_message("skipped: %s\n", strerror(errno));
                skip();
        }
        expect_distrust("etc/peerauth.conf", "");
}

static void test_names_of_files_are_shown_safely(void **unused) {
        (void)unused;
        put("etc/peerauth.conf.d/\x1b[2J.conf", "x\n");
        expect_refusal(-EINVAL, "etc/peerauth.conf.d/\\x1b[2J.conf:1: ", "'x' is neither");
}

static void test_no_descriptor_is_left_open(void **unused) {
        (void)unused;
        int before = dup(0), after;

        close(before);
        put("etc/peerauth.conf", "[Rule a]\nAction=deny\n");
        put("etc/peerauth.conf.d/a.conf", "[Rule a]\nAction=deny\n");
        policy_unref(load());
        put("etc/peerauth.conf.d/a.conf", "nonsense\n");
        expect_refusal(-EINVAL, "etc/peerauth.conf.d/a.conf:1: ", "nonsense");
        after = dup(0);
        close(after);
        assert_int_equal(before, after);
}

/* ---- what is shipped ---- */

static const PolicyRule *decide(const Policy *policy, const char *service, const char *user) {
        PolicyQuery query = {.service = service, .user = user};

        return policy_decide(policy, &query).rule;
}

/* The file that is installed, found beside this source. */
static void test_vendor_rules(void **state) {
        static const char *const held[] = {
                "sshd",          "login",   "su",   "su-l",  "sudo",         "sudo-i", "gdm-password",
                "gdm-autologin", "lightdm", "sddm", "other", "xscreensaver", "remote", "lightdm-autologin"};
        static const char *const exempt[] = {"cron",         "crond",   "atd",       "cups", "polkit-1",
                                             "systemd-user", "runuser", "runuser-l", "chsh", "chfn",
                                             "chpasswd",     "passwd",  "newusers"};
        const char *source = getenv("PEERAUTH_SOURCE");
        char command[512];
        Policy *policy;
        const PolicyRule *rule;

        (void)state;
        snprintf(command, sizeof(command),
                 "cp '%s/packaging/peerauth.conf' vendor/ && chmod 0644 vendor/peerauth.conf", source);
        assert_int_equal(system(command), 0);
        if (geteuid() != 0)
                require_root();
        policy = load();
        for (size_t i = 0; i < sizeof(exempt) / sizeof(exempt[0]); i++)
                assert_int_equal(decide(policy, exempt[i], "alice")->action, POLICY_EXEMPT);
        assert_int_equal(decide(policy, "gdm-launch-environment", "Debian-gdm")->action, POLICY_EXEMPT);
        assert_int_equal(decide(policy, "gdm-launch-environment", "alice")->action, POLICY_REQUIRE);
        for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
                rule = decide(policy, held[i], "root");
                assert_string_equal(rule->name, "default");
                assert_int_equal(rule->action, POLICY_REQUIRE);
                assert_int_equal(rule->quorum.n_alternatives, 1);
                assert_int_equal(rule->quorum.n_first, 1);
                assert_int_equal(rule->quorum.n_parts, 1);
                assert_string_equal(rule->parts[0].group, "peerauth-reviewers");
                assert_int_equal(rule->quorum.needed[0], 2);
                assert_string_equal(rule->admins_group, "peerauth-admins");
                assert_int_equal(rule->code, CODE_ENTER);
                assert_int_equal(rule->expires_usec, 300000000);
                assert_false(rule->remote_reviewers);
        }
        policy_unref(policy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_no_file_at_all),
                TEST(test_no_rule_at_all),
                TEST(test_higher_levels_come_first),
                TEST(test_a_rule_takes_the_place_of_its_namesake),
                TEST(test_one_bad_file_refuses_the_policy),
                TEST(test_names_of_files_are_utf8),
                TEST(test_number_of_rules),
                TEST(test_size_of_a_file),
                TEST(test_number_of_drop_ins),
                TEST(test_hash),
                TEST(test_permissions),
                TEST(test_owner),
                TEST(test_symbolic_links),
                TEST(test_other_kinds_of_files),
                TEST(test_device),
                TEST(test_names_of_files_are_shown_safely),
                TEST(test_no_descriptor_is_left_open),
                TEST(test_vendor_rules),
        };
        char *source = getcwd(NULL, 0); /* make starts every test in the source folder */
        int r;

        assert_int_equal(setenv("PEERAUTH_SOURCE", source, 1), 0);
        (void)umask(022);
        r = cmocka_run_group_tests(tests, NULL, NULL);
        free(source);
        return r;
}
