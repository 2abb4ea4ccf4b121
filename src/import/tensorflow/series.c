/* Series, sets, bands of matrices, orders of axes. Room: import. */
#include <string.h>

#include "import/tensorflow/map.h"

/* `count` numbers from start to stop, both included. */
static hone_status *import_lin_space(hone_call *call) {
  hone_value *start = hone_tf_in(call, 0), *stop = hone_tf_in(call, 1);
  hone_dtype dtype = start->type.dtype;
  hone_value *count = hone_emit_cast(call, hone_tf_in(call, 2), HONE_S64);
  hone_value *zero = hone_emit_int(call, 0), *one = hone_emit_int(call, 1);
  hone_value *steps = HONE_EMIT(call, "max", HONE_EMIT(call, "sub", count, one), one);
  hone_value *index = HONE_EMIT(call, "range", zero, count, one);
  hone_value *step = HONE_EMIT(call, "div", HONE_EMIT(call, "sub", stop, start),
                               hone_emit_cast(call, steps, dtype));
  hone_value *y = HONE_EMIT(call, "add", start,
                            HONE_EMIT(call, "mul", step, hone_emit_cast(call, index, dtype)));
  hone_value *last = HONE_EMIT(call, "equal", index, steps); /* exactly, whatever rounding does */
  hone_tf_return(call, 0, HONE_EMIT(call, "select", last, stop, y));
  return NULL;
}

/* Keeps what is not farther from the diagonal than two counts; a negative one keeps all. */
static hone_status *import_band_part(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  int64_t lower = hone_tf_known_int(call, 1), upper = hone_tf_known_int(call, 2);
  if (lower >= 0 && lower <= INT32_MAX) {
    hone_node *node = HONE_EMIT_BEGIN(call, "trilu", x, hone_emit_int(call, -lower));
    hone_emit_set_int(call, node, "upper", true);
    x = hone_emit_end(call, node);
  }
  if (upper >= 0 && upper <= INT32_MAX) {
    hone_node *node = HONE_EMIT_BEGIN(call, "trilu", x, hone_emit_int(call, upper));
    hone_emit_set_int(call, node, "upper", false);
    x = hone_emit_end(call, node);
  }
  hone_tf_return(call, 0, x);
  return NULL;
}

/* Each element once, as it first comes; for each element which of these it is; how often. */
static hone_status *import_unique(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  int counts = strcmp(hone_tf_op(call), "UniqueWithCounts") == 0;
  hone_dtype dtype = hone_tf_dtype(call, "out_idx", HONE_S32);
  hone_node *node = hone_emit_begin(call, "unique", &x, 1, 3 + counts);
  hone_emit_set_int(call, node, "sorted", false);
  hone_tf_return(call, 0, hone_emit_end(call, node));
  hone_tf_return(call, 1, hone_emit_cast(call, hone_emit_out(call, node, 2), dtype));
  if (counts) hone_tf_return(call, 2, hone_emit_cast(call, hone_emit_out(call, node, 3), dtype));
  return NULL;
}

/* Where each letter of one format stands in the other; fails where the letters differ. */
static size_t order_of(hone_call *call, const char *of, const char *in, int64_t *out) {
  size_t count = strlen(of);
  if (count < 1 || count > HONE_MAX_RANK || strlen(in) != count) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "formats of different axes");
    return 0;
  }
  for (size_t i = 0; i < count; i++) {
    const char *at = strchr(in, of[i]);
    if (!at) hone_emit_fail(call, HONE_INVALID_MODEL, "formats of different axes");
    out[i] = at ? at - in : 0;
  }
  return count;
}

/* A vector (or rows of pairs) with one entry an axis, in another order of the axes. Entries for
 * the spatial axes alone go in their order among themselves. */
static hone_status *import_vec_permute(hone_call *call) {
  int64_t order[HONE_MAX_RANK];
  char from[HONE_MAX_RANK + 1], to[HONE_MAX_RANK + 1];
  hone_value *x = hone_tf_in(call, 0);
  const char *texts[] = {hone_tf_text(call, "src_format", "NHWC"),
                         hone_tf_text(call, "dst_format", "NCHW")};
  char *const names[] = {from, to};
  bool short_one = x->type.shape.rank > 0 &&
                   x->type.shape.dim[0] == (hone_dim)strlen(texts[0]) - 2;
  for (int i = 0; i < 2; i++) {
    size_t used = 0;
    for (const char *c = texts[i]; *c && used < HONE_MAX_RANK; c++)
      if (!short_one || (*c != 'N' && *c != 'C')) names[i][used++] = *c;
    names[i][used] = 0;
  }
  size_t count = order_of(call, to, from, order);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "gather", x, hone_emit_ints(call, order, count));
  hone_emit_set_int(call, node, "axis", 0);
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* Numbers of axes in one order become those in another; negative ones count from the end. */
static hone_status *import_dim_map(hone_call *call) {
  int64_t order[HONE_MAX_RANK];
  hone_value *x = hone_tf_in(call, 0);
  size_t count = order_of(call, hone_tf_text(call, "src_format", "NHWC"),
                          hone_tf_text(call, "dst_format", "NCHW"), order);
  hone_value *table = hone_emit_ints(call, order, count);
  hone_tf_return(call, 0, hone_emit_cast(call, HONE_EMIT(call, "gather", table, x), x->type.dtype));
  return NULL;
}

const hone_tf_row hone_tf_series[] = {
    {"DataFormatDimMap", .import = import_dim_map},
    {"DataFormatVecPermute", .import = import_vec_permute},
    {"LinSpace", .import = import_lin_space},
    {"MatrixBandPart", .import = import_band_part},
    {"Unique", .import = import_unique, .outputs = "y idx"},
    {"UniqueWithCounts", .import = import_unique, .outputs = "y idx count"},
    {0},
};
