/* GroupQueryAttention of com.microsoft, the attention of decoders with a cache of keys and values.
 * Room: import. */
#include <math.h>
#include <string.h>

#include "import/onnx/heads.h"
#include "import/onnx/quantised.h"

enum {
  QUERY,
  KEY,
  VALUE,
  PAST_KEY,
  PAST_VALUE,
  LAST_KEY, /* [b]: how many keys count, minus 1 */
  TOTAL,    /* the most of them, the new ones included */
  COS,
  SIN,
  POSITIONS,
  BIAS,
  SINK,
  KEY_SCALE,
  VALUE_SCALE,
  QUERY_NORM,
  KEY_NORM
};

typedef struct group {
  hone_value *q, *k, *v;      /* [b, heads, s, d] */
  hone_value *start;          /* [b]: where the new keys stand; NULL without a past */
  hone_value *mask, *lengths; /* added to the scores; how many keys count */
  hone_value *offset;         /* the first query's place among the keys */
  int64_t heads, shared, window;
} group;

static hone_value *ints(hone_call *call, int64_t value) {
  return hone_emit_ints(call, &value, 1);
}

static hone_value *plus_one(hone_call *call, hone_value *x) {
  return HONE_EMIT(call, "add", x, hone_emit_int(call, 1));
}

static hone_value *size_of(hone_call *call, hone_value *x, int axis) {
  return hone_emit_dims(call, x, axis, axis + 1);
}

static hone_value *unsqueeze(hone_call *call, hone_value *x, const int64_t *axes, size_t count) {
  return HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, axes, count));
}

static bool is_known(hone_call *call) {
  if (hone_onnx_int(call, "qk_output", 0) || hone_onnx_flag(call, "sliding_window_cache", false))
    hone_emit_fail(call, HONE_UNSUPPORTED, "scores as an output, or a cache as long as the window");
  if (hone_onnx_in(call, KEY_SCALE) && hone_onnx_int(call, "kv_cache_bit_width", 8) != 8)
    hone_emit_fail(call, HONE_UNSUPPORTED, "caches of other than 8 bits");
  return !call->status;
}

/* Heads of q, k and v, whether they came apart or packed as columns of the query. */
static void read_heads(hone_call *call, group *g) {
  hone_value *q = hone_onnx_need(call, QUERY), *k = hone_onnx_in(call, KEY);
  hone_value *v = hone_onnx_in(call, VALUE);
  if (!k) {
    hone_dim width = hone_emit_rank(call, q) == 3 ? q->type.shape.dim[2] : -1;
    if (!hone_dim_known(width)) {
      hone_emit_fail(call, HONE_UNSUPPORTED, "packed projections of unknown width");
      return;
    }
    int64_t head = width / (g->heads + 2 * g->shared), middle = g->heads * head;
    k = hone_onnx_columns(call, q, middle, middle + g->shared * head);
    v = hone_onnx_columns(call, q, middle + g->shared * head, INT64_MAX);
    q = hone_onnx_columns(call, q, 0, middle);
  }
  g->q = hone_onnx_split_heads(call, q, g->heads);
  g->k = hone_onnx_split_heads(call, k, g->shared);
  g->v = hone_onnx_split_heads(call, v, g->shared);
}

/* x normalised head by head, where the node has a scale for it. */
static hone_value *normalise(hone_call *call, hone_value *x, int scale) {
  if (!hone_onnx_in(call, scale)) return x;
  hone_node *node = HONE_EMIT_BEGIN(call, "rms_norm", x, hone_onnx_in(call, scale));
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "qk_norm_epsilon", 1e-6));
  return hone_emit_end(call, node);
}

static void turn(hone_call *call, group *g) {
  hone_value *cos = hone_onnx_need(call, COS), *sin = hone_onnx_need(call, SIN);
  hone_value *positions = hone_onnx_in(call, POSITIONS);
  if (!positions) {
    positions = hone_onnx_counting(call, g->q, 2);
    if (g->start)
      positions = HONE_EMIT(call, "add", positions, unsqueeze(call, g->start, (int64_t[]){1}, 1));
  }
  g->q = hone_onnx_rotate(call, g->q, cos, sin, positions, "rotary_interleaved");
  g->k = hone_onnx_rotate(call, g->k, cos, sin, positions, "rotary_interleaved");
}

