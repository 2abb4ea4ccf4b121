/* attention: softmax(scale * q k' + mask) v for heads that may share keys and values. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"

enum { Q, K, V, MASK, LENGTHS, OFFSET };
enum { Y, SCORES };

/* The mask broadcasts to [b, h, s, t]; its last axis may also stop short of t, which forbids the
 * keys beyond it. */
static hone_status *check_mask(const hone_infer *infer, const hone_dim *sizes) {
  const hone_type *mask = hone_infer_in(infer, MASK);
  if (!mask || mask->shape.rank < 0) return NULL;
  if (mask->dtype && mask->dtype != HONE_BOOL) HONE_TRY(hone_infer_same_dtype(infer, MASK));
  if (mask->shape.rank > 4) return hone_infer_fail(infer, "the mask has more than 4 dimensions");
  for (int i = 0; i < mask->shape.rank; i++) {
    int axis = i + 4 - mask->shape.rank;
    hone_dim has = mask->shape.dim[i], wants = sizes[axis];
    if (has == 1 || !hone_dim_known(has) || !hone_dim_known(wants)) continue;
    if (axis == 3 ? has > wants : has != wants)
      return hone_infer_fail(infer, "axis %d of the mask is %lld, not %lld", i, (long long)has,
                             (long long)wants);
  }
  return NULL;
}

static hone_status *check_per_batch(const hone_infer *infer, int index, hone_dim batch) {
  const hone_type *type = hone_infer_in(infer, index);
  HONE_TRY(hone_infer_class(infer, index, HONE_INTEGERS));
  if (!type || type->shape.rank <= 0) return NULL;
  hone_dim has = type->shape.dim[0], both;
  if (type->shape.rank > 1 || (has != 1 && !hone_dim_unify(has, batch, &both)))
    return hone_infer_fail(infer, "input %d is neither a scalar nor one number a batch", index);
  return NULL;
}

static hone_status *attention_infer(hone_infer *infer) {
  for (int i = Q; i <= V; i++) {
    HONE_TRY(hone_infer_class(infer, i, HONE_FLOATS));
    if (i != V) HONE_TRY(hone_infer_same_dtype(infer, i));
    HONE_TRY(hone_infer_rank(infer, i, 4));
  }
  for (int i = 0; i < infer->output_count; i++)
    infer->out[i] = hone_tensor_type(infer->in[Q]->dtype, hone_shape_unknown());
  const hone_shape *q = &infer->in[Q]->shape, *k = &infer->in[K]->shape, *v = &infer->in[V]->shape;
  if (q->rank < 0 || k->rank < 0 || v->rank < 0) return NULL;
  hone_dim batch = q->dim[0], heads = q->dim[1], shared, keys, width;
  if (!hone_dim_unify(batch, k->dim[0], &batch) || !hone_dim_unify(batch, v->dim[0], &batch) ||
      !hone_dim_unify(k->dim[1], v->dim[1], &shared) ||
      !hone_dim_unify(k->dim[2], v->dim[2], &keys) || !hone_dim_unify(q->dim[3], k->dim[3], &width))
    return hone_infer_fail(infer, "the sizes of q, k and v do not fit each other");
  if (hone_dim_known(heads) && hone_dim_known(shared) && (shared == 0 || heads % shared != 0))
    return hone_infer_fail(infer, "%lld heads of queries share %lld heads of keys",
                           (long long)heads, (long long)shared);
  if (hone_node_int(infer->node, "left") > INT32_MAX ||
      hone_node_int(infer->node, "right") > INT32_MAX)
    return hone_infer_fail(infer, "a window reaches further than 2^31");
  HONE_TRY(check_mask(infer, (hone_dim[]){batch, heads, q->dim[2], keys}));
  HONE_TRY(check_per_batch(infer, LENGTHS, batch));
  HONE_TRY(check_per_batch(infer, OFFSET, batch));
  infer->out[0].shape = hone_shape_of(4, (hone_dim[]){batch, heads, q->dim[2], v->dim[3]});
  if (infer->output_count > 1)
    infer->out[SCORES].shape = hone_shape_of(4, (hone_dim[]){batch, heads, q->dim[2], keys});
  return NULL;
}

