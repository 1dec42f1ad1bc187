/* What the C programs of the tests share: arrays of the C Data Interface from plain memory, and printing. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void keep_array(struct ArrowArray *array) { array->release = NULL; }
static inline void keep_schema(struct ArrowSchema *schema) { schema->release = NULL; }

/* A column of memory that the test keeps. `buffers` has three. */
static inline void make_column(struct ArrowArray *array, struct ArrowSchema *schema, const char *name, const char *format,
                               int64_t length, int64_t n_buffers, const void **buffers) {
  memset(array, 0, sizeof *array);
  memset(schema, 0, sizeof *schema);
  schema->format = format;
  schema->name = name;
  schema->flags = 2;
  schema->release = keep_schema;
  array->length = length;
  array->null_count = n_buffers && buffers[0] ? -1 : 0;
  array->n_buffers = n_buffers;
  array->buffers = buffers;
  array->release = keep_array;
}

static inline void make_batch(struct ArrowArray *array, struct ArrowSchema *schema, int64_t length, int64_t n,
                              struct ArrowArray **arrays, struct ArrowSchema **schemas) {
  static const void *none[3];
  make_column(array, schema, "", "+s", length, 1, none);
  array->n_children = schema->n_children = n;
  array->children = arrays;
  schema->children = schemas;
}

static inline void print_null(const char *tag, int column, int64_t row) { printf("%s %d %" PRId64 " null\n", tag, column, row); }

static inline void print_double(const char *tag, int column, int64_t row, double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  printf("%s %d %" PRId64 " f%016" PRIx64 "\n", tag, column, row, bits);
}

static inline void print_int(const char *tag, int column, int64_t row, int64_t x) {
  printf("%s %d %" PRId64 " i%" PRId64 "\n", tag, column, row, x);
}

static inline void print_text(const char *tag, int column, int64_t row, const uint8_t *at, size_t n) {
  printf("%s %d %" PRId64 " s", tag, column, row);
  for (size_t i = 0; i < n; i++) printf("%02x", at[i]);
  printf("\n");
}

/* A result as the interface gives it. */
static inline void print_batch(const char *tag, const struct ArrowArray *array, const struct ArrowSchema *schema) {
  for (int64_t c = 0; c < array->n_children; c++) {
    const struct ArrowArray *a = array->children[c];
    const uint8_t *valid = a->buffers[0];
    for (int64_t i = 0; i < a->length; i++) {
      int64_t at = i + a->offset;
      if (valid && !(valid[at / 8] >> (at % 8) & 1)) {
        print_null(tag, (int)c, i);
        continue;
      }
      switch (*schema->children[c]->format) {
        case 'g': print_double(tag, (int)c, i, ((const double *)a->buffers[1])[at]); break;
        case 'f': print_double(tag, (int)c, i, ((const float *)a->buffers[1])[at]); break;
        case 'l': print_int(tag, (int)c, i, ((const int64_t *)a->buffers[1])[at]); break;
        case 'b': print_int(tag, (int)c, i, ((const uint8_t *)a->buffers[1])[at / 8] >> (at % 8) & 1); break;
        case 'u': {
          const int32_t *ends = a->buffers[1];
          print_text(tag, (int)c, i, (const uint8_t *)a->buffers[2] + ends[at], (size_t)(ends[at + 1] - ends[at]));
          break;
        }
        default: exit(9);
      }
    }
  }
}
