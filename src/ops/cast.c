/* cast: elements as another type. Room: ops.
 *
 * Floats round once, half to even; to integers they are cut toward zero; integers wrap; bool is
 * what is not 0. `saturate` and `round` speak of the 8-bit float targets only, as in ONNX's Cast:
 * saturate turns what is out of range into the greatest value, round is how f8e8m0 rounds. */
#include <math.h>
#include <string.h>

#include "ops/cast.h"
#include "ops/cast_text.h"
#include "ops/ops.h"

enum { BLOCK = 256 };

static hone_status *cast_infer(hone_infer *infer) {
  hone_dtype from = infer->in[0]->dtype, to = hone_node_dtype(infer->node, "to");
  hone_dtype_class from_class = hone_dtype_class_of(from);
  infer->out[0] = hone_tensor_type(to, infer->in[0]->shape);
  if (to == HONE_DTYPE_NONE) return hone_infer_fail(infer, "to no type");
  if (from != to && (from_class == HONE_CLASS_COMPLEX ||
                     (from == HONE_STR && hone_dtype_class_of(to) == HONE_CLASS_COMPLEX)))
    return hone_infer_fail(infer, "from %s to %s", hone_dtype_name(from), hone_dtype_name(to));
  return NULL;
}

/* The greatest value of an 8-bit float type; 0 for all others. */
static double greatest(hone_dtype dtype) {
  switch (dtype) {
    case HONE_F8E4M3: return 448;
    case HONE_F8E4M3FNUZ: return 240;
    case HONE_F8E5M2:
    case HONE_F8E5M2FNUZ: return 57344;
    case HONE_F8E8M0: return 0x1p127;
    default: return 0;
  }
}

/* A positive number as the power of two that the rounding mode picks. */
static double to_power(double x, char round) {
  int exponent;
  double fraction = frexp(x, &exponent); /* in [0.5, 1) */
  if (!(x > 0) || isinf(x) || round == 'n') return x;
  return ldexp(1, round == 'u' && fraction > 0.5 ? exponent : exponent - 1);
}

void hone_cast_adjust(hone_dtype to, bool saturate, char round, double *x, size_t count) {
  double limit = greatest(to);
  if (limit == 0) return;
  for (size_t i = 0; i < count; i++) {
    if (to == HONE_F8E8M0) x[i] = to_power(x[i], round);
    if (saturate && x[i] > limit) x[i] = limit;
    if (saturate && x[i] < -limit) x[i] = -limit;
    if (saturate && to == HONE_F8E8M0 && x[i] == 0) x[i] = 0x1p-127;
  }
}

static void cast_reals(const hone_node *node, const hone_datum *x, const hone_datum *y,
                       size_t begin, size_t count) {
  double block[BLOCK];
  hone_load_reals(x->dtype, x->data, begin, count, block);
  hone_cast_adjust(y->dtype, hone_node_flag(node, "saturate"), hone_node_text(node, "round")[0],
                   block, count);
  hone_store_reals(y->dtype, y->data, begin, count, block);
}

/* Bits that fall off f64 mark the last kept one, so that the second rounding is as good as one. */
void hone_cast_large(hone_dtype to, const int64_t *x, size_t count, void *y, size_t at) {
  if (hone_dtype_class_of(to) != HONE_CLASS_FLOAT) return;
  for (size_t i = 0; i < count; i++) {
    uint64_t value = (uint64_t)x[i], kept = value & ~UINT64_C(0x7ff);
    if (value >> 63 == 0) continue;
    if (to != HONE_F64) value = kept | (uint64_t)(value != kept) << 11;
    hone_store_real(to, y, at + i, (double)value);
  }
}

static void cast_ints(const hone_datum *x, const hone_datum *y, size_t begin, size_t count) {
  int64_t block[BLOCK];
  hone_load_ints(x->dtype, x->data, begin, count, block);
  hone_store_ints(y->dtype, y->data, begin, count, block);
  if (x->dtype == HONE_U64) hone_cast_large(y->dtype, block, count, y->data, begin);
}

static hone_status *cast_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *y = ref->out[0];
  size_t total = hone_datum_count(x), bytes;
  if (x->dtype == y->dtype) {
    if (hone_dtype_bytes(x->dtype, total, &bytes) && x->data != y->data)
      memcpy(y->data, x->data, bytes);
    return NULL;
  }
  if (x->dtype == HONE_STR) return hone_cast_from_text(x, y);
  if (y->dtype == HONE_STR) return hone_cast_to_text(x, y, ref->objects);
  bool from_float = hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT;
  hone_dtype_class to = hone_dtype_class_of(y->dtype);
  bool reals = (from_float && (to == HONE_CLASS_FLOAT || to == HONE_CLASS_BOOLEAN)) ||
               greatest(y->dtype) > 0 || to == HONE_CLASS_COMPLEX;
  for (size_t begin = 0; begin < total; begin += BLOCK) {
    size_t count = total - begin < BLOCK ? total - begin : BLOCK;
    if (reals) cast_reals(ref->node, x, y, begin, count);
    else cast_ints(x, y, begin, count);
  }
  return NULL;
}

const hone_op hone_op_cast = {.name = "cast",
                              .inputs = "x",
                              .outputs = "y",
                              .attrs = {{"to", HONE_ATTR_DTYPE, NULL, NULL},
                                        {"saturate", HONE_ATTR_FLAG, "true", NULL},
                                        {"round", HONE_ATTR_CHOICE, "nearest", "up|down|nearest"}},
                              .facts = HONE_POINTWISE,
                              .infer = cast_infer,
                              .reference = cast_reference};