typedef struct attend {
  size_t heads, shared, queries, keys, width, value_width; /* widths of a head of q and k; of v */
  double scale, softcap;
  bool causal, mask_is_bool;
  int64_t left, right;
  double *q, *k, *v, *mask;
  size_t mask_stride[4], mask_keys; /* strides 0 where it broadcasts */
  int64_t *lengths, *offset;        /* NULL where absent */
  size_t length_stride, offset_stride;
  double *scores; /* the scores asked for, where they are */
  char stage;     /* of the scores: r c m w */
} attend;

static void read_mask(attend *a, const hone_datum *mask) {
  size_t stride = 1;
  a->mask_is_bool = mask->dtype == HONE_BOOL;
  a->mask_keys = a->keys;
  for (int i = mask->shape.rank - 1; i >= 0; i--) {
    size_t size = (size_t)mask->shape.dim[i];
    a->mask_stride[i + 4 - mask->shape.rank] = size == 1 ? 0 : stride;
    if (i == mask->shape.rank - 1 && size != 1) a->mask_keys = size;
    stride *= size;
  }
}

/* Positions that no key can have, beyond any that sums of positions could overflow from. */
static int64_t clamp_position(int64_t position) {
  const int64_t far = (int64_t)1 << 48;
  return position > far ? far : position < -far ? -far : position;
}

/* Whether query s of batch b may look at key t, all but the mask considered. */
static bool is_visible(const attend *a, size_t b, int64_t s, int64_t t) {
  int64_t here = s + (a->offset ? clamp_position(a->offset[b * a->offset_stride]) : 0);
  if (a->lengths && t >= a->lengths[b * a->length_stride]) return false;
  if (a->causal && t > here) return false;
  if (a->left >= 0 && t < here - a->left) return false;
  return a->right < 0 || t <= here + a->right;
}

/* What the mask adds for one query and key: -inf where it forbids. */
static double masked(const attend *a, size_t b, size_t h, size_t s, size_t t) {
  if (!is_visible(a, b, (int64_t)s, (int64_t)t)) return -INFINITY;
  if (!a->mask) return 0;
  if (t >= a->mask_keys) return -INFINITY;
  double extra = a->mask[b * a->mask_stride[0] + h * a->mask_stride[1] + s * a->mask_stride[2] +
                         t * a->mask_stride[3]];
  if (!a->mask_is_bool) return extra;
  return extra != 0 ? 0 : -INFINITY;
}

/* The scores of one query, -inf where it may not look; returns the largest. */
static double score_row(const attend *a, size_t b, size_t h, size_t s, double *row) {
  size_t query = (b * a->heads + h) * a->queries + s;
  const double *q = a->q + query * a->width;
  const double *k = a->k + (b * a->shared + h / (a->heads / a->shared)) * a->keys * a->width;
  double most = -INFINITY;
  for (size_t t = 0; t < a->keys; t++) {
    double extra = masked(a, b, h, s, t), sum = 0, capped;
    row[t] = -INFINITY;
    if (extra == -INFINITY && !a->scores) continue;
    for (size_t i = 0; i < a->width; i++) sum += q[i] * k[t * a->width + i];
    sum *= a->scale;
    capped = a->softcap > 0 ? tanh(sum / a->softcap) * a->softcap : sum;
    if (extra != -INFINITY) row[t] = capped + extra;
    if (a->scores)
      a->scores[query * a->keys + t] = a->stage == 'r' ? sum : a->stage == 'c' ? capped : row[t];
    if (row[t] > most || isnan(row[t])) most = row[t];
  }
  return most;
}

/* One query's row of the result. A query that may look nowhere gives zeros. */
static void attend_row(const attend *a, size_t b, size_t h, size_t s, double *row, double *out) {
  double most = score_row(a, b, h, s, row), sum = 0;
  const double *v = a->v + (b * a->shared + h / (a->heads / a->shared)) * a->keys * a->value_width;
  bool blind = most == -INFINITY;
  for (size_t t = 0; t < a->keys; t++) sum += row[t] = blind ? 0 : exp(row[t] - most);
  for (size_t t = 0; t < a->keys; t++) {
    double weight = blind ? 0 : row[t] / sum;
    if (a->scores && a->stage == 'w')
      a->scores[((b * a->heads + h) * a->queries + s) * a->keys + t] = weight;
    if (weight == 0) continue;
    for (size_t i = 0; i < a->value_width; i++) out[i] += weight * v[t * a->value_width + i];
  }
}

