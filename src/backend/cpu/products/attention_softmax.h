/* The softmax of a block of attention scores. Room: backend/cpu/products. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_ATTENTION_SOFTMAX_H
#define HONE_BACKEND_CPU_PRODUCTS_ATTENTION_SOFTMAX_H

#include "backend/cpu/products/attention.h"

/* One row of scores, `keys` of them from key `first` on. */
typedef struct hone_softmax_row {
  float *scores; /* replaced by e^(s - largest) */
  size_t keys;
  const void *mask; /* of the first key, or NULL */
  hone_mask_kind mask_kind;
  bool mask_repeats; /* one element for all keys */
  size_t visible;    /* keys that the row sees: the first of them; the rest are hidden */
  float scale, softcap;
  float *out; /* the row's running output, scaled down when the maximum rises */
  size_t value_depth;
  float *largest, *sum; /* running, over the blocks before: -infinity and 0 at the start */
} hone_softmax_row;

typedef void hone_softmax_function(const hone_softmax_row *row);
/* out[i] *= by, i < count */
typedef void hone_scale_function(float *out, size_t count, float by);

hone_softmax_function hone_softmax_block_avx512, hone_softmax_block_avx2, hone_softmax_block_plain;
hone_scale_function hone_scale_avx512, hone_scale_avx2, hone_scale_plain;

#endif
