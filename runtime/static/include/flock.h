/* The runtime of compiled Flock pipelines: `cargo xtask header` writes this from its source. */

#ifndef FLOCK_H
#define FLOCK_H

#include <stddef.h>
#include <stdint.h>

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

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

#endif

typedef struct ArrowSchema ArrowSchema;
typedef struct ArrowArray ArrowArray;

/**
 * A compiled pipeline: read-only data of an object file.
 */
typedef struct FlockProgram FlockProgram;


/**
 * What an entry returns, and what the C functions of this library return.
 */
enum FlockStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done.
   */
  FLOCK_STATUS_OK = 0,
  /**
   * A column is absent, there twice, or of a type that the input cannot be made of.
   */
  FLOCK_STATUS_SCHEMA = 1,
  /**
   * A length, an offset or a count is negative, overflows, or does not fit the others.
   */
  FLOCK_STATUS_LENGTH = 2,
  /**
   * A null where none is allowed.
   */
  FLOCK_STATUS_NULL = 3,
  /**
   * Memory cannot be had, or text outgrows 2 GiB in one batch.
   */
  FLOCK_STATUS_MEMORY = 4,
  /**
   * A null pointer where there must be a structure or a buffer, or a structure that was released.
   */
  FLOCK_STATUS_ARGUMENT = 5,
  /**
   * A buffer is not aligned to its elements.
   */
  FLOCK_STATUS_ALIGNMENT = 6,
  /**
   * The program is of another version of this library, or damaged.
   */
  FLOCK_STATUS_VERSION = 7,
  /**
   * A fault of this library; nothing was written.
   */
  FLOCK_STATUS_INTERNAL = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum FlockStatus FlockStatus;
#else
typedef int32_t FlockStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A program with the memory to score one row after the other; for one thread at a time.
 */
typedef struct FlockRow FlockRow;

/**
 * A text element within a block: `len` bytes of UTF-8 at `ptr`, borrowed from an input, a constant or the arena.
 * 16 bytes; `ptr` is never null within a block, also where `len` is 0. In a row of the C ABI a null `ptr` is a missing text.
 */
typedef struct FlockStr {
  /**
   * The bytes.
   */
  const uint8_t *ptr;
  /**
   * Their number.
   */
  size_t len;
} FlockStr;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What the last call on this thread that gave a status other than 0 found, one fault a line: the place (a column's name,
 * or `batch`), and what was found against what was expected. UTF-8, never null; valid until the next call on this thread.
 */
const char *flock_message(void);

/**
 * Scores a batch: a record batch as a struct array, its columns bound to the inputs by name; others are ignored.
 *
 * The batch stays the caller's: it is read where it lies, and not released. `out` and `out_schema` become a struct array of
 * as many rows with a column per output, which the caller releases; with a status other than 0 they are not touched.
 * `threads` is how many threads may score at once, this one included; 0 is as many as there are processors. The result does
 * not depend on it.
 *
 * Columns may be: all integers (`c C s S i I l L`), floats (`f g`) and truth values (`b`) where a number is expected, integers and
 * truth values for i64, truth values for bool; text (`u U vu`), also by a dictionary with any integers as indices; nulls (`n`).
 *
 * # Errors
 * A [`FlockStatus`], and all faults of the batch in [`flock_message`].
 * # Safety
 * Pointers are null or to what their types say; the program is one that flockc compiled, and stays as it is for as long as the
 * process lives; buffers of the batch are as long as the Arrow format says for its lengths.
 */
int32_t flock_batch(const FlockProgram *program,
                    const ArrowArray *batch,
                    const ArrowSchema *schema,
                    uint32_t threads,
                    ArrowArray *out,
                    ArrowSchema *out_schema);

/**
 * Makes the memory for single rows of a program.
 *
 * # Errors
 * A [`FlockStatus`].
 * # Safety
 * As for [`flock_batch`].
 */
int32_t flock_row_new(const FlockProgram *program, struct FlockRow **row);

/**
 * Scores one row. `input` and `output` are the structures that flockc writes for the program, `struct NAME_input` and
 * `struct NAME_output`. Text of the output is valid until the next call with this `row`, or until it is freed. Nothing is
 * allocated, unless new text is made.
 *
 * # Errors
 * A [`FlockStatus`]; what the output holds then is not defined.
 * # Safety
 * `row` is from [`flock_row_new`], not freed, and used by no other thread now; texts of the input are as long as they say.
 */
int32_t flock_row(struct FlockRow *row,
                  const void *input,
                  void *output);

/**
 * Frees the memory for single rows; null is nothing to free.
 * # Safety
 * `row` is from [`flock_row_new`], freed once, and used by no other thread now.
 */
void flock_row_free(struct FlockRow *row);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLOCK_H */
