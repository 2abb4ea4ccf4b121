/* How TensorFlow's operators become ops of Hone: the rows, and what an import function may use.
 * Room: import.
 *
 * A family of operators has one file: a table of rows, and functions for those rows whose meaning
 * differs from an op's. `tables.def` lists the tables. Most rows are straight:
 *
 *   const hone_tf_row hone_tf_pointwise[] = {
 *     {"Abs", "abs"},
 *     {"LeakyRelu", "leaky_relu", "alpha=0.2 alpha"},
 *     {"Conv2D", .import = import_conv},
 *     {"TopKV2", .import = import_topk, .outputs = "values indices"},
 *     {0}};
 *
 * What every importer emits with is in import/emit.h. TensorFlow leaves attributes out that are at
 * their default, so every attribute is asked for with the operator's own default.
 */
#ifndef HONE_IMPORT_TENSORFLOW_MAP_H
#define HONE_IMPORT_TENSORFLOW_MAP_H

#include "import/emit.h"

typedef struct hone_tf_row {
  const char *name;    /* the operator */
  const char *op;      /* straight: the op with the same inputs and outputs in the same order */
  const char *attrs;   /* straight: what to set, in order, separated by spaces: "alpha=0.2" (fixed),
                          "alpha" (where given), "keep<keep_dims" (Hone's<TensorFlow's). Others
                          are types and hints, which the graph finds out by itself */
  hone_status *(*import)(hone_call *call); /* instead of `op` */
  const char *outputs; /* the names of its output arguments, where it has more than one */
  bool lazy; /* its inputs are not converted before it: control flow does so by itself */
} hone_tf_row;

/* ---- What the node says ---- */

const char *hone_tf_op(const hone_call *call); /* the operator's name, cut to 60 bytes */
int hone_tf_input_count(const hone_call *call);
int hone_tf_output_count(const hone_call *call);
/* Tensor `index`; one that is missing, or no tensor, fails the call and gives the placeholder. */
hone_value *hone_tf_in(hone_call *call, int index);
bool hone_tf_has(const hone_call *call, const char *attr);

/* Attributes, with what they are when absent. One of another type fails the call. Lists and texts
 * are lent by the call; a text is zero-terminated. */
int64_t hone_tf_int(hone_call *call, const char *attr, int64_t fallback);
bool hone_tf_flag(hone_call *call, const char *attr, bool fallback);
double hone_tf_real(hone_call *call, const char *attr, double fallback);
const char *hone_tf_text(hone_call *call, const char *attr, const char *fallback);
/* An element type; HONE_DTYPE_NONE for those that Hone does not have. */
hone_dtype hone_tf_dtype(hone_call *call, const char *attr, hone_dtype fallback);
/* The count is 0 when absent, and the pointer never NULL. */
const int64_t *hone_tf_ints(hone_call *call, const char *attr, size_t *count);
/* A list of texts, as lent. */
const char *const *hone_tf_texts(hone_call *call, const char *attr, size_t *count);
/* Whether data_format puts the channels first; a format of another length fails. */
bool hone_tf_channels_first(hone_call *call, int rank);

/* The elements of input `index`, which must be constant, `room` of them at most; how many there
 * are. Not constant: fails (UNSUPPORTED) and gives 0. */
size_t hone_tf_known(hone_call *call, int index, int64_t *out, size_t room);
/* The one element of input `index`, likewise. */
int64_t hone_tf_known_int(hone_call *call, int index);

/* ---- Parts of operators that fused ones begin with: output 0, not returned yet ---- */

hone_value *hone_tf_conv(hone_call *call, bool depthwise);
hone_value *hone_tf_product(hone_call *call, const char *transpose_a, const char *transpose_b);
/* Returns the other outputs. */
hone_value *hone_tf_batch_norm(hone_call *call);

/* ---- Results ---- */

/* What the node's output `index` is; every one that is used must be given. */
void hone_tf_return(hone_call *call, int index, hone_value *value);

/* The element type of a DataType; HONE_DTYPE_NONE for those that Hone does not have. */
hone_dtype hone_tf_dtype_of(int64_t code);
/* And back; 0 for a type that TensorFlow does not have. */
int hone_tf_code_of(hone_dtype dtype);

#endif
