/* tf_idf_vectorizer: counts the n-grams of a pool in rows of tokens. Room: ops. */
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/tf_idf.h"

static hone_status *bad(const char *what) {
  return hone_error(HONE_INVALID_MODEL, "tf_idf_vectorizer: %s", what);
}

/* Every start of a size's n-grams in order and whole; every n-gram with a column. */
static hone_status *check_grams(hone_tf_idf *p) {
  size_t grams = 0;
  for (size_t i = 0; i < p->starts->count; i++) {
    int64_t start = p->starts->integers[i];
    int64_t end = i + 1 < p->starts->count ? p->starts->integers[i + 1] : (int64_t)p->tokens;
    if (start < 0 || end < start || (size_t)end > p->tokens) return bad("the n-grams' starts");
    grams += (size_t)(end - start) / (i + 1);
  }
  if (grams > p->columns->count) return bad("fewer columns than n-grams");
  for (size_t i = 0; i < p->columns->count; i++) {
    int64_t column = p->columns->integers[i];
    if (column < 0 || column >= INT32_MAX) return bad("a column outside the result");
    if ((size_t)column >= p->width) p->width = (size_t)column + 1;
  }
  return NULL;
}

hone_status *hone_tf_idf_read(const hone_node *node, hone_tf_idf *p) {
  *p = (hone_tf_idf){.integers = hone_node_attr(node, "pool_ints"),
              .texts = hone_node_attr(node, "pool_texts"),
              .starts = hone_node_attr(node, "starts"),
              .columns = hone_node_attr(node, "columns"),
              .weights = hone_node_attr(node, "weights"),
              .least = hone_node_int(node, "least"),
              .most = hone_node_int(node, "most"),
              .skip = hone_node_int(node, "skip")};
  p->is_text = p->texts->count > 0;
  p->tokens = p->is_text ? p->texts->count : p->integers->count;
  if (p->least < 1 || p->most < p->least || p->most > INT32_MAX || p->skip < 0 ||
      p->skip > INT32_MAX)
    return bad("the sizes of n-grams");
  HONE_TRY(check_grams(p));
  if (p->weights->count && p->weights->count < p->width) return bad("fewer weights than columns");
  return NULL;
}

static hone_status *tf_idf_infer(hone_infer *infer) {
  hone_tf_idf p;
  HONE_TRY(hone_infer_class(infer, 0, HONE_INTEGERS | 1u << HONE_CLASS_STRING));
  HONE_TRY(hone_tf_idf_read(infer->node, &p));
  const hone_type *x = infer->in[0];
  if (x->dtype && (x->dtype == HONE_STR) != p.is_text)
    return hone_infer_fail(infer, "tokens and pool differ in type");
  infer->out[0] = hone_tensor_type(HONE_F32, hone_shape_unknown());
  if (x->shape.rank > 2) return hone_infer_fail(infer, "x has more than two dimensions");
  if (x->shape.rank < 0) return NULL;
  hone_shape *out = &infer->out[0].shape;
  out->rank = x->shape.rank == 2 ? 2 : 1;
  out->dim[0] = x->shape.dim[0];
  out->dim[out->rank - 1] = (hone_dim)p.width;
  return NULL;
}

static bool same_token(const hone_tf_idf *p, size_t entry, const hone_datum *x, size_t at) {
  if (!p->is_text) return p->integers->integers[entry] == hone_load_int(x->dtype, x->data, at);
  hone_string token;
  memcpy(&token, (const char *)x->data + at * sizeof token, sizeof token);
  const char *text = p->texts->texts[entry];
  return strlen(text) == token.size && memcmp(text, token.data, token.size) == 0;
}

/* Counts the n-grams of `size` tokens that start at `start`, `step` apart, before `end`. */
static void count_grams(const hone_tf_idf *p, size_t size, size_t first_gram, const hone_datum *x,
                        size_t start, size_t step, size_t end, double *counts) {
  size_t from = (size_t)p->starts->integers[size - 1];
  size_t to = size < p->starts->count ? (size_t)p->starts->integers[size] : p->tokens;
  if (start >= end || (end - 1 - start) / step < size - 1) return;
  for (size_t entry = from; entry + size <= to; entry += size) {
    size_t i = 0;
    while (i < size && same_token(p, entry + i, x, start + i * step)) i++;
    if (i == size) counts[p->columns->integers[first_gram + (entry - from) / size]]++;
  }
}

/* All n-grams of one row of tokens. */
static void count_row(const hone_tf_idf *p, const hone_datum *x, size_t begin, size_t end,
                      double *counts) {
  size_t first_gram = 0;
  for (size_t size = 1; size <= p->starts->count; size++) {
    size_t steps = hone_tf_idf_steps(p, size, end - begin);
    for (size_t step = 1; step <= steps; step++)
      for (size_t start = begin; start < end; start++)
        count_grams(p, size, first_gram, x, start, step, end, counts);
    first_gram += hone_tf_idf_grams(p, size);
  }
}

static hone_status *tf_idf_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0];
  hone_datum *out = ref->out[0];
  hone_tf_idf p;
  double *counts;
  size_t count = hone_datum_count(out), tokens = hone_datum_count(x);
  HONE_TRY(hone_tf_idf_read(ref->node, &p));
  HONE_TRY(hone_scratch_reals(ref, count, &counts));
  size_t rows = p.width ? count / p.width : 0, row = rows ? tokens / rows : 0;
  for (size_t i = 0; i < rows; i++) count_row(&p, x, i * row, (i + 1) * row, counts + i * p.width);
  const char *mode = hone_node_text(ref->node, "mode");
  for (size_t i = 0; i < rows * p.width; i++) {
    double weight = p.weights->count ? p.weights->reals[i % p.width] : 1;
    if (strcmp(mode, "idf") == 0) counts[i] = counts[i] > 0 ? weight : 0;
    if (strcmp(mode, "tf_idf") == 0) counts[i] *= weight;
  }
  hone_store_reals(out->dtype, out->data, 0, count, counts);
  return NULL;
}

const hone_op hone_op_tf_idf_vectorizer = {
    .name = "tf_idf_vectorizer",
    .inputs = "x",  /* [tokens] or [rows, tokens], integers or strings */
    .outputs = "y", /* f32 [columns] or [rows, columns] */
    .attrs = {{"mode", HONE_ATTR_CHOICE, NULL, "tf|idf|tf_idf"},
              {"least", HONE_ATTR_INT, "1", NULL}, /* sizes of n-grams that count */
              {"most", HONE_ATTR_INT, "1", NULL},
              {"skip", HONE_ATTR_INT, "0", NULL},      /* tokens left out between two at most */
              {"starts", HONE_ATTR_INTS, "[]", NULL},  /* in the pool, of each size from 1 on */
              {"columns", HONE_ATTR_INTS, "[]", NULL}, /* of each n-gram of the pool */
              {"pool_ints", HONE_ATTR_INTS, "[]", NULL},
              {"pool_texts", HONE_ATTR_TEXTS, "[]", NULL},
              {"weights", HONE_ATTR_REALS, "[]", NULL}}, /* of each column */
    .infer = tf_idf_infer,
    .reference = tf_idf_reference,
};
