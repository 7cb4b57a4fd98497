/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cli/qr.c draws, photographed pixel by pixel and read by an independent decoder (zbarimg). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/qr.h"
#include "common/crypto.h"
#include "common/totp.h"

enum { SIDE_MAX = 200, PIXELS = 4 }; /* characters on a side; pixels on the side of a module */

static const QrPlace wide = {.columns = 200, .rows = 100, .colour = true, .blocks = true};
static const char secret[] = "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ";

static char *print(const QrPlace *place, const char *text, int expected) {
        char *written = NULL;
        size_t size;
        FILE *out = open_memstream(&written, &size);

        assert_non_null(out);
        assert_int_equal(qr_print(out, place, text, secret), expected);
        assert_int_equal(fclose(out), 0);
        return written;
}

/* The modules of a picture, one byte each: 1 is light. Every line must have the same width. */
typedef struct Picture {
        unsigned columns, rows; /* of characters */
        unsigned char light[2 * SIDE_MAX][SIDE_MAX];
} Picture;

static const char *take(const char *text, const char *expected) {
        if (strncmp(text, expected, strlen(expected)) != 0)
                fail_msg("'%.12s' where '%s' should be", text, expected);
        return text + strlen(expected);
}

static const char *look_at_character(const char *text, unsigned char *upper, unsigned char *lower) {
        static const struct {
                const char *text;
                unsigned char upper, lower;
        } characters[] = {
                {" ", 0, 0}, {"\xe2\x96\x84", 0, 1}, {"\xe2\x96\x80", 1, 0}, {"\xe2\x96\x88", 1, 1}};

        for (unsigned i = 0; i < 4; i++)
                if (strncmp(text, characters[i].text, strlen(characters[i].text)) == 0) {
                        *upper = characters[i].upper;
                        *lower = characters[i].lower;
                        return text + strlen(characters[i].text);
                }
        fail_msg("'%.12s' is no half block", text);
        return NULL;
}

static void look_at(const char *text, bool colour, Picture *picture) {
        *picture = (Picture){0};
        while (*text) {
                unsigned x = 0, y = 2 * picture->rows++;

                assert_true(picture->rows <= SIDE_MAX);
                if (colour)
                        text = take(text, "\033[40;37;1m");
                while (*text != '\n' && *text != '\033') {
                        assert_true(x < SIDE_MAX);
                        text = look_at_character(text, &picture->light[y][x], &picture->light[y + 1][x]);
                        x++;
                }
                text = take(text, colour ? "\033[0m\n" : "\n");
                if (y == 0)
                        picture->columns = x;
                assert_int_equal(x, picture->columns);
        }
}

/* A photograph with black around it, as the terminal is. */
static void photograph(const Picture *picture, const char *path) {
        unsigned width = (picture->columns + 8) * PIXELS, height = (2 * picture->rows + 8) * PIXELS;
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        (void)fprintf(file, "P5\n%u %u\n255\n", width, height);
        for (unsigned y = 0; y < height; y++)
                for (unsigned x = 0; x < width; x++) {
                        unsigned column = x / PIXELS, row = y / PIXELS;
                        bool inside = column >= 4 && column < picture->columns + 4 && row >= 4 &&
                                      row < 2 * picture->rows + 4;

                        (void)fputc(inside && picture->light[row - 4][column - 4] ? 255 : 0, file);
                }
        assert_int_equal(fclose(file), 0);
}

static void assert_reads(const char *drawn, bool colour, const char *expected) {
        char path[] = "/tmp/test_qr.XXXXXX", command[100], line[2000];
        static Picture picture;
        FILE *reader;
        int fd;

        look_at(drawn, colour, &picture);
        fd = mkstemp(path);
        assert_true(fd >= 0);
        (void)close(fd);
        photograph(&picture, path);
        (void)snprintf(command, sizeof(command),
                       "zbarimg --nodbus --quiet --raw -Sdisable -Sqrcode.enable pnm:%s", path);
        reader = popen(command, "re");
        assert_non_null(reader);
        line[fread(line, 1, sizeof(line) - 1, reader)] = '\0';
        if (pclose(reader) != 0)
                fail_msg("zbarimg (package zbar-tools) found no code");
        (void)unlink(path);
        line[strcspn(line, "\n")] = '\0';
        assert_string_equal(line, expected);
}

