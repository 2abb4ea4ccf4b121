/* linear_attention nodes: a head's state is one part's work, token by token, in double as the
 * reference has it. Room: backend/cpu/nodes. */
#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

enum { Q, K, V, STATE, DECAY, BETA, INPUTS };

typedef struct recurrence {
  size_t batch, tokens, heads, shared, width, value_width;
  double scale;
  hone_dtype dtype[INPUTS], y, last;                 /* none: absent */
  size_t factor_heads[INPUTS], factor_width[INPUTS]; /* of decay and beta: 1 broadcasts */
  size_t part_scratch;
} recurrence;

/* A part's memory. */
typedef struct token_space {
  double *state, *q, *k, *v, *keep, *out, *change;
} token_space;

static token_space space_of(const recurrence *r, void *scratch) {
  token_space s = {.state = scratch};
  s.q = s.state + r->width * r->value_width;
  s.k = s.q + r->width;
  s.keep = s.k + r->width;
  s.v = s.keep + r->width;
  s.out = s.v + r->value_width;
  s.change = s.out + r->value_width;
  return s;
}

static void load(const recurrence *r, const hone_kernel_io *io, int input, size_t row, size_t size,
                 double *out) {
  hone_load_reals(r->dtype[input], io->in[input], row * size, size, out);
}

/* What each feature keeps of its state. */
static void load_decay(const recurrence *r, const hone_kernel_io *io, size_t token, size_t head,
                       double *keep) {
  size_t heads = r->factor_heads[DECAY], width = r->factor_width[DECAY];
  load(r, io, DECAY, token * heads + (heads == 1 ? 0 : head), width, keep);
  for (size_t i = 0; i < width; i++) keep[i] = exp(keep[i]);
  for (size_t i = width; i < r->width; i++) keep[i] = keep[0];
}

/* Takes a token into the state: it decays, and what it holds for the key is corrected or added to.
 */
static void take_token(const recurrence *r, const hone_kernel_io *io, size_t token, size_t head,
                       const token_space *s) {
  size_t row = token * r->shared + head, n = r->value_width;
  load(r, io, K, row, r->width, s->k);
  load(r, io, V, row, n, s->change);
  if (r->dtype[DECAY]) load_decay(r, io, token, head, s->keep);
  memset(s->v, 0, n * sizeof *s->v); /* what the state holds for the key */
  for (size_t i = 0; i < r->width; i++) {
    double *state = s->state + i * n;
    for (size_t j = 0; r->dtype[DECAY] && j < n; j++) state[j] *= s->keep[i];
    for (size_t j = 0; r->dtype[BETA] && j < n; j++) s->v[j] += state[j] * s->k[i];
  }
  if (r->dtype[BETA]) {
    size_t heads = r->factor_heads[BETA], at = token * heads + (heads == 1 ? 0 : head);
    double beta = hone_load_real(r->dtype[BETA], io->in[BETA], at);
    for (size_t j = 0; j < n; j++) s->change[j] = beta * (s->change[j] - s->v[j]);
  }
  for (size_t i = 0; i < r->width; i++)
    for (size_t j = 0; j < n; j++) s->state[i * n + j] += s->k[i] * s->change[j];
}

static void answer(const recurrence *r, const hone_kernel_io *io, size_t row,
                   const token_space *s) {
  size_t n = r->value_width;
  load(r, io, Q, row, r->width, s->q);
  memset(s->out, 0, n * sizeof *s->out);
  for (size_t i = 0; i < r->width; i++)
    for (size_t j = 0; j < n; j++) s->out[j] += r->scale * s->q[i] * s->state[i * n + j];
  hone_store_reals(r->y, io->out[0], row * n, n, s->out);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const recurrence *r = args;
  token_space s = space_of(r, (char *)io->scratch + (size_t)part * r->part_scratch);
  size_t begin, end, matrix = r->width * r->value_width, sharing = r->heads / r->shared;
  hone_split(r->batch * r->shared, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t head = i % r->shared;
    memset(s.state, 0, matrix * sizeof *s.state);
    if (r->dtype[STATE]) load(r, io, STATE, i, matrix, s.state);
    for (size_t t = 0; t < r->tokens; t++) {
      size_t token = i / r->shared * r->tokens + t;
      take_token(r, io, token, head, &s);
      for (size_t h = head * sharing; h < (head + 1) * sharing; h++)
        answer(r, io, token * r->heads + h, &s);
    }
    if (r->last) hone_store_reals(r->last, io->out[1], i * matrix, matrix, s.state);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return hone_node_out(node, 0) != NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const int64_t *q = view->in[Q]->shape.dim, *v = view->in[V]->shape.dim;
  recurrence *r = HONE_NEW(arena, recurrence);
  HONE_TRY_MEMORY(r);
  *r = (recurrence){
      .batch = (size_t)q[0],
      .tokens = (size_t)q[1],
      .heads = (size_t)q[2],
      .shared = (size_t)v[2],
      .width = (size_t)q[3],
      .value_width = (size_t)v[3],
      .scale = hone_node_real(view->node, "scale"),
      .y = view->out[0]->dtype,
      .last = view->node->output_count > 1 && view->out[1] ? view->out[1]->dtype : HONE_DTYPE_NONE};
  if (r->scale == 0) r->scale = 1 / sqrt((double)r->width);
  for (int i = Q; i < INPUTS; i++) {
    if (!view->in[i]) continue;
    r->dtype[i] = view->in[i]->dtype;
    r->factor_heads[i] = (size_t)view->in[i]->shape.dim[2];
    r->factor_width[i] = (size_t)view->in[i]->shape.dim[3];
  }
  size_t matrix, all;
  if (!hone_mul(r->width, r->value_width, &matrix) ||
      !hone_add(matrix, 3 * (r->width + r->value_width) + 1, &all) ||
      all > SIZE_MAX / 2 / sizeof(double))
    return hone_error(HONE_LIMIT, "the state of a head does not fit in memory");
  r->part_scratch = hone_align_up(all * sizeof(double), 64);
  out->kernel = hone_one_phase(run, r);
  out->kernel.part_scratch = r->part_scratch;
  out->work = (double)r->batch * (double)r->tokens * (double)(r->heads + 2 * r->shared) *
              (double)matrix * 0.5;
  return NULL;
}

const hone_node_functions hone_node_linear_attention = {.accepts = accepts, .plan = plan};
