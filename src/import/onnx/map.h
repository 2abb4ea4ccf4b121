/* How ONNX operators become ops of Hone: the rows, and what an import function may use.
 * Room: import.
 *
 * A family of operators has one file: a table of rows, and functions for those rows whose meaning
 * differs from an op's. `tables.def` lists the tables. Most rows are straight:
 *
 *   const hone_onnx_row hone_onnx_pointwise[] = {
 *     {"", "Abs", 1, 0, "abs"},
 *     {"", "LeakyRelu", 6, 0, "leaky_relu", "alpha"},
 *     {"", "CumSum", 11, 0, "cumsum", "exclusive reverse kind=sum"},
 *     {"", "Gemm", 7, 0, .import = import_gemm},
 *     {0}};
 *
 * Failures are remembered: the first one stays in the call, everything after it does nothing, and
 * whoever called the function reports it with the node's name. So compositions read as formulas
 * and need no HONE_TRY; a function returns NULL, or hone_emit_fail(…) where it refuses.
 * After a failure values are a placeholder of unknown type, attributes their fallback: both are
 * safe to look at. Never hold them across calls.
 */
#ifndef HONE_IMPORT_ONNX_MAP_H
#define HONE_IMPORT_ONNX_MAP_H

#include "import/emit.h"

typedef struct hone_onnx_row {
  const char *domain; /* "" is the standard's own */
  const char *name;   /* the operator */
  int since, last;    /* the domain's opsets that the row holds for; last 0: for ever */
  const char *op;     /* straight: the op with the same inputs and outputs in the same order */
  const char *attrs;  /* straight: what to set, separated by spaces: "alpha" (same name),
                         "keep<keepdims" (Hone's<ONNX's), "kind=sum" (fixed). A node with an
                         attribute that is not here is refused. NULL: none */
  hone_status *(*import)(hone_call *call); /* instead of `op` */
} hone_onnx_row;

/* ---- What the node says ---- */

int hone_onnx_opset(const hone_call *call);        /* of the node's domain */
int hone_onnx_input_count(const hone_call *call);
int hone_onnx_output_count(const hone_call *call);
hone_value *hone_onnx_in(hone_call *call, int index);  /* NULL: absent */
hone_value *hone_onnx_need(hone_call *call, int index); /* absent: fails, placeholder */
bool hone_onnx_wants(const hone_call *call, int index); /* whether the output is wanted */
bool hone_onnx_has(const hone_call *call, const char *attr);

/* Attributes, with what they are when absent. One of another type fails the call. Lists and texts
 * are lent by the call; a text is zero-terminated and holds no zero byte. */
int64_t hone_onnx_int(hone_call *call, const char *attr, int64_t fallback);
/* The same for a number that must lie in least..most. */
int64_t hone_onnx_int_in(hone_call *call, const char *attr, int64_t fallback, int64_t least,
                         int64_t most);
bool hone_onnx_flag(hone_call *call, const char *attr, bool fallback); /* any int but 0 */
double hone_onnx_real(hone_call *call, const char *attr, double fallback);
const char *hone_onnx_text(hone_call *call, const char *attr, const char *fallback);
/* An element type given as TensorProto.DataType. */
hone_dtype hone_onnx_dtype(hone_call *call, const char *attr, hone_dtype fallback);
/* Lists: the count is 0 when absent, and the pointer never NULL. */
const int64_t *hone_onnx_ints(hone_call *call, const char *attr, size_t *count);
const double *hone_onnx_reals(hone_call *call, const char *attr, size_t *count);
const hone_string *hone_onnx_strings(hone_call *call, const char *attr, size_t *count);
/* Strings as texts; one that holds a zero byte fails the call. */
const char *const *hone_onnx_texts(hone_call *call, const char *attr, size_t *count);
/* A list with one entry an axis: absent, `count` times `fallback`; of another length it fails.
 * count <= 2 * HONE_MAX_RANK. */
const int64_t *hone_onnx_ints_of(hone_call *call, const char *attr, size_t count,
                                 int64_t fallback);
/* A tensor attribute as a constant; NULL when absent. */
hone_value *hone_onnx_tensor(hone_call *call, const char *attr);

/* ---- Results ---- */

/* What the ONNX node's output `index` is from now on; every wanted one must be given. */
void hone_onnx_return(hone_call *call, int index, hone_value *value);
/* Ends `node`, drops its unwanted outputs and returns the others as the ONNX node's, in order. */
void hone_onnx_end_return(hone_call *call, hone_node *node);

/* What the graph in attribute `attr`, of one input and one output, makes of x. */
hone_value *hone_onnx_inline(hone_call *call, const char *attr, hone_value *x);

/* The element type of a TensorProto.DataType; HONE_DTYPE_NONE for what is not one. */
hone_dtype hone_onnx_dtype_of(int64_t code);

#endif
