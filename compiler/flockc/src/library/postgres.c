/* PostgreSQL 13 and later: what this file uses of its headers, so that one library suits every server. All that may jump
   (an error, memory) is called here, with nothing of the runtime on the stack. Weak: other programs have none of it. */
typedef uintptr_t Datum;
#define PG(type) extern __attribute__((weak)) type

PG(void *) palloc(size_t size);
PG(void *) pg_detoast_datum_packed(void *datum);
PG(const char *) GetConfigOption(const char *name, _Bool missing_ok, _Bool restrict_privileged);
PG(int) GetDatabaseEncoding(void);
PG(_Bool) errstart(int level, const char *domain);
PG(int) errcode(int state);
PG(int) errmsg(const char *format, ...);
PG(void) errfinish(const char *file, int line, const char *function);

typedef struct {
  Datum value;
  _Bool isnull;
} PgValue;

typedef struct {
  void *flinfo, *context, *resultinfo;
  unsigned collation;
  _Bool isnull;
  short nargs;
  PgValue args[];
} PgCall;

/* The server's own, by its version: PostgreSQL refuses a library of another. */
typedef struct {
  int len, version, funcmaxargs, indexmaxkeys, namedatalen, float8byval;
  char abi_extra[32];
  const char *name, *library_version;
} PgMagic;

typedef struct {
  int api_version;
} PgInfo;

static int pg_version(void) {
  const char *text = GetConfigOption("server_version_num", 0, 0);
  int version = 0;
  for (; text && *text >= '0' && *text <= '9'; text++) version = version * 10 + (*text - '0');
  return version;
}

const PgMagic *Pg_magic_func(void) {
  static PgMagic magic = {0, 0, 100, 32, 64, 1, "PostgreSQL", 0, 0};
  int version = pg_version();
  magic.version = version / 100;
  magic.len = version >= 180000 ? (int)sizeof magic : version >= 150000 ? 56 : 24;
  return &magic;
}

/* SQLSTATE 22000, data exception. */
static void pg_refuse(const char *name, const char *what) {
  if (errstart(pg_version() >= 140000 ? 21 : 20, 0)) {
    errcode(2 | 2 << 6);
    if (name) errmsg("%s: %s", name, what); else errmsg("%s", what);
    errfinish("flock", 0, "flock");
  }
}

static int pg_null(const PgValue *value, const char *name, int nullable) {
  if (value->isnull && !nullable) pg_refuse(name, "a null where none is allowed");
  return value->isnull;
}

static void pg_get_double(const PgValue *value, const char *name, int nullable, double *out) {
  *out = __builtin_nan("");
  if (!pg_null(value, name, nullable)) memcpy(out, &value->value, 8);
}

static void pg_get_float(const PgValue *value, const char *name, int nullable, float *out) {
  uint32_t bits = (uint32_t)value->value;
  *out = __builtin_nanf("");
  if (!pg_null(value, name, nullable)) memcpy(out, &bits, 4);
}

static void pg_get_int64(const PgValue *value, const char *name, int nullable, int64_t *out, uint8_t *is_null) {
  int null = pg_null(value, name, nullable);
  if (null && is_null) *is_null = 1;
  if (!null) *out = (int64_t)value->value;
}

static void pg_get_bool(const PgValue *value, const char *name, int nullable, uint8_t *out, uint8_t *is_null) {
  int null = pg_null(value, name, nullable);
  if (null && is_null) *is_null = 1;
  if (!null) *out = (uint8_t)(value->value & 1);
}

/* Text is UTF-8 for the model; a database of another encoding is refused. */
static void pg_utf8(void) {
  if (GetDatabaseEncoding() != 6) pg_refuse(0, "the database's encoding is not UTF8, which the model reads text in");
}

static void pg_get_text(const PgValue *value, const char *name, int nullable, FlockStr *out) {
  pg_utf8();
  if (pg_null(value, name, nullable)) return;
  const uint8_t *at = pg_detoast_datum_packed((void *)value->value);
  uint32_t head;
  if (*at & 1) { /* one byte of length, itself included */
    out->ptr = at + 1;
    out->len = (size_t)(*at >> 1) - 1;
  } else {
    memcpy(&head, at, 4);
    out->ptr = at + 4;
    out->len = (size_t)(head >> 2) - 4;
  }
}

static Datum pg_from_double(double x) {
  Datum d;
  memcpy(&d, &x, 8);
  return d;
}

static Datum pg_from_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

static Datum pg_from_text(FlockStr s) {
  pg_utf8();
  if (s.len > 0x3ffffff0) pg_refuse(0, "a text of more than 1 GiB");
  uint8_t *at = palloc(s.len + 4);
  uint32_t head = (uint32_t)(s.len + 4) << 2;
  memcpy(at, &head, 4);
  memcpy(at + 4, s.ptr, s.len);
  return (Datum)at;
}
