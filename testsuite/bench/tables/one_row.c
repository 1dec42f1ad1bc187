/* One row at a time through a shared library, ours or a peer's: CPU and wall nanoseconds of a row, and the mean answer.
 *
 *     one_row LIBRARY flock|lleaves|tl2cgen DATA FEATURES ROWS ROUNDS
 *
 * DATA is row-major f64. A compiled pipeline has its functions' names from its file's, FOLDER/NAME.so, and reads a row as a
 * structure of as many doubles; of a missing answer it says so behind its double. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct answer {
    double value;
    unsigned char missing[8];
};

typedef int (*flock_new)(void **row);
typedef int (*flock_score)(void *row, const void *input, void *output);
typedef void (*lleaves_root)(const double *data, double *out, int start, int end);
/* A row of double or float, whichever get_threshold_type says; an entry of its union is of that size, and no value is missing. */
typedef void (*tl2cgen_predict)(void *data, int margin, void *out);
typedef const char *(*tl2cgen_type)(void);

static void *named(void *library, const char *path, const char *suffix) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char symbol[256];
    snprintf(symbol, sizeof symbol, "%.*s%s", (int)strcspn(name, "."), name, suffix);
    return dlsym(library, symbol);
}

static double since(clockid_t clock, const struct timespec *before) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (now.tv_sec - before->tv_sec) * 1e9 + (now.tv_nsec - before->tv_nsec);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int flock = strcmp(argv[2], "flock") == 0, lleaves = strcmp(argv[2], "lleaves") == 0;
    int features = atoi(argv[4]), rows = atoi(argv[5]), rounds = atoi(argv[6]);
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    void *symbol = flock ? named(library, argv[1], "_row") : dlsym(library, lleaves ? "forest_root" : "predict");
    if (!symbol) return fprintf(stderr, "%s\n", dlerror()), 1;
    void *row = NULL;
    if (flock) {
        flock_new make = (flock_new)named(library, argv[1], "_row_new");
        if (!make || make(&row) != 0) return fprintf(stderr, "no rows of this library can be scored\n"), 1;
    }
    double *data = malloc(sizeof(double) * features * rows);
    FILE *file = fopen(argv[3], "rb");
    if (!data || !file || fread(data, sizeof(double) * features, rows, file) != (size_t)rows) return 1;
    tl2cgen_type type = (tl2cgen_type)dlsym(library, "get_threshold_type");
    int single = type && strcmp(type(), "float32") == 0;
    float *singles = malloc(sizeof(float) * features * rows), single_out;
    if (!singles) return 1;
    for (int i = 0; i < features * rows; i++) singles[i] = (float)data[i];
    double sum = 0;
    struct answer out;
    struct timespec cpu, wall;
    clock_gettime(CLOCK_MONOTONIC, &wall);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < rows; i++) {
            double *x = data + (size_t)i * features;
            out.value = 0;
            if (flock) {
                if (((flock_score)symbol)(row, x, &out) != 0) return 1;
            } else if (lleaves) {
                ((lleaves_root)symbol)(x, &out.value, 0, 1);
            } else if (single) {
                single_out = 0;
                ((tl2cgen_predict)symbol)(singles + (size_t)i * features, 0, &single_out);
                out.value = single_out;
            } else {
                ((tl2cgen_predict)symbol)(x, 0, &out.value);
            }
            sum += out.value;
        }
    }
    double scored = (double)rounds * rows;
    printf("%f %f", since(CLOCK_PROCESS_CPUTIME_ID, &cpu) / scored, since(CLOCK_MONOTONIC, &wall) / scored);
    printf(" %.12f\n", sum / scored);
    return 0;
}
