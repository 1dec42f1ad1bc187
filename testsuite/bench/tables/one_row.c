/* One row at a time through a shared library of a peer: CPU nanoseconds of a row.
 *
 *     one_row LIBRARY lleaves|tl2cgen DATA FEATURES ROWS ROUNDS
 *
 * DATA is row-major f64. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

union entry {
    int missing;
    double fvalue;
    int qvalue;
};

typedef void (*lleaves_root)(const double *data, double *out, int start, int end);
typedef void (*tl2cgen_predict)(union entry *data, int margin, double *out);

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int lleaves = strcmp(argv[2], "lleaves") == 0;
    int features = atoi(argv[4]), rows = atoi(argv[5]), rounds = atoi(argv[6]);
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    void *symbol = dlsym(library, lleaves ? "forest_root" : "predict");
    if (!symbol) return fprintf(stderr, "%s\n", dlerror()), 1;
    double *data = malloc(sizeof(double) * features * rows);
    FILE *file = fopen(argv[3], "rb");
    if (!data || !file || fread(data, sizeof(double) * features, rows, file) != (size_t)rows) return 1;
    double sum = 0, out;
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < rows; i++) {
            out = 0;
            if (lleaves) {
                ((lleaves_root)symbol)(data + (size_t)i * features, &out, 0, 1);
            } else {
                /* A double and an entry are of one size, and no value is missing. */
                ((tl2cgen_predict)symbol)((union entry *)(data + (size_t)i * features), 0, &out);
            }
            sum += out;
        }
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double ns = (after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec);
    printf("%f %f\n", ns / rounds / rows, sum / rounds / rows);
    return 0;
}
