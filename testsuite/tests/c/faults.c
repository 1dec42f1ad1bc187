/* Bad batches and bad rows, each with the status and the words that it must give. Prints a line for each that does. */
#include "score.h"
#include "support.h"

enum { ROWS = 3, COLUMNS = 5, TEXT = 4 };

static const char *const NAMES[COLUMNS] = {"select", "order by", "a \"b\"", "gr\303\266\303\237e, cm", "it's"};

/* A good batch: four columns of doubles and one of text, with a value that no library has to keep. */
typedef struct {
  struct ArrowArray batch, columns[COLUMNS], values, *children[COLUMNS + 1];
  struct ArrowSchema schema, fields[COLUMNS], value_type, *types[COLUMNS + 1];
  double numbers[4][ROWS + 1];
  int32_t ends[ROWS + 1];
  int64_t long_ends[ROWS + 1], lengths[1];
  int8_t codes[ROWS];
  uint64_t views[2 * ROWS];
  uint8_t valid[8];
  const void *buffers[COLUMNS][4], *value_buffers[3];
} Batch;

static void good(Batch *b) {
  memset(b, 0, sizeof *b);
  memset(b->valid, 0xff, sizeof b->valid);
  for (int c = 0; c < COLUMNS; c++) {
    if (c != TEXT) {
      b->buffers[c][1] = b->numbers[c];
      make_column(&b->columns[c], &b->fields[c], NAMES[c], "g", ROWS, 2, b->buffers[c]);
    } else {
      b->ends[1] = 1;
      b->ends[2] = b->ends[3] = 2;
      b->buffers[c][1] = b->ends;
      b->buffers[c][2] = "ab";
      make_column(&b->columns[c], &b->fields[c], NAMES[c], "u", ROWS, 3, b->buffers[c]);
    }
    b->children[c] = &b->columns[c];
    b->types[c] = &b->fields[c];
  }
  make_batch(&b->batch, &b->schema, ROWS, COLUMNS, b->children, b->types);
}

/* The text column as a dictionary. */
static void dictionary(Batch *b) {
  for (int i = 0; i < 3; i++) b->value_buffers[i] = b->buffers[TEXT][i];
  make_column(&b->values, &b->value_type, "", "u", ROWS, 3, b->value_buffers);
  b->columns[TEXT].dictionary = &b->values;
  b->fields[TEXT].dictionary = &b->value_type;
  b->fields[TEXT].format = "c";
  b->columns[TEXT].n_buffers = 2;
  b->buffers[TEXT][1] = b->codes;
}

/* The text column by views, with one buffer of 20 bytes. */
static void views(Batch *b) {
  b->fields[TEXT].format = "vu";
  b->columns[TEXT].n_buffers = 4;
  b->lengths[0] = 20;
  b->buffers[TEXT][1] = b->views;
  b->buffers[TEXT][2] = "a text of 20 letters";
  b->buffers[TEXT][3] = b->lengths;
}

#define FIRST b->columns[0]
#define BATCH b->batch

