/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of one figure, and the line "name value" that tests/bench/report reads. Times are microseconds. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLE_MAX = 4096 };

typedef struct Sample {
        double values[SAMPLE_MAX];
        size_t n;
} Sample;

static inline double sample_now(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static inline void sample_add(Sample *sample, double value) {
        if (sample->n < SAMPLE_MAX)
                sample->values[sample->n++] = value;
}

static inline int sample_compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* The value below which `share` of the samples lie; 0 for no samples. */
static inline double sample_quantile(Sample *sample, double share) {
        size_t rank = (size_t)(share * (double)(sample->n ? sample->n - 1 : 0) + 0.5);

        qsort(sample->values, sample->n, sizeof(double), sample_compare);
        return sample->n ? sample->values[rank] : 0;
}

static inline void sample_report(Sample *sample, const char *name) {
        printf("%s_p50 %.1f\n", name, sample_quantile(sample, 0.50));
        printf("%s_p99 %.1f\n", name, sample_quantile(sample, 0.99));
        fflush(stdout);
}
