/* Numbers in order for one instruction set: included by keys_*.c with KEYS_SET defined.
 * Room: backend/cpu/lines. */
#include "backend/cpu/lines/keys.h"
#include "backend/cpu/simd/simd_f64.h"

/* ---- The best of few ------------------------------------------------------------------------ */

/* Signed numbers in the order of the floats: one zero, NaN above all; below them 32 free bits. */
HONE_INLINE vd_bits keys_of(few_floats x, int32_t flip) {
  few_places bits = (few_places)(x + 0), nan = (bits & INT32_MAX) > 0x7f800000;
  few_places key = ((bits ^ ((bits >> 31) & INT32_MAX)) & ~nan) | (nan & (INT32_MAX - 1));
  return __builtin_convertvector(key ^ flip, vd_bits) << 32;
}

/* Every key is another, since its lower half is the place turned around: what is better was taken
 * before. */
static void pick(const float *x, size_t count, size_t k, bool smallest, uint64_t *positions) {
  vd_bits keys[HONE_KEYS_FEW / VD_LANES], lane;
  const vd_bits none = (vd_bits){0} + INT64_MIN;
  const size_t vectors = (count + VD_LANES - 1) / VD_LANES;
  for (int i = 0; i < VD_LANES; i++) lane[i] = i;
  for (size_t v = 0; v < vectors; v++) {
    size_t left = count - v * VD_LANES;
    few_floats in = {0};
    if (left >= VD_LANES)
      memcpy(&in, x + v * VD_LANES, sizeof in);
    else
      for (size_t i = 0; i < left; i++) in[i] = x[v * VD_LANES + i];
    vd_bits there = lane < (int64_t)left;
    vd_bits key = keys_of(in, -(int32_t)smallest) | (UINT32_MAX - (int64_t)(v * VD_LANES) - lane);
    keys[v] = (key & there) | (none & ~there);
  }
  vd_bits last = (vd_bits){0} + INT64_MAX;
  for (size_t i = 0; i < k; i++) {
    vd_bits best = none;
    for (size_t v = 0; v < vectors; v++) {
      vd_bits left = keys[v] < last;
      best = vd_bits_max(best, (keys[v] & left) | (none & ~left));
    }
    if (VD_LANES > 4) best = vd_bits_max(best, (vd_bits)vd_swap4((vd)best));
    if (VD_LANES > 2) best = vd_bits_max(best, (vd_bits)vd_swap2((vd)best));
    last = vd_bits_max(best, (vd_bits)vd_swap1((vd)best));
    positions[i] = UINT32_MAX - (uint32_t)last[0];
  }
}

/* ---- Keys ----------------------------------------------------------------------------------- */

/* As signed numbers: the sign bit is turned at the end. */
HONE_INLINE vd_bits key_f64(vd_bits bits) {
  vd x = (vd)bits + vd_set(0); /* one zero */
  vd_bits key = (vd_bits)x ^ (((vd_bits)x >> 63) & INT64_MAX), odd = (vd_bits)(x != x);
  return (key & ~odd) | (odd & INT64_MAX);
}
HONE_INLINE vd_bits key_s64(vd_bits bits) {
  return bits;
}

HONE_INLINE vd_bits key_s32(vd_bits bits) {
  return bits;
}

HONE_INLINE int64_t keys_greatest(vd_bits most) {
  if (VD_LANES > 4) most = vd_bits_max(most, (vd_bits)vd_swap4((vd)most));
  if (VD_LANES > 2) most = vd_bits_max(most, (vd_bits)vd_swap2((vd)most));
  return vd_bits_max(most, (vd_bits)vd_swap1((vd)most))[0];
}

#define KEYS(name, type, few)                                                                   \
  HONE_INLINE vd_bits ordered_##name(few in, vd_bits turn) {                                    \
    return key_##name(__builtin_convertvector(in, vd_bits)) ^ turn;                             \
  }                                                                                             \
  static uint64_t keys_##name(const type *x, size_t step, size_t count, uint64_t flip,          \
                              uint64_t *keys) {                                                 \
    const vd_bits turn = (vd_bits){0} + (int64_t)flip;                                          \
    vd_bits most = (vd_bits){0} + INT64_MIN, bits;                                              \
    few in = {0};                                                                               \
    size_t i = 0;                                                                               \
    for (; step == 1 && i + VD_LANES <= count; i += VD_LANES) {                                 \
      memcpy(&in, x + i, sizeof in);                                                            \
      bits = ordered_##name(in, turn);                                                          \
      most = vd_bits_max(most, bits);                                                           \
      bits ^= INT64_MIN;                                                                        \
      memcpy(keys + i, &bits, sizeof bits);                                                     \
    }                                                                                           \
    for (size_t n; i < count; i += n) {                                                         \
      n = count - i < VD_LANES ? count - i : VD_LANES;                                          \
      for (size_t k = 0; k < VD_LANES; k++) /* some twice */                                    \
        memcpy((char *)&in + k * sizeof(type), x + (i + (k < n ? k : 0)) * step, sizeof(type)); \
      bits = ordered_##name(in, turn);                                                          \
      most = vd_bits_max(most, bits);                                                           \
      for (size_t k = 0; k < n; k++) keys[i + k] = (uint64_t)bits[k] ^ (uint64_t)1 << 63;       \
    }                                                                                           \
    return (uint64_t)keys_greatest(most) ^ (uint64_t)1 << 63;                                   \
  }