/* Status, words of the message, and what makes the good batch that. */
#define CASES(X)                                                                                        \
  X(FLOCK_STATUS_OK, "", (void)b)                                                                              \
  X(FLOCK_STATUS_OK, "", { dictionary(b); })                                                                   \
  X(FLOCK_STATUS_OK, "", { dictionary(b); b->codes[0] = -1; b->codes[1] = 100; })                              \
  X(FLOCK_STATUS_OK, "", { views(b); })                                                                        \
  X(FLOCK_STATUS_OK, "", { views(b); b->views[0] = 20; })                                                      \
  X(FLOCK_STATUS_OK, "", { BATCH.length = 0; for (int c = 0; c < COLUMNS; c++) { b->columns[c].length = 0; b->buffers[c][1] = b->buffers[c][2] = NULL; } }) \
  X(FLOCK_STATUS_OK, "", { BATCH.length = 2; BATCH.offset = 1; })                                              \
  X(FLOCK_STATUS_OK, "", { FIRST.length = 2; FIRST.offset = 1; BATCH.length = 2; })                            \
  X(FLOCK_STATUS_OK, "", { b->fields[0].format = "n"; FIRST.n_buffers = 0; FIRST.null_count = ROWS; })         \
  X(FLOCK_STATUS_SCHEMA, "select: no column of that name", b->fields[0].name = "Select")                       \
  X(FLOCK_STATUS_SCHEMA, "select: no column of that name", b->fields[0].name = NULL)                           \
  X(FLOCK_STATUS_SCHEMA, "order by: 2 columns of that name", { b->fields[0].name = NULL; b->fields[2].name = "order by"; }) \
  X(FLOCK_STATUS_SCHEMA, "a \"b\": no column", { b->fields[0].name = NULL; b->fields[2].name = NULL; })        \
  X(FLOCK_STATUS_SCHEMA, "select: its format is `tdD`", b->fields[0].format = "tdD")                           \
  X(FLOCK_STATUS_SCHEMA, "select: its format is ``", b->fields[0].format = NULL)                               \
  X(FLOCK_STATUS_SCHEMA, "select: its format is `+s`", b->fields[0].format = "+s")                             \
  X(FLOCK_STATUS_SCHEMA, "text cannot become f64", { b->fields[0].format = "u"; FIRST.n_buffers = 3; b->buffers[0][1] = b->ends; b->buffers[0][2] = "ab"; }) \
  X(FLOCK_STATUS_SCHEMA, "it's: f64 cannot become str", { b->fields[TEXT].format = "g"; b->columns[TEXT].n_buffers = 2; b->buffers[TEXT][1] = b->numbers[0]; }) \
  X(FLOCK_STATUS_SCHEMA, "batch: its format is `g`", b->schema.format = "g")                                   \
  X(FLOCK_STATUS_SCHEMA, "a dictionary of `l`", { dictionary(b); b->value_type.format = "l"; })                \
  X(FLOCK_STATUS_SCHEMA, "codes of format `g`", { dictionary(b); b->fields[TEXT].format = "g"; b->buffers[TEXT][1] = b->numbers[0]; }) \
  X(FLOCK_STATUS_LENGTH, "select: its length is -3", FIRST.length = -3)                                        \
  X(FLOCK_STATUS_LENGTH, "select: its offset is -1", FIRST.offset = -1)                                        \
  X(FLOCK_STATUS_LENGTH, "batch: its length is -1", BATCH.length = -1)                                         \
  X(FLOCK_STATUS_LENGTH, "batch: its offset is -9", BATCH.offset = -9)                                         \
  X(FLOCK_STATUS_LENGTH, "batch: its length and offset overflow", { BATCH.length = INT64_MAX; BATCH.offset = INT64_MAX; }) \
  X(FLOCK_STATUS_LENGTH, "select: its offset overflows", { FIRST.offset = INT64_MAX; BATCH.offset = 1; BATCH.length = 1; FIRST.length = INT64_MAX; }) \
  X(FLOCK_STATUS_LENGTH, "select: its length overflows", { BATCH.length = INT64_MAX / 4; for (int c = 0; c < COLUMNS; c++) b->columns[c].length = INT64_MAX / 4; }) \
  X(FLOCK_STATUS_LENGTH, "select: 2 elements, expected 3", FIRST.length = 2)                                   \
  X(FLOCK_STATUS_LENGTH, "select: 1 buffers, expected 2", FIRST.n_buffers = 1)                                 \
  X(FLOCK_STATUS_LENGTH, "select: -4 buffers, expected 2", FIRST.n_buffers = -4)                               \
  X(FLOCK_STATUS_LENGTH, "it's: 2 buffers, expected 3", b->columns[TEXT].n_buffers = 2)                        \
  X(FLOCK_STATUS_LENGTH, "select: -2 nulls", FIRST.null_count = -2)                                            \
  X(FLOCK_STATUS_LENGTH, "select: 4 nulls in 3 elements", FIRST.null_count = 4)                                \
  X(FLOCK_STATUS_LENGTH, "batch: its number of children is -1", BATCH.n_children = b->schema.n_children = -1)  \
  X(FLOCK_STATUS_LENGTH, "4 columns, and 5 in its schema", BATCH.n_children = 4)                               \
  X(FLOCK_STATUS_LENGTH, "it's: a text reaches beyond its buffer", b->ends[1] = 3)                             \
  X(FLOCK_STATUS_LENGTH, "it's: a text reaches beyond its buffer", b->ends[0] = -1)                            \
  X(FLOCK_STATUS_LENGTH, "it's: a text reaches beyond its buffer", b->ends[3] = -5)                            \
  X(FLOCK_STATUS_LENGTH, "it's: a text reaches beyond its buffer", { views(b); b->views[0] = 21; })            \
  X(FLOCK_STATUS_LENGTH, "it's: a text reaches beyond its buffer", { views(b); b->views[0] = 20; b->views[1] = 1; }) \
  X(FLOCK_STATUS_LENGTH, "it's: a text reaches beyond its buffer", { views(b); b->views[0] = 20; b->views[1] = (uint64_t)1 << 32; }) \
  X(FLOCK_STATUS_LENGTH, "it's: the length of a buffer is -1", { views(b); b->lengths[0] = -1; })              \
  X(FLOCK_STATUS_LENGTH, "it's: 2 buffers, expected 3 or more", { views(b); b->columns[TEXT].n_buffers = 2; }) \
  X(FLOCK_STATUS_LENGTH, "it's: its length is -1", { dictionary(b); b->values.length = -1; })                  \
  X(FLOCK_STATUS_NULL, "batch: row 1 is null as a whole", { b->valid[0] = 5; b->batch.null_count = -1; static const void *bits[3]; bits[0] = b->valid; b->batch.buffers = bits; }) \
  X(FLOCK_STATUS_ARGUMENT, "batch: it was released", BATCH.release = NULL)                                     \
  X(FLOCK_STATUS_ARGUMENT, "batch: it was released", b->schema.release = NULL)                                 \
  X(FLOCK_STATUS_ARGUMENT, "select: it was released", FIRST.release = NULL)                                    \
  X(FLOCK_STATUS_ARGUMENT, "select: it was released", b->fields[0].release = NULL)                             \
  X(FLOCK_STATUS_ARGUMENT, "batch: its children are a null pointer", BATCH.children = NULL)                    \
  X(FLOCK_STATUS_ARGUMENT, "batch: its children are a null pointer", b->schema.children = NULL)                \
  X(FLOCK_STATUS_ARGUMENT, "batch: child 2 is a null pointer", b->children[2] = NULL)                          \
  X(FLOCK_STATUS_ARGUMENT, "batch: child 3 is a null pointer", b->types[3] = NULL)                             \
  X(FLOCK_STATUS_ARGUMENT, "select: buffer 1 is a null pointer", b->buffers[0][1] = NULL)                      \
  X(FLOCK_STATUS_ARGUMENT, "it's: buffer 2 is a null pointer", b->buffers[TEXT][2] = NULL)                     \
  X(FLOCK_STATUS_ARGUMENT, "select: buffer 1 is not there", FIRST.buffers = NULL)                              \
  X(FLOCK_STATUS_ARGUMENT, "select: 1 nulls, and no bitmap", FIRST.null_count = 1)                             \
  X(FLOCK_STATUS_ARGUMENT, "it's: its dictionary is a null pointer", { dictionary(b); b->columns[TEXT].dictionary = NULL; }) \
  X(FLOCK_STATUS_ARGUMENT, "it's: it was released", { dictionary(b); b->values.release = NULL; })              \
  X(FLOCK_STATUS_ALIGNMENT, "select: buffer 1 is not aligned to 8", b->buffers[0][1] = (char *)b->numbers[0] + 4) \
  X(FLOCK_STATUS_ALIGNMENT, "it's: buffer 1 is not aligned to 4", b->buffers[TEXT][1] = (char *)b->ends + 2)

