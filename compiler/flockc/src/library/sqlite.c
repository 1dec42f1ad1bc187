/* SQLite: what this file uses of sqlite3ext.h, whose table of functions only ever grows at its end. */
#include <string.h>

typedef struct {
  void (*f[163])(void);
} SqliteApi;

static const SqliteApi *sqlite;

#define SQLITE_F(index, type) ((type)sqlite->f[index])
#define sqlite_create SQLITE_F(162, int (*)(void *, const char *, int, int, void *, void (*)(void *, int, void **), void *, void *, void (*)(void *)))
#define sqlite_result_double SQLITE_F(79, void (*)(void *, double))
#define sqlite_result_error SQLITE_F(80, void (*)(void *, const char *, int))
#define sqlite_result_int64 SQLITE_F(83, void (*)(void *, long long))
#define sqlite_result_null SQLITE_F(84, void (*)(void *))
#define sqlite_result_text SQLITE_F(85, void (*)(void *, const char *, int, void (*)(void *)))
#define sqlite_user_data SQLITE_F(101, void *(*)(void *))
#define sqlite_value_bytes SQLITE_F(103, int (*)(void *))
#define sqlite_value_double SQLITE_F(105, double (*)(void *))
#define sqlite_value_int64 SQLITE_F(107, long long (*)(void *))
#define sqlite_value_text SQLITE_F(109, const unsigned char *(*)(void *))
#define sqlite_value_type SQLITE_F(113, int (*)(void *))
#define sqlite_printf SQLITE_F(69, char *(*)(const char *, ...))

enum { SQLITE_IS_INTEGER = 1, SQLITE_IS_FLOAT = 2, SQLITE_IS_TEXT = 3, SQLITE_IS_NULL = 5 };
/* SQLITE_UTF8, SQLITE_DETERMINISTIC, SQLITE_INNOCUOUS. */
enum { SQLITE_FLAGS = 1 | 0x800 | 0x200000 };

static int sqlite_refuse(void *context, const char *name, const char *what) {
  char text[256];
  size_t n = strlen(name) < 150 ? strlen(name) : 150;
  memcpy(text, name, n);
  text[n] = ':';
  text[n + 1] = ' ';
  strncpy(text + n + 2, what, sizeof text - n - 2);
  text[sizeof text - 1] = 0;
  sqlite_result_error(context, text, -1);
  return 1;
}

/* 1: null, as it may be. 2: refused. */
static int sqlite_null(void *context, void *value, const char *name, int nullable) {
  if (sqlite_value_type(value) != SQLITE_IS_NULL) return 0;
  return nullable ? 1 : 1 + sqlite_refuse(context, name, "a null where none is allowed");
}

static int sqlite_get_double(void *context, void *value, const char *name, int nullable, double *out) {
  int null = sqlite_null(context, value, name, nullable), type = sqlite_value_type(value);
  if (null) {
    *out = (double)__builtin_nan("");
    return null - 1;
  }
  if (type != SQLITE_IS_INTEGER && type != SQLITE_IS_FLOAT) return sqlite_refuse(context, name, "expected a number");
  *out = type == SQLITE_IS_INTEGER ? (double)sqlite_value_int64(value) : sqlite_value_double(value);
  return 0;
}

static int sqlite_get_float(void *context, void *value, const char *name, int nullable, float *out) {
  double x = 0;
  int type = sqlite_value_type(value), refused = sqlite_get_double(context, value, name, nullable, &x);
  *out = type == SQLITE_IS_INTEGER ? (float)sqlite_value_int64(value) : (float)x;
  return refused;
}

static int sqlite_get_int64(void *context, void *value, const char *name, int nullable, int64_t *out, uint8_t *is_null) {
  int null = sqlite_null(context, value, name, nullable);
  if (null) {
    if (is_null) *is_null = 1;
    return null - 1;
  }
  if (sqlite_value_type(value) != SQLITE_IS_INTEGER) return sqlite_refuse(context, name, "expected an integer");
  *out = sqlite_value_int64(value);
  return 0;
}

static int sqlite_get_bool(void *context, void *value, const char *name, int nullable, uint8_t *out, uint8_t *is_null) {
  int64_t x = 0;
  int refused = sqlite_get_int64(context, value, name, nullable, &x, is_null);
  if (!refused && x != 0 && x != 1) return sqlite_refuse(context, name, "expected a truth value, 0 or 1");
  *out = (uint8_t)x;
  return refused;
}

static int sqlite_get_text(void *context, void *value, const char *name, int nullable, FlockStr *out) {
  int null = sqlite_null(context, value, name, nullable);
  if (null) return null - 1;
  if (sqlite_value_type(value) != SQLITE_IS_TEXT) return sqlite_refuse(context, name, "expected text");
  out->ptr = sqlite_value_text(value);
  out->len = (size_t)sqlite_value_bytes(value);
  return out->ptr ? 0 : sqlite_refuse(context, name, "memory cannot be had");
}

/* Bytes that SQLite copies. */
#define SQLITE_COPY ((void (*)(void *))-1)

/* An output of a connection: which, and the row that all of them share. */
typedef struct SqliteOutput {
  FlockRow *row;
  int output;
} SqliteOutput;
