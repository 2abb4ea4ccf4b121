/* The pool of n-grams of tf_idf_vectorizer, shared by its reference and its kernel. Room: ops. */
#ifndef HONE_OPS_TF_IDF_H
#define HONE_OPS_TF_IDF_H

#include "ir/op.h"

/* The pool as the attributes hold it; checked. N-grams of size 1 come first, then those of 2, …;
 * of each the tokens lie in the pool, its column in `columns`. */
typedef struct hone_tf_idf {
  const hone_attr *integers, *texts, *starts, *columns, *weights;
  size_t tokens, width;      /* of the pool; columns of the result */
  int64_t least, most, skip; /* sizes of n-grams; how many tokens may be left out between two */
  bool is_text;
} hone_tf_idf;

HONE_MUST_USE hone_status *hone_tf_idf_read(const hone_node *node, hone_tf_idf *out);

/* How many n-grams of `size` the pool has; 1 <= size <= starts->count. */
static inline size_t hone_tf_idf_grams(const hone_tf_idf *p, size_t size) {
  size_t from = (size_t)p->starts->integers[size - 1];
  size_t to = size < p->starts->count ? (size_t)p->starts->integers[size] : p->tokens;
  return (to - from) / size;
}

/* Distances from one token of an n-gram to the next are 1 … this; 0 where the size does not count.
 * A single token counts once, whatever may be skipped. */
static inline size_t hone_tf_idf_steps(const hone_tf_idf *p, size_t size, size_t tokens) {
  if ((int64_t)size < p->least || (int64_t)size > p->most) return 0;
  size_t steps = size == 1 ? 1 : (size_t)p->skip + 1;
  return steps < tokens ? steps : tokens;
}

#endif