typedef struct {
  int status;
  const char *words;
} Expected;

#define EXPECT(status, words, ...) {status, words},
static const Expected EXPECTED[] = {CASES(EXPECT)};

static void change(Batch *b, int which) {
  int k = 0;
#define CHANGE(status, words, ...) if (k++ == which) { __VA_ARGS__; }
  CASES(CHANGE)
}

static int wrong(const char *what, int found, int expected, const char *words) {
  fprintf(stderr, "%s: status %d, expected %d with `%s`: %s\n", what, found, expected, words, flock_message());
  return 1;
}

static int batches(void) {
  int failures = 0;
  static Batch b;
  struct ArrowArray out;
  struct ArrowSchema fields;
  for (int k = 0; k < (int)(sizeof EXPECTED / sizeof *EXPECTED); k++) {
    good(&b);
    change(&b, k);
    memset(&out, 0, sizeof out);
    int status = score_batch(&b.batch, &b.schema, 2, &out, &fields);
    if (status != EXPECTED[k].status || (status && !strstr(flock_message(), EXPECTED[k].words)) || (status && out.release)) {
      char which[32];
      snprintf(which, sizeof which, "batch %d", k);
      failures += wrong(which, status, EXPECTED[k].status, EXPECTED[k].words);
      continue;
    }
    if (!status) {
      if (out.length != b.batch.length || out.n_children != 4) failures += wrong("result", 0, 0, "another length");
      /* A child that was moved elsewhere is released there. */
      struct ArrowArray moved = *out.children[1];
      out.children[1]->release = NULL;
      out.release(&out);
      fields.release(&fields);
      moved.release(&moved);
    }
    printf("batch %d: %d %s\n", k, status, status ? flock_message() : "scored");
  }
  return failures;
}

