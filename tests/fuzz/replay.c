/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target once for each file it is given, so that seeds and found crashes are tests of every
 * build. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { SEED_MAX = 1024 * 1024 };

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                FILE *f = fopen(argv[i], "re");
                uint8_t *data = malloc(SEED_MAX), *exact;
                size_t size;

                if (!f || !data) {
                        fprintf(stderr, "%s: cannot be read\n", argv[i]);
                        return 1;
                }
                size = fread(data, 1, SEED_MAX, f);
                fclose(f);
                exact = realloc(data, size ? size : 1); /* so that a sanitizer sees a read behind the end */
                printf("%s\n", argv[i]);
                fflush(stdout);
                LLVMFuzzerTestOneInput(exact, size);
                free(exact);
        }
        printf("%d passed, 0 failed, 0 skipped\n", argc - 1);
        return argc > 1 ? 0 : 1;
}
