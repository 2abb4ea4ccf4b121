/* Attention in one pass, never holding all scores. fp32. Room: backend/cpu/products.
 *
 *   s[i][j] = soft(scale * sum over d of q[i][d] * k[j][d]) + mask[i][j]
 *   out[i]  = sum over j of softmax(s[i])[j] * v[j]
 *
 * for each batch and head; soft(x) = softcap * tanh(x / softcap), or x when softcap is 0. Several
 * query heads may share one head of k and v (heads / kv_heads of them, neighbours). Query i stands
 * at place p = i + causal_offset, plus what the run says, among the keys: with `causal` it sees no
 * key after p, with `has_left` none before p - left, with `has_right` none after p + right. A row
 * that sees nothing gives zeros.
 *
 * Keys are taken in blocks of HONE_ATTENTION_KEYS with a running maximum and sum (Milakov and
 * Gimelshein, "Online normalizer calculation for softmax", 2018; Dao, "FlashAttention", 2022); the
 * block's scores stay in the first-level cache, and the output's rows hold the running sum.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_ATTENTION_H
#define HONE_BACKEND_CPU_PRODUCTS_ATTENTION_H

#include "backend/cpu/kernel.h"
#include "backend/cpu/products/tile.h"
#include "base/memory.h"
#include "base/status.h"
#include "ir/dtype.h"

#define HONE_ATTENTION_KEYS 256

/* Floats from batch to batch, head to head and token to token; features are contiguous. */
typedef struct hone_attention_strides {
  ptrdiff_t batch, head, token;
} hone_attention_strides;

typedef enum hone_mask_kind {
  HONE_MASK_NONE,
  HONE_MASK_ADD,  /* f32, added; -infinity hides a key */
  HONE_MASK_KEEP, /* bool, one byte: 0 hides a key */
} hone_mask_kind;

typedef struct hone_attention {
  const hone_tile_set *tiles;
  size_t batch, heads, kv_heads;
  size_t queries, keys;
  size_t depth, value_depth; /* features of q and k, and of v and out */
  int q, k, v, mask, out;    /* indices into io->in (out: io->out) */
  hone_attention_strides q_strides, k_strides, v_strides, out_strides;
  hone_mask_kind mask_kind;
  /* Elements of the mask from batch to batch, head to head, query to query, key to key; 0 repeats.
   * The last is 0 or 1. */
  ptrdiff_t mask_batch, mask_head, mask_query, mask_key;
  size_t mask_keys; /* keys beyond these are hidden; 0: the mask has all */
  bool causal, has_left, has_right;
  ptrdiff_t causal_offset; /* keys - queries aligns the last of both */
  ptrdiff_t left, right;
  /* Known at run: how many keys count, and what is added to the place; none where absent. Indices
   * into io->in; one number a batch, or one for all. */
  hone_dtype lengths_type, offset_type;
  int lengths, offset;
  bool lengths_by_batch, offset_by_batch;
  float scale, softcap;
} hone_attention;

/* Copies *attention into the arena. One phase; LIMIT when the scratch does not fit in memory. */
hone_status *hone_attention_plan(const hone_attention *attention, hone_arena *arena,
                                 hone_kernel_plan *out);

#endif
