/* linear_attention: a recurrence over tokens in place of softmax attention; the state of a head is
 * a matrix that each token decays, corrects and adds to. Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"

enum { Q, K, V, STATE, DECAY, BETA };

static hone_status *linear_attention_infer(hone_infer *infer) {
  const char *rule = hone_node_text(infer->node, "rule");
  bool decays = rule[0] == 'g', corrects = strstr(rule, "delta") != NULL;
  for (int i = Q; i <= BETA; i++) {
    HONE_TRY(hone_infer_class(infer, i, HONE_FLOATS));
    HONE_TRY(hone_infer_rank(infer, i, 4));
  }
  if (decays != (hone_infer_in(infer, DECAY) != NULL) ||
      corrects != (hone_infer_in(infer, BETA) != NULL))
    return hone_infer_fail(infer, "decay or beta do not go with the rule '%s'", rule);
  hone_dim q[4], k[4], v[4], both;
  for (int i = 0; i < 4; i++) {
    q[i] = hone_infer_dim(infer, Q, i);
    k[i] = hone_infer_dim(infer, K, i);
    v[i] = hone_infer_dim(infer, V, i);
  }
  if (!hone_dim_unify(q[0], k[0], &both) || !hone_dim_unify(q[0], v[0], &both) ||
      !hone_dim_unify(q[1], k[1], &both) || !hone_dim_unify(q[1], v[1], &both) ||
      !hone_dim_unify(q[3], k[3], &both) || !hone_dim_unify(k[2], v[2], &both) ||
      (hone_dim_known(q[2]) && hone_dim_known(k[2]) && (k[2] == 0 || q[2] % k[2] != 0)))
    return hone_infer_fail(infer, "the sizes of q, k and v do not fit each other");
  const hone_dim wants[3][4] = {
      {q[0], k[2], k[3], v[3]}, {q[0], q[1], k[2], k[3]}, {q[0], q[1], k[2], 1}};
  for (int i = STATE; i <= BETA; i++)
    for (int d = 0; hone_infer_in(infer, i) && infer->in[i]->shape.rank == 4 && d < 4; d++) {
      hone_dim has = infer->in[i]->shape.dim[d];
      if (!hone_dim_unify(has, wants[i - STATE][d], &both) && !(i != STATE && d >= 2 && has == 1))
        return hone_infer_fail(infer, "input %d does not fit q, k and v", i);
    }
  const hone_type *state = hone_infer_in(infer, STATE);
  hone_dtype dtype = infer->in[Q]->dtype;
  infer->out[0] = hone_tensor_type(dtype, hone_shape_of(4, (hone_dim[]){q[0], q[1], q[2], v[3]}));
  if (infer->output_count > 1)
    infer->out[1] = hone_tensor_type(state ? state->dtype : dtype, hone_shape_of(4, wants[0]));
  return NULL;
}

/* One factor a head (and perhaps feature) and token, broadcast along axes of size 1. */
typedef struct factor {
  const double *data; /* NULL: absent */
  size_t heads, width;
} factor;

static double factor_at(const factor *f, size_t token, size_t head, size_t feature) {
  size_t h = f->heads == 1 ? 0 : head, i = f->width == 1 ? 0 : feature;
  return f->data[(token * f->heads + h) * f->width + i];
}

typedef struct recurrence {
  size_t heads, shared, width, value_width;
  double scale;
  factor decay, beta;
} recurrence;

/* Takes one token into the state [width, value_width] of head `h`; `token` counts over the batch
 * and time. */
static void take_token(const recurrence *r, size_t token, size_t h, const double *k,
                       const double *v, double *state, double *change) {
  for (size_t i = 0; r->decay.data && i < r->width; i++) {
    double keep = exp(factor_at(&r->decay, token, h, i));
    for (size_t j = 0; j < r->value_width; j++) state[i * r->value_width + j] *= keep;
  }
  for (size_t j = 0; j < r->value_width; j++) {
    double held = 0;
    for (size_t i = 0; r->beta.data && i < r->width; i++)
      held += state[i * r->value_width + j] * k[i];
    change[j] = r->beta.data ? factor_at(&r->beta, token, h, 0) * (v[j] - held) : v[j];
  }
  for (size_t i = 0; i < r->width; i++)
    for (size_t j = 0; j < r->value_width; j++) state[i * r->value_width + j] += k[i] * change[j];
}