/* ---- The cache ---- */

/* A scale of the cache, for all or one a head and column, to broadcast over [b, heads, t, d]. */
static hone_value *cache_scale(hone_call *call, int index, const char *kind, int64_t shared) {
  hone_value *scale = hone_onnx_in(call, index);
  bool by_channel = strcmp(hone_onnx_text(call, kind, "NONE"), "PER_CHANNEL") == 0;
  if (!scale) return NULL;
  return by_channel ? hone_emit_reshape(call, scale, (const int64_t[]){1, shared, 1, -1}, 4)
                    : hone_emit_reshape(call, scale, NULL, 0);
}

static hone_value *narrow(hone_call *call, hone_value *x, hone_value *scale, hone_dtype dtype) {
  hone_value *y = HONE_EMIT(call, "div", hone_emit_cast(call, x, HONE_F32), scale);
  if (hone_dtype_class_of(dtype) != HONE_CLASS_FLOAT)
    y = HONE_EMIT(call, "clip", HONE_EMIT(call, "round", y), hone_emit_real(call, HONE_F32, -128),
                  hone_emit_real(call, HONE_F32, 127));
  return hone_emit_cast(call, y, dtype);
}

/* The past with the new ones written behind what counts of it. The past may be longer than that:
 * a buffer with room for what comes, which is then as long as the result. */
static hone_value *keep(hone_call *call, const group *g, hone_value *past, hone_value *fresh) {
  if (!past) return fresh;
  hone_value *total = hone_emit_cast(call, hone_onnx_need(call, TOTAL), HONE_S64);
  hone_value *length = HONE_EMIT(call, "max", size_of(call, past, 2),
                                 hone_emit_reshape(call, total, (const int64_t[]){1}, 1));
  hone_value *room = HONE_EMIT(call, "slice", hone_onnx_append(call, past, fresh, 2), ints(call, 0),
                               length, ints(call, 2));
  hone_node *node = HONE_EMIT_BEGIN(call, "tensor_scatter", room, fresh, g->start);
  hone_emit_set_int(call, node, "axis", 2);
  return hone_emit_end(call, node);
}

/* Puts the new keys or values into the cache, returns it as output `index`, gives all of them. */
static hone_value *cached(hone_call *call, const group *g, hone_value *fresh, int past_index,
                          int index, hone_value *scale) {
  hone_value *past = hone_onnx_in(call, past_index);
  hone_dtype dtype = fresh->type.dtype;
  if (scale) fresh = narrow(call, fresh, scale, past ? past->type.dtype : HONE_S8);
  hone_value *all = keep(call, g, past, fresh);
  if (hone_onnx_wants(call, index)) hone_onnx_return(call, index, all);
  if (!scale) return all;
  all = HONE_EMIT(call, "mul", hone_emit_cast(call, all, HONE_F32), scale);
  return hone_emit_cast(call, all, dtype);
}

/* ---- Sinks ---- */

/* x with `before` and `after` zeros along `axis`. */
static hone_value *padded(hone_call *call, hone_value *x, int64_t axis, hone_value *before,
                          hone_value *after) {
  return HONE_EMIT(call, "pad", x, hone_onnx_append(call, before, after, 0), NULL,
                   ints(call, axis));
}

/* What forbids a query the keys more than the window behind it, and never the sink in place 0. */
static hone_value *window_mask(hone_call *call, const group *g) {
  hone_value *keys = hone_onnx_counting(call, g->k, 2);
  hone_value *queries = unsqueeze(call, hone_onnx_counting(call, g->q, 2), (int64_t[]){1, 3}, 2);
  if (g->offset) {
    hone_value *offset = hone_emit_reshape(call, g->offset, (const int64_t[]){-1}, 1);
    queries = HONE_EMIT(call, "add", queries, unsqueeze(call, offset, (int64_t[]){1, 2, 3}, 3));
  }
  hone_value *least = HONE_EMIT(call, "sub", queries, hone_emit_int(call, g->window - 1));
  hone_value *sees = HONE_EMIT(call, "or", HONE_EMIT(call, "greater_equal", keys, least),
                               HONE_EMIT(call, "equal", keys, hone_emit_int(call, 0)));
  hone_dtype dtype = g->q->type.dtype;
  return HONE_EMIT(call, "select", sees, hone_emit_real(call, dtype, 0),
                   hone_emit_real(call, dtype, -INFINITY));
}