static int expect(const char *what, int status, int expected, const char *words) {
  if (status != expected || !strstr(flock_message(), words)) return wrong(what, status, expected, words);
  printf("%s: %d %s\n", what, status, flock_message());
  return 0;
}

static int calls(void) {
  int failures = 0;
  static Batch b;
  struct ArrowArray out;
  struct ArrowSchema fields;
  FlockRow *row = NULL;
  _Alignas(8) char memory[sizeof(struct score_input) + sizeof(struct score_output) + 16] = {0};
  good(&b);
  failures += expect("no program", flock_batch(NULL, &b.batch, &b.schema, 1, &out, &fields), FLOCK_STATUS_ARGUMENT, "program: a null pointer");
  failures += expect("no batch", score_batch(NULL, &b.schema, 1, &out, &fields), FLOCK_STATUS_ARGUMENT, "batch, schema");
  failures += expect("no schema", score_batch(&b.batch, NULL, 1, &out, &fields), FLOCK_STATUS_ARGUMENT, "batch, schema");
  failures += expect("no result", score_batch(&b.batch, &b.schema, 1, NULL, &fields), FLOCK_STATUS_ARGUMENT, "out, out_schema");
  failures += expect("no row", score_row_new(NULL), FLOCK_STATUS_ARGUMENT, "row");
  /* A program of another version. */
  static _Alignas(8) uint32_t strange[64] = {99};
  failures += expect("version", flock_row_new((const FlockProgram *)strange, &row), FLOCK_STATUS_VERSION, "it has version 99");
  static _Alignas(8) uint32_t empty[64];
  memcpy(empty, &score_program, sizeof *empty);
  failures += expect("damaged", flock_row_new((const FlockProgram *)empty, &row), FLOCK_STATUS_VERSION, "it is damaged");
  if (row || score_row_new(&row)) return failures + wrong("row", 1, 0, "");
  struct score_input *in = (struct score_input *)memory;
  struct score_output *result = (struct score_output *)(memory + sizeof *in);
  failures += expect("no input", score_row(row, NULL, result), FLOCK_STATUS_ARGUMENT, "input");
  failures += expect("no output", score_row(row, in, NULL), FLOCK_STATUS_ARGUMENT, "output");
  failures += expect("unaligned", flock_row(row, memory + 1, result), FLOCK_STATUS_ALIGNMENT, "not aligned");
  static const uint8_t text[] = "x";
  in->it_s.ptr = text;
  in->it_s.len = SIZE_MAX;
  failures += expect("length", score_row(row, in, result), FLOCK_STATUS_LENGTH, "it's");
  in->it_s.len = 1;
  if (score_row(row, in, result)) failures += wrong("row", 1, 0, "");
  flock_row_free(row);
  flock_row_free(NULL);
  return failures;
}

int main(void) { return batches() + calls() ? 1 : 0; }
