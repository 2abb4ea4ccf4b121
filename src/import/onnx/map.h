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
 * and need no HONE_TRY; a function returns NULL, or hone_onnx_fail(…) where it refuses.
 * After a failure values are a placeholder of unknown type, attributes their fallback: both are
 * safe to look at. Never hold them across calls.
 */
#ifndef HONE_IMPORT_ONNX_MAP_H
#define HONE_IMPORT_ONNX_MAP_H

#include "ops/ops.h"

/* One ONNX node on its way into the graph. */
typedef struct hone_onnx_call hone_onnx_call;

typedef struct hone_onnx_row {
  const char *domain; /* "" is the standard's own */
  const char *name;   /* the operator */
  int since, last;    /* the domain's opsets that the row holds for; last 0: for ever */
  const char *op;     /* straight: the op with the same inputs and outputs in the same order */
  const char *attrs;  /* straight: what to set, separated by spaces: "alpha" (same name),
                         "keep<keepdims" (Hone's<ONNX's), "kind=sum" (fixed). A node with an
                         attribute that is not here is refused. NULL: none */
  hone_status *(*import)(hone_onnx_call *call); /* instead of `op` */
} hone_onnx_row;

/* ---- What the node says ---- */

int hone_onnx_opset(const hone_onnx_call *call);        /* of the node's domain */
int hone_onnx_input_count(const hone_onnx_call *call);
int hone_onnx_output_count(const hone_onnx_call *call);
hone_value *hone_onnx_in(hone_onnx_call *call, int index);  /* NULL: absent */
hone_value *hone_onnx_need(hone_onnx_call *call, int index); /* absent: fails, placeholder */
bool hone_onnx_wants(const hone_onnx_call *call, int index); /* whether the output is wanted */
bool hone_onnx_has(const hone_onnx_call *call, const char *attr);

/* Attributes, with what they are when absent. One of another type fails the call. Lists and texts
 * are lent by the call; a text is zero-terminated and holds no zero byte. */
int64_t hone_onnx_int(hone_onnx_call *call, const char *attr, int64_t fallback);
/* The same for a number that must lie in least..most. */
int64_t hone_onnx_int_in(hone_onnx_call *call, const char *attr, int64_t fallback, int64_t least,
                         int64_t most);
bool hone_onnx_flag(hone_onnx_call *call, const char *attr, bool fallback); /* any int but 0 */
double hone_onnx_real(hone_onnx_call *call, const char *attr, double fallback);
const char *hone_onnx_text(hone_onnx_call *call, const char *attr, const char *fallback);
/* An element type given as TensorProto.DataType. */
hone_dtype hone_onnx_dtype(hone_onnx_call *call, const char *attr, hone_dtype fallback);
/* Lists: the count is 0 when absent, and the pointer never NULL. */
const int64_t *hone_onnx_ints(hone_onnx_call *call, const char *attr, size_t *count);
const double *hone_onnx_reals(hone_onnx_call *call, const char *attr, size_t *count);
const hone_string *hone_onnx_strings(hone_onnx_call *call, const char *attr, size_t *count);
/* Strings as texts; one that holds a zero byte fails the call. */
const char *const *hone_onnx_texts(hone_onnx_call *call, const char *attr, size_t *count);
/* A list with one entry an axis: absent, `count` times `fallback`; of another length it fails.
 * count <= 2 * HONE_MAX_RANK. */
const int64_t *hone_onnx_ints_of(hone_onnx_call *call, const char *attr, size_t count,
                                 int64_t fallback);
/* A tensor attribute as a constant; NULL when absent. */
hone_value *hone_onnx_tensor(hone_onnx_call *call, const char *attr);

/* ---- Facts about values ---- */

/* The rank; not known: fails (UNSUPPORTED) and gives 0. */
int hone_onnx_rank(hone_onnx_call *call, const hone_value *value);
/* `axis` of a value of `rank`, negative from the end; outside: fails and gives 0. */
int hone_onnx_axis(hone_onnx_call *call, int64_t axis, int rank);
/* The elements of a constant, at most `room`; false: not known yet. */
bool hone_onnx_known_ints(const hone_value *value, int64_t *out, size_t room, size_t *count);
bool hone_onnx_known_reals(const hone_value *value, double *out, size_t room, size_t *count);

/* ---- Refusing ---- */

/* Remembers the first failure and returns NULL, so that a function can `return` it. INVALID_MODEL
 * for what breaks ONNX's rules, UNSUPPORTED for what is legal and not done here. */