/* A sink takes part of each head's softmax and gives nothing: a key of zeros before all others, to
 * whose score of 0 the mask adds the sink. */
static void add_sink(hone_call *call, group *g, hone_value *sink) {
  hone_value *none = ints(call, 0), *one = ints(call, 1), *keys = size_of(call, g->k, 2);
  hone_value *columns = hone_emit_reshape(call, sink, (const int64_t[]){1, -1, 1, 1}, 4);
  if (g->mask) g->mask = padded(call, g->mask, 3, one, none);
  columns = padded(call, columns, 3, none, keys);
  g->mask = g->mask ? HONE_EMIT(call, "add", g->mask, columns) : columns;
  g->k = padded(call, g->k, 2, one, none);
  g->v = padded(call, g->v, 2, one, none);
  g->lengths = plus_one(call, g->lengths);
  g->offset = g->offset ? plus_one(call, g->offset) : hone_emit_int(call, 1);
  if (g->window <= 0) return;
  g->mask = HONE_EMIT(call, "add", g->mask, window_mask(call, g));
  g->window = -1;
}

static hone_value *sink_of(hone_call *call, const group *g) {
  hone_value *sink = hone_onnx_in(call, SINK);
  if (sink || hone_onnx_int(call, "smooth_softmax", 0) <= 0) return sink;
  return HONE_EMIT(call, "expand", hone_emit_real(call, g->q->type.dtype, 0), ints(call, g->heads));
}

/* ---- All of it ---- */

static hone_value *attend(hone_call *call, const group *g) {
  hone_value *inputs[] = {g->q, g->k, g->v, g->mask, g->lengths, g->offset};
  hone_node *node = hone_emit_begin(call, "attention", inputs, 6, 1);
  hone_emit_set_real(call, node, "scale", hone_onnx_real(call, "scale", 0));
  hone_emit_set_int(call, node, "causal", hone_onnx_flag(call, "causal", true));
  hone_emit_set_real(call, node, "softcap", hone_onnx_real(call, "softcap", 0));
  if (g->window > 0) hone_emit_set_int(call, node, "left", g->window - 1);
  return hone_emit_end(call, node);
}

static hone_status *import_group_query(hone_call *call) {
  group g = {.heads = hone_onnx_int_in(call, "num_heads", 0, 1, INT16_MAX),
             .shared = hone_onnx_int_in(call, "kv_num_heads", 0, 1, INT16_MAX),
             .window = hone_onnx_int_in(call, "local_window_size", -1, -1, INT32_MAX),
             .mask = hone_onnx_in(call, BIAS)};
  if (!is_known(call)) return NULL;
  read_heads(call, &g);
  if (call->status) return NULL;
  g.lengths = plus_one(call, hone_emit_cast(call, hone_onnx_need(call, LAST_KEY), HONE_S64));
  g.lengths = hone_emit_reshape(call, g.lengths, (const int64_t[]){-1}, 1);
  if (hone_onnx_in(call, PAST_KEY)) {
    /* A first prompt in a padded batch has more queries than keys that count. */
    hone_value *before = HONE_EMIT(call, "sub", g.lengths, size_of(call, g.q, 2));
    g.start = g.offset = HONE_EMIT(call, "max", before, hone_emit_int(call, 0));
  }
  g.q = normalise(call, g.q, QUERY_NORM);
  g.k = normalise(call, g.k, KEY_NORM);
  if (hone_onnx_flag(call, "do_rotary", false)) turn(call, &g);
  hone_value *k_scale = cache_scale(call, KEY_SCALE, "k_quant_type", g.shared);
  hone_value *v_scale = cache_scale(call, VALUE_SCALE, "v_quant_type", g.shared);
  g.k = cached(call, &g, g.k, PAST_KEY, 1, k_scale);
  g.v = cached(call, &g, g.v, PAST_VALUE, 2, v_scale);
  hone_value *sink = sink_of(call, &g);
  if (sink) add_sink(call, &g, sink);
  hone_onnx_return(call, 0, hone_onnx_join_heads(call, attend(call, &g)));
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_group_query[] = {
    {"com.microsoft", "GroupQueryAttention", 1, 0, .import = import_group_query}, {0}};