static hone_status *read_operands(hone_reference *ref, attend *a) {
  const hone_datum *mask = hone_ref_in(ref, MASK), *lengths = hone_ref_in(ref, LENGTHS);
  const hone_datum *offset = hone_ref_in(ref, OFFSET);
  HONE_TRY(hone_operand_reals(ref, Q, &a->q));
  HONE_TRY(hone_operand_reals(ref, K, &a->k));
  HONE_TRY(hone_operand_reals(ref, V, &a->v));
  HONE_TRY(hone_operand_reals(ref, MASK, &a->mask));
  HONE_TRY(hone_operand_ints(ref, LENGTHS, &a->lengths));
  HONE_TRY(hone_operand_ints(ref, OFFSET, &a->offset));
  if (mask) read_mask(a, mask);
  a->length_stride = lengths && hone_datum_count(lengths) > 1;
  a->offset_stride = offset && hone_datum_count(offset) > 1;
  return NULL;
}

static hone_status *attention_reference(hone_reference *ref) {
  const hone_node *node = ref->node;
  const int64_t *q = ref->in[Q]->shape.dim, *k = ref->in[K]->shape.dim, *v = ref->in[V]->shape.dim;
  attend a = {.heads = (size_t)q[1],
              .shared = (size_t)k[1],
              .queries = (size_t)q[2],
              .keys = (size_t)k[2],
              .width = (size_t)q[3],
              .value_width = (size_t)v[3],
              .scale = hone_node_real(node, "scale"),
              .softcap = hone_node_real(node, "softcap"),
              .causal = hone_node_flag(node, "causal"),
              .left = hone_node_int(node, "left"),
              .right = hone_node_int(node, "right"),
              .stage = hone_node_text(node, "scores")[0]};
  if (a.scale == 0) a.scale = 1 / sqrt((double)a.width);
  double *row, *out;
  hone_datum *scores = hone_ref_out(ref, SCORES);
  HONE_TRY(read_operands(ref, &a));
  if (scores) HONE_TRY(hone_scratch_reals(ref, hone_datum_count(scores), &a.scores));
  HONE_TRY(hone_scratch_reals(ref, a.keys, &row));
  HONE_TRY(hone_scratch_reals(ref, hone_datum_count(ref->out[0]), &out));
  size_t to = 0;
  for (size_t b = 0; b < (size_t)q[0]; b++)
    for (size_t h = 0; h < a.heads; h++)
      for (size_t s = 0; s < a.queries; s++, to += a.value_width)
        attend_row(&a, b, h, s, row, out + to);
  hone_store_reals(ref->out[Y]->dtype, ref->out[Y]->data, 0, hone_datum_count(ref->out[Y]), out);
  if (scores) hone_store_reals(scores->dtype, scores->data, 0, hone_datum_count(scores), a.scores);
  return NULL;
}

const hone_op hone_op_attention = {
    .name = "attention",
    /* q [b, h, s, d], k [b, h / n, t, d], v [b, h / n, t, e]; mask (added, or bool: true looks)
     * broadcast to [b, h, s, t]; lengths: how many keys count; offset: the position of query 0
     * among the keys, 0 if absent; both a scalar or [b]. A query that may look at no key gives zeros:
     * every kernel keeps to that, and passes count on it. */
    .inputs = "q k v mask? lengths? offset?",
    .outputs = "y scores?",                         /* [b, h, s, e] of q's type; [b, h, s, t] */
    .attrs = {{"scale", HONE_ATTR_REAL, "0", NULL}, /* 0: 1 / sqrt(d) */
              {"causal", HONE_ATTR_FLAG, "false", NULL}, /* no key after the query's position */
              {"softcap", HONE_ATTR_REAL, "0", NULL},    /* c tanh(score / c) before the mask */
              {"left", HONE_ATTR_INT, "-1", NULL},       /* how far back a query looks; -1: any */
              {"right", HONE_ATTR_INT, "-1", NULL},      /* how far ahead */
              {"tf32", HONE_ATTR_FLAG, "false", NULL},   /* f32 operands may be rounded to tf32 */
              /* What `scores` holds: scaled products, with the softcap, with the mask, softmax. */
              {"scores", HONE_ATTR_CHOICE, "raw", "raw|capped|masked|weights"}},
    .facts = HONE_HEAVY,
    .infer = attention_infer,
    .reference = attention_reference,
};
