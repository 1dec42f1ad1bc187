/* The runtime of compiled Flock pipelines. Written from runtime/static by the test `header`; see runtime/static/src/lib.rs. */

#ifndef FLOCK_H
#define FLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef struct FlockProgram FlockProgram;

typedef enum FlockStatus {
  FLOCK_OK = 0,
  FLOCK_SCHEMA = 1,
  FLOCK_LENGTH = 2,
  FLOCK_NULL = 3,
  FLOCK_MEMORY = 4,
  FLOCK_ARGUMENT = 5,
  FLOCK_ALIGNMENT = 6,
  FLOCK_VERSION = 7,
  FLOCK_INTERNAL = 8,
} FlockStatus;

typedef struct FlockRow FlockRow;

typedef struct FlockStr {
  const uint8_t *ptr;
  size_t len;
} FlockStr;

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

#ifdef __cplusplus
extern "C" {
#endif
const char *flock_message(void);
int32_t flock_batch(const FlockProgram *program, const struct ArrowArray *batch, const struct ArrowSchema *schema,
                    uint32_t threads, struct ArrowArray *out, struct ArrowSchema *out_schema);
int32_t flock_row_new(const FlockProgram *program, FlockRow **row);
int32_t flock_row(FlockRow *row, const void *input, void *output);
void flock_row_free(FlockRow *row);
#ifdef __cplusplus
}
#endif

#endif