hone_status *hone_onnx_fail(hone_onnx_call *call, hone_code code, const char *format, ...)
    HONE_PRINTF(3, 4);
bool hone_onnx_failed(const hone_onnx_call *call);

/* ---- Emitting ---- */

/* A node of one output without attributes: y = HONE_ONNX(call, "add", a, b). Types are inferred at
 * once; what is small, made of integers and has constant inputs is folded at once. */
#define HONE_ONNX(call, op, ...)                                                                   \
  hone_onnx_end((call), HONE_ONNX_BEGIN((call), (op), __VA_ARGS__))
/* A node of one output with attributes to come: begin, set, end. */
#define HONE_ONNX_BEGIN(call, op, ...)                                                             \
  hone_onnx_begin((call), (op), (hone_value *const[]){__VA_ARGS__},                                \
                  (int)(sizeof((hone_value *const[]){__VA_ARGS__}) / sizeof(hone_value *)), 1)

/* NULL after a failure; the setters and the ends take that. Trailing absent inputs are cut. */
hone_node *hone_onnx_begin(hone_onnx_call *call, const char *op, hone_value *const *inputs,
                           int input_count, int output_count);
void hone_onnx_set_int(hone_onnx_call *call, hone_node *node, const char *attr, int64_t value);
void hone_onnx_set_real(hone_onnx_call *call, hone_node *node, const char *attr, double value);
void hone_onnx_set_text(hone_onnx_call *call, hone_node *node, const char *attr,
                        const char *value);
void hone_onnx_set_ints(hone_onnx_call *call, hone_node *node, const char *attr,
                        const int64_t *values, size_t count);
void hone_onnx_set_reals(hone_onnx_call *call, hone_node *node, const char *attr,
                         const double *values, size_t count);
void hone_onnx_set_texts(hone_onnx_call *call, hone_node *node, const char *attr,
                         const char *const *values, size_t count);
/* Infers the types; gives output 0. */
hone_value *hone_onnx_end(hone_onnx_call *call, hone_node *node);
/* The same for what weights become: left to the passes to fold, so that they may be replaced. */
hone_value *hone_onnx_end_weight(hone_onnx_call *call, hone_node *node);
/* Output `index` of a node that was ended. */
hone_value *hone_onnx_out(hone_onnx_call *call, hone_node *node, int index);

/* What the ONNX node's output `index` is from now on; every wanted one must be given. */
void hone_onnx_return(hone_onnx_call *call, int index, hone_value *value);
/* Ends `node`, drops its unwanted outputs and returns the others as the ONNX node's, in order. */
void hone_onnx_end_return(hone_onnx_call *call, hone_node *node);

/* Constants. */
hone_value *hone_onnx_const_int(hone_onnx_call *call, int64_t value); /* s64, rank 0 */
hone_value *hone_onnx_const_ints(hone_onnx_call *call, const int64_t *values, size_t count);
hone_value *hone_onnx_const_real(hone_onnx_call *call, hone_dtype dtype, double value); /* rank 0 */
/* A copy of `bytes`, as many as the shape takes. */
hone_value *hone_onnx_const(hone_onnx_call *call, hone_dtype dtype, hone_shape shape,
                            const void *bytes, size_t size);

/* Common steps; they emit nothing where nothing changes. */
hone_value *hone_onnx_transpose(hone_onnx_call *call, hone_value *x, int rank,
                                const int64_t *perm);
hone_value *hone_onnx_channels_last(hone_onnx_call *call, hone_value *x);  /* N C s… to N s… C */
hone_value *hone_onnx_channels_first(hone_onnx_call *call, hone_value *x); /* and back */
hone_value *hone_onnx_cast(hone_onnx_call *call, hone_value *x, hone_dtype dtype);
hone_value *hone_onnx_reshape(hone_onnx_call *call, hone_value *x, const int64_t *dims,
                              size_t count);
/* Dims [begin, end) of x as an s64 vector: a constant where all are known. */
hone_value *hone_onnx_dims(hone_onnx_call *call, hone_value *x, int begin, int end);

/* What the graph in attribute `attr`, of one input and one output, makes of x. */
hone_value *hone_onnx_inline(hone_onnx_call *call, const char *attr, hone_value *x);

/* The element type of a TensorProto.DataType; HONE_DTYPE_NONE for what is not one. */
hone_dtype hone_onnx_dtype_of(int64_t code);

#endif
