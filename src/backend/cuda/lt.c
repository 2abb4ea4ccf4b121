/* Loading cuBLASLt. Room: backend/cuda. */
#include "backend/cuda/lt.h"

#define LEAST 120000 /* CUDA 12.0 */

static const hone_library_spec spec = {
    "HONE_CUBLASLT", {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}};

static const hone_library_symbol symbols[] = {
    {"cublasLtGetVersion", offsetof(hone_lt, get_version)},
#define LT(member, symbol, arguments) {symbol, offsetof(hone_lt, member)},
#include "backend/cuda/lt.def"
#undef LT
};

static hone_lt the_lt;

static hone_status *load(void *what) {
  hone_lt *lt = what;
  HONE_TRY(hone_library_open(&spec, &lt->library));
  HONE_TRY(hone_library_bind(&lt->library, symbols, sizeof symbols / sizeof *symbols, lt));
  lt->version = lt->get_version();
  if (lt->version >= LEAST) return NULL;
  return hone_error(HONE_UNSUPPORTED, "cuBLASLt is %zu.%zu; the least is 12.0", lt->version / 10000,
                    lt->version / 100 % 100);
}

hone_status *hone_lt_get(const hone_lt **out) {
  static hone_once once = HONE_ONCE;
  *out = &the_lt;
  return hone_do_once(&once, load, &the_lt);
}

static hone_status *make_handle(void *what) {
  hone_lt *lt = what;
  return hone_lt_status(lt->create(&lt->handle), "starting");
}

hone_status *hone_lt_open(const hone_lt **out) {
  static hone_once once = HONE_ONCE;
  HONE_TRY(hone_lt_get(out));
  return hone_do_once(&once, make_handle, &the_lt);
}

/* cublasStatus_t, as its documentation names them. */
static const char *name_of(int result) {
  static const struct {
    int result;
    const char *name;
  } names[] = {{1, "not initialised"},      {3, "out of memory"},     {7, "invalid value"},
               {8, "architecture mismatch"}, {11, "mapping error"},    {13, "execution failed"},
               {14, "internal error"},       {15, "not supported"},    {16, "license error"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].result == result) return names[i].name;
  return "unknown error";
}

hone_status *hone_lt_status(int result, const char *what) {
  enum { OUT_OF_MEMORY = 3, NOT_SUPPORTED = 15 };
  if (result == 0) return NULL;
  hone_code code = result == OUT_OF_MEMORY   ? HONE_OUT_OF_MEMORY
                   : result == NOT_SUPPORTED ? HONE_UNSUPPORTED
                                             : HONE_DEVICE;
  return hone_error(code, "cuBLASLt failed at %s: %s (%d)", what, name_of(result), result);
}
