/* The softmax of attention for one instruction set: included by attention_softmax_*.c with
 * SOFTMAX_BLOCK and SCALE defined. Room: backend/cpu/products. */
#include <float.h>

#include "backend/cpu/products/attention_softmax.h"
#include "backend/cpu/simd/simd_math.h"

/* 0 for hidden keys, more for others; zeros beyond `n`. */
HONE_INLINE vf kept(const hone_softmax_row *row, size_t j, int n) {
  unsigned char last[VF_LANES] = {0};
  const unsigned char *keep = row->mask;
  if (row->mask_repeats) return vf_set(keep[0]);
  if (n == VF_LANES) return vf_load_bytes(keep + j);
  memcpy(last, keep + j, (size_t)n);
  return vf_load_bytes(last);
}

/* Scores of `n` keys from key j on, scaled, capped and masked. */
HONE_INLINE vf finished_scores(const hone_softmax_row *row, size_t j, int n) {
  const vf hidden = vf_set(-INFINITY);
  vf s = vf_mul(vf_load_n(row->scores + j, n), vf_set(row->scale));
  if (row->softcap != 0) s = vf_mul(vf_tanh(vf_div(s, vf_set(row->softcap))), vf_set(row->softcap));
  if (row->mask && row->mask_kind == HONE_MASK_ADD) {
    const float *mask = row->mask;
    s = vf_add(s, row->mask_repeats ? vf_set(*mask) : vf_load_n(mask + j, n));
  } else if (row->mask) {
    s = vf_less(vf_set(0), kept(row, j, n), s, hidden);
  }
  return s;
}

void SCALE(float *out, size_t count, float by) {
  size_t i = 0;
  for (; i + VF_LANES <= count; i += VF_LANES)
    vf_store(out + i, vf_mul(vf_load(out + i), vf_set(by)));
  for (; i < count; i++) out[i] *= by;
}

/* NaN scores make the sum NaN, whatever happens to the maximum. */
void SOFTMAX_BLOCK(const hone_softmax_row *shared) {
  const hone_softmax_row copy = *shared, *row = &copy; /* which no store can change */
  vf largest = vf_set(-INFINITY), sum = vf_set(0);
  size_t visible = row->visible;
  for (size_t j = 0; j < visible; j += VF_LANES) {
    int n = visible - j < VF_LANES ? (int)(visible - j) : VF_LANES;
    vf s = finished_scores(row, j, n);
    vf_store_n(row->scores + j, s, n);
    if (n < VF_LANES) { /* lanes beyond the end must not win */
      float lane[VF_LANES];
      vf_store(lane, s);
      for (int i = n; i < VF_LANES; i++) lane[i] = -INFINITY;
      s = vf_load(lane);
    }
    largest = vf_max(s, largest);
  }
  float before = *row->largest, now = vf_largest(largest);
  if (!(now > before)) now = before;
  /* A row that sees nothing so far must not compute infinity - infinity. */
  float base = now > -FLT_MAX ? now : -FLT_MAX;
  float shrink = 0;
  if (before > -INFINITY) vf_store_n(&shrink, vf_exp(vf_set(before - base)), 1);
  size_t j = 0;
  for (; j + VF_LANES <= visible; j += VF_LANES) {
    vf e = vf_exp(vf_sub(vf_load(row->scores + j), vf_set(base)));
    vf_store(row->scores + j, e);
    sum = vf_add(sum, e);
  }
  float total = vf_sum(sum);
  if (j < visible) {
    int n = (int)(visible - j);
    float lane[VF_LANES];
    vf_store(lane, vf_exp(vf_sub(vf_load_n(row->scores + j, n), vf_set(base))));
    for (int i = 0; i < n; i++) total += lane[i];
    memcpy(row->scores + j, lane, (size_t)n * sizeof(float));
  }
  memset(row->scores + visible, 0, (row->keys - visible) * sizeof(float));
  if (shrink != 1 && *row->sum != 0) SCALE(row->out, row->value_depth, shrink);
  *row->largest = now;
  *row->sum = *row->sum * shrink + total;
}