static void read_state(const recurrence *r, const double *q, const double *state, double *out) {
  for (size_t i = 0; i < r->width; i++)
    for (size_t j = 0; j < r->value_width; j++)
      out[j] += r->scale * q[i] * state[i * r->value_width + j];
}

static hone_status *read_factor(hone_reference *ref, int index, factor *out) {
  double *data;
  HONE_TRY(hone_operand_reals(ref, index, &data));
  *out = (factor){.data = data};
  if (!data) return NULL;
  out->heads = (size_t)ref->in[index]->shape.dim[2];
  out->width = (size_t)ref->in[index]->shape.dim[3];
  return NULL;
}

static hone_status *linear_attention_reference(hone_reference *ref) {
  const int64_t *dim = ref->in[Q]->shape.dim;
  recurrence r = {.heads = (size_t)dim[2],
                  .shared = (size_t)ref->in[K]->shape.dim[2],
                  .width = (size_t)dim[3],
                  .value_width = (size_t)ref->in[V]->shape.dim[3],
                  .scale = hone_node_real(ref->node, "scale")};
  if (r.scale == 0) r.scale = 1 / sqrt((double)r.width);
  double *q, *k, *v, *state, *out, *change;
  HONE_TRY(hone_operand_reals(ref, Q, &q));
  HONE_TRY(hone_operand_reals(ref, K, &k));
  HONE_TRY(hone_operand_reals(ref, V, &v));
  HONE_TRY(hone_operand_reals(ref, STATE, &state));
  HONE_TRY(read_factor(ref, DECAY, &r.decay));
  HONE_TRY(read_factor(ref, BETA, &r.beta));
  size_t matrix = r.width * r.value_width, sharing = r.heads / r.shared;
  size_t states = (size_t)dim[0] * r.shared * matrix;
  if (!state) HONE_TRY(hone_scratch_reals(ref, states, &state));
  HONE_TRY(hone_scratch_reals(ref, hone_datum_count(ref->out[0]), &out));
  HONE_TRY(hone_scratch_reals(ref, r.value_width, &change));
  for (size_t token = 0; token < (size_t)(dim[0] * dim[1]); token++)
    for (size_t h = 0; h < r.shared; h++) {
      double *s = state + (token / (size_t)dim[1] * r.shared + h) * matrix;
      size_t row = token * r.shared + h;
      take_token(&r, token, h, k + row * r.width, v + row * r.value_width, s, change);
      for (size_t n = h * sharing; n < (h + 1) * sharing; n++)
        read_state(&r, q + (token * r.heads + n) * r.width, s,
                   out + (token * r.heads + n) * r.value_width);
    }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, hone_datum_count(ref->out[0]), out);
  hone_datum *last = hone_ref_out(ref, 1);
  if (last) hone_store_reals(last->dtype, last->data, 0, states, state);
  return NULL;
}

const hone_op hone_op_linear_attention = {
    .name = "linear_attention",
    /* q [b, t, h, d], k [b, t, g, d], v [b, t, g, e], state [b, g, d, e], decay (a logarithm)
     * [b, t, g, d or 1], beta [b, t, g or 1, 1]. */
    .inputs = "q k v state? decay? beta?",
    .outputs = "y last?", /* [b, t, h, e], the last state */
    .attrs = {{"rule", HONE_ATTR_CHOICE, "gated_delta", "linear|gated|delta|gated_delta"},
              {"scale", HONE_ATTR_REAL, "0", NULL}}, /* 0: 1 / sqrt(d) */
    .facts = HONE_HEAVY,
    .infer = linear_attention_infer,
    .reference = linear_attention_reference,
};