static void a_decoder_reads_it(void **state) {
        static const char *const names[][2] = {
                {"ws1", "alice"},
                {"a.rather.long.name.of.a.workstation.example", "j\xc3\xbcrgen"},
                {"\x1b[2J&#", "x&secret=AAAA:"}};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                for (unsigned colour = 0; colour < 2; colour++) {
                        QrPlace place = wide;
                        char uri[TOTP_URI_SIZE], *drawn;
                        TotpSecret random;

                        place.colour = colour;
                        totp_secret_generate(&random);
                        assert_int_equal(totp_uri(&random, names[i][0], names[i][1], uri), 0);
                        drawn = print(&place, uri, 0);
                        assert_reads(drawn, colour, uri);
                        assert_null(strstr(drawn, "GEZD"));
                        free(drawn);
                }
}

/* ISO/IEC 18004: 78 bytes fit version 4 at level L, which has 33 modules on a side; 4 more all around. */
static void size_and_quiet_zone(void **state) {
        static Picture picture;
        char text[79], *drawn;

        (void)state;
        memset(text, 'a', 78);
        text[78] = '\0';
        drawn = print(&wide, text, 0);
        look_at(drawn, true, &picture);
        free(drawn);
        assert_int_equal(picture.columns, 33 + 8);
        assert_int_equal(picture.rows, 21);
        for (unsigned y = 0; y < 41; y++)
                for (unsigned x = 0; x < 41; x++)
                        if (x < 4 || x >= 37 || y < 4 || y >= 37)
                                assert_int_equal(picture.light[y][x], 1);
        for (unsigned i = 0; i < 7; i++) { /* the three finder patterns' outer edges are dark */
                assert_int_equal(picture.light[4][4 + i], 0);
                assert_int_equal(picture.light[4][36 - i], 0);
                assert_int_equal(picture.light[36][4 + i], 0);
        }
}

/* An ordinary name on the smallest of usual terminals. */
static void fits_80_by_24(void **state) {
        static const QrPlace usual = {.columns = 80, .rows = 24, .colour = true, .blocks = true};
        TotpSecret zero = {0};
        char uri[TOTP_URI_SIZE];

        (void)state;
        assert_int_equal(totp_uri(&zero, "workstation12", "alice.smith", uri), 0);
        free(print(&usual, uri, 0));
}

static void too_small_gives_the_text(void **state) {
        QrPlace place = {.columns = 41, .rows = 22, .colour = true, .blocks = true};
        char text[79], *written;

        (void)state;
        memset(text, 'a', 78);
        text[78] = '\0';
        free(print(&place, text, 0));
        place.columns = 40;
        written = print(&place, text, 1);
        assert_string_equal(written, "A QR code needs 41 columns and 22 lines; this terminal has 40 and 22.\n"
                                     "Type this into the app: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n");
        free(written);
        place.columns = 41;
        place.rows = 21;
        written = print(&place, text, 1);
        assert_string_equal(written, "A QR code needs 41 columns and 22 lines; this terminal has 41 and 21.\n"
                                     "Type this into the app: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n");
        free(written);
}

static void nowhere_to_draw_gives_the_text(void **state) {
        static const char line[] = "Type this into the app: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n";
        char long_text[4000], *written;
        QrPlace place = {0};

        (void)state;
        written = print(&place, "a", 1); /* no terminal */
        assert_string_equal(written, line);
        free(written);
        place = wide;
        place.blocks = false;
        written = print(&place, "a", 1);
        assert_string_equal(written, line);
        free(written);
        memset(long_text, 'a', sizeof(long_text) - 1); /* more than any QR code holds */
        long_text[sizeof(long_text) - 1] = '\0';
        written = print(&wide, long_text, 1);
        assert_string_equal(written, line);
        free(written);
}

static void a_file_is_no_place(void **state) {
        QrPlace place = wide;
        FILE *file = tmpfile();

        (void)state;
        assert_non_null(file);
        qr_place(fileno(file), &place);
        assert_int_equal(place.columns, 0);
        assert_int_equal(place.rows, 0);
        assert_false(place.colour);
        assert_false(place.blocks);
        (void)fclose(file);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_decoder_reads_it),
                cmocka_unit_test(size_and_quiet_zone),
                cmocka_unit_test(fits_80_by_24),
                cmocka_unit_test(too_small_gives_the_text),
                cmocka_unit_test(nowhere_to_draw_gives_the_text),
                cmocka_unit_test(a_file_is_no_place),
        };

        if (crypto_init() < 0 || totp_init() < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