KEYS(f64, double, vd_bits)
KEYS(s64, int64_t, vd_bits)
KEYS(s32, int32_t, few_places)
#undef KEYS

static uint64_t keys_less_f64(const double *x, size_t count, uint64_t *keys) {
  double less[8 * VD_LANES];
  uint64_t most = 0;
  for (size_t i = 0, n; i < count; i += n) {
    n = count - i < 8 * VD_LANES ? count - i : 8 * VD_LANES;
    for (size_t k = 0; k < n; k++) less[k] = -x[i + k];
    uint64_t greatest = keys_f64(less, 1, n, 0, keys + i);
    most = greatest > most ? greatest : most;
  }
  return most;
}

HONE_INLINE vd_bits keys_load(const uint64_t *keys) {
  vd_bits x;
  memcpy(&x, keys, sizeof x);
  return x ^ INT64_MIN;
}

static size_t find_key(const uint64_t *keys, size_t begin, size_t end, uint64_t limit) {
  const vd_bits most = (vd_bits){0} + (int64_t)(limit ^ (uint64_t)1 << 63);
  size_t i = begin;
  for (; i + VD_LANES <= end; i += VD_LANES)
    if (vd_any((vd_bits)(keys_load(keys + i) > most))) break;
  while (i < end && keys[i] <= limit) i++;
  return i;
}

static size_t pick_keys(uint64_t *keys, size_t count, size_t k, uint64_t *positions) {
  for (size_t p = 0; p < k; p++) {
    vd_bits most = (vd_bits){0} + INT64_MIN;
    size_t i = 0;
    for (; i + VD_LANES <= count; i += VD_LANES) most = vd_bits_max(most, keys_load(keys + i));
    uint64_t greatest = (uint64_t)keys_greatest(most) ^ (uint64_t)1 << 63;
    for (; i < count; i++) greatest = keys[i] > greatest ? keys[i] : greatest;
    if (greatest == 0) return p;
    positions[p] = find_key(keys, 0, count, greatest - 1);
    keys[positions[p]] = 0;
  }
  return k;
}

static void most_of_line(const int64_t *x, size_t count, int64_t turn, int64_t *total) {
  const vd_bits turns = (vd_bits){0} + turn;
  vd_bits a = (vd_bits){0} + (*total ^ turn), b = a, in[2];
  size_t i = 0;
  for (; i + 2 * VD_LANES <= count; i += 2 * VD_LANES) {
    memcpy(in, x + i, sizeof in);
    a = vd_bits_max(a, in[0] ^ turns);
    b = vd_bits_max(b, in[1] ^ turns);
  }
  int64_t most = keys_greatest(vd_bits_max(a, b));
  for (; i < count; i++) most = (x[i] ^ turn) > most ? x[i] ^ turn : most;
  *total = most ^ turn;
}

static void most_of_rows(const int64_t *x, size_t count, int64_t turn, int64_t *total) {
  const vd_bits turns = (vd_bits){0} + turn;
  size_t i = 0;
  for (; i + VD_LANES <= count; i += VD_LANES) {
    vd_bits in, t;
    memcpy(&in, x + i, sizeof in);
    memcpy(&t, total + i, sizeof t);
    t = vd_bits_max(in ^ turns, t ^ turns) ^ turns;
    memcpy(total + i, &t, sizeof t);
  }
  for (; i < count; i++) total[i] = (x[i] ^ turn) > (total[i] ^ turn) ? x[i] : total[i];
}

const hone_keys KEYS_SET = {.pick = pick,
                            .keys_f64 = keys_f64,
                            .keys_s64 = keys_s64,
                            .keys_s32 = keys_s32,
                            .keys_less_f64 = keys_less_f64,
                            .find_key = find_key,
                            .pick_keys = pick_keys,
                            .most_of_line = most_of_line,
                            .most_of_rows = most_of_rows};
