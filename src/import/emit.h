/* Emitting: how an importer's functions put ops into the graph. Room: import.
 *
 * A call is one node of the user's model on its way into the graph; every format extends it by what
 * its nodes say. Failures are remembered: the first one stays in the call, everything after it does
 * nothing, and whoever made the call reports it with the node's name. So compositions read as
 * formulas and need no HONE_TRY; a function returns NULL, or hone_emit_fail(…) where it refuses.
 * After a failure values are a placeholder of unknown type, safe to look at.
 */
#ifndef HONE_IMPORT_EMIT_H
#define HONE_IMPORT_EMIT_H

#include "ops/ops.h"

typedef struct hone_call {
  hone_graph *graph;       /* where the nodes go */
  const char *label;       /* the user's node: their source */
  hone_value *placeholder; /* of unknown type */
  hone_status *(*limits)(struct hone_call *call); /* asked before each node */
  hone_node *folded;       /* the last node that was folded, and into what */
  hone_value *folded_into;
  hone_status *status; /* the first failure; owned */
} hone_call;

/* Remembers the first failure and returns NULL, so that a function can `return` it. INVALID_MODEL
 * for what breaks the format's rules, UNSUPPORTED for what is legal and not done here. */
hone_status *hone_emit_fail(hone_call *call, hone_code code, const char *format, ...)
    HONE_PRINTF(3, 4);
/* Remembers a status made elsewhere; takes it. */
void hone_emit_keep(hone_call *call, hone_status *status);

/* ---- Nodes ---- */

/* A node of one output without attributes: y = HONE_EMIT(call, "add", a, b). Types are inferred at
 * once; what is small, made of integers and has constant inputs is folded at once. */
#define HONE_EMIT(call, op, ...)                                                                   \
  hone_emit_end((call), HONE_EMIT_BEGIN((call), (op), __VA_ARGS__))
/* A node of one output with attributes to come: begin, set, end. */
#define HONE_EMIT_BEGIN(call, op, ...)                                                             \
  hone_emit_begin((call), (op), (hone_value *const[]){__VA_ARGS__},                                \
                  (int)(sizeof((hone_value *const[]){__VA_ARGS__}) / sizeof(hone_value *)), 1)

/* NULL after a failure; the setters and the ends take that. Trailing absent inputs are cut. */
hone_node *hone_emit_begin(hone_call *call, const char *op, hone_value *const *inputs,
                           int input_count, int output_count);
void hone_emit_set_int(hone_call *call, hone_node *node, const char *attr, int64_t value);
void hone_emit_set_real(hone_call *call, hone_node *node, const char *attr, double value);
void hone_emit_set_text(hone_call *call, hone_node *node, const char *attr, const char *value);
void hone_emit_set_ints(hone_call *call, hone_node *node, const char *attr, const int64_t *values,
                        size_t count);
void hone_emit_set_reals(hone_call *call, hone_node *node, const char *attr, const double *values,
                         size_t count);
void hone_emit_set_texts(hone_call *call, hone_node *node, const char *attr,
                         const char *const *values, size_t count);
/* Infers the types; gives output 0. */
hone_value *hone_emit_end(hone_call *call, hone_node *node);
/* The same for what weights become: left to the passes to fold, so that they may be replaced. */
hone_value *hone_emit_end_weight(hone_call *call, hone_node *node);
/* Output `index` of a node that was ended. */
hone_value *hone_emit_out(hone_call *call, hone_node *node, int index);

/* Whether the node's result is what only the passes fold: a weight, which may be replaced till then. */
static inline bool hone_makes_weight(const hone_node *node) {
  const hone_type *type = &node->outputs[0]->type;
  if (node->op == &hone_op_dequantize) return true;
  hone_dtype_class class = hone_dtype_class_of(type->dtype);
  bool narrow = class != HONE_CLASS_BOOLEAN && hone_dtype_bits(type->dtype) <= 8;
  return type->shape.rank >= 2 && (class == HONE_CLASS_FLOAT || narrow);
}

/* ---- Constants ---- */

hone_value *hone_emit_int(hone_call *call, int64_t value); /* s64, rank 0 */
hone_value *hone_emit_ints(hone_call *call, const int64_t *values, size_t count);
hone_value *hone_emit_real(hone_call *call, hone_dtype dtype, double value); /* rank 0 */
/* A copy of `bytes`, as many as the shape takes. */
hone_value *hone_emit_const(hone_call *call, hone_dtype dtype, hone_shape shape, const void *bytes,
                            size_t size);

/* ---- Facts about values ---- */

/* The rank; not known: fails (UNSUPPORTED) and gives 0. */
int hone_emit_rank(hone_call *call, const hone_value *value);
/* `axis` of a value of `rank`, negative from the end; outside: fails and gives 0. */
int hone_emit_axis(hone_call *call, int64_t axis, int rank);
/* The elements of a constant, at most `room`; false: not known yet. */
bool hone_known_ints(const hone_value *value, int64_t *out, size_t room, size_t *count);
bool hone_known_reals(const hone_value *value, double *out, size_t room, size_t *count);
/* Element `index` of a vector of which perhaps only some elements are known: a shape put together
 * from parts. */
bool hone_known_int_at(const hone_value *value, size_t index, int64_t *out);

/* ---- Common steps; they emit nothing where nothing changes ---- */

hone_value *hone_emit_transpose(hone_call *call, hone_value *x, int rank, const int64_t *perm);
hone_value *hone_emit_channels_last(hone_call *call, hone_value *x);  /* N C s… to N s… C */
hone_value *hone_emit_channels_first(hone_call *call, hone_value *x); /* and back */
hone_value *hone_emit_cast(hone_call *call, hone_value *x, hone_dtype dtype);
hone_value *hone_emit_reshape(hone_call *call, hone_value *x, const int64_t *dims, size_t count);
/* Dims [begin, end) of x as an s64 vector: a constant where all are known. */
hone_value *hone_emit_dims(hone_call *call, hone_value *x, int begin, int end);

#endif
