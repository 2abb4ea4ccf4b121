/* random_uniform, random_normal, bernoulli and multinomial nodes: a number hangs on the run's key
 * an
 * d
 * its place alone, so that parts draw what the reference draws. Room: backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/random.h"

#define BLOCK 256

typedef struct draws {
  const hone_node *node;
  hone_dtype from, to;
  size_t count;            /* elements; of multinomial: rows */
  size_t classes, samples; /* multinomial */
  double base, scale;      /* y = base + scale * number */
  void (*numbers)(uint64_t key, uint64_t first, size_t count, double *out);
  size_t part_scratch;
} draws;

#define SHARED 64 /* bytes: the key */

static void draw_key(const void *args, const hone_kernel_io *io, int part, int parts) {
  const draws *d = args;
  (void)parts;
  if (part == 0) *(uint64_t *)io->scratch = hone_random_key(d->node);
}

static void make(const void *args, const hone_kernel_io *io, int part, int parts) {
  const draws *d = args;
  uint64_t key = *(const uint64_t *)io->scratch;
  double numbers[BLOCK];
  size_t begin, end;
  hone_split(d->count, BLOCK, part, parts, &begin, &end);
  for (size_t at = begin; at < end; at += BLOCK) {
    size_t size = end - at < BLOCK ? end - at : BLOCK;
    d->numbers(key, at, size, numbers);
    for (size_t i = 0; i < size; i++) numbers[i] = d->base + d->scale * numbers[i];
    hone_store_reals(d->to, io->out[0], at, size, numbers);
  }
}

static void toss(const void *args, const hone_kernel_io *io, int part, int parts) {
  const draws *d = args;
  uint64_t key = *(const uint64_t *)io->scratch;
  bool real = hone_dtype_class_of(d->to) == HONE_CLASS_FLOAT;
  double numbers[BLOCK], chance[BLOCK];
  int64_t hits[BLOCK];
  size_t begin, end;
  hone_split(d->count, BLOCK, part, parts, &begin, &end);
  for (size_t at = begin; at < end; at += BLOCK) {
    size_t size = end - at < BLOCK ? end - at : BLOCK;
    d->numbers(key, at, size, numbers);
    hone_load_reals(d->from, io->in[0], at, size, chance);
    for (size_t i = 0; i < size; i++) chance[i] = hits[i] = numbers[i] < chance[i];
    if (real)
      hone_store_reals(d->to, io->out[0], at, size, chance);
    else
      hone_store_ints(d->to, io->out[0], at, size, hits);
  }
}

/* The first class whose sum is above `at`; the last one where there is none. */
static size_t class_at(const double *sums, size_t count, double at) {
  size_t low = 0, high = count - 1;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (sums[middle] <= at)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void pick(const void *args, const hone_kernel_io *io, int part, int parts) {
  const draws *d = args;
  uint64_t key = *(const uint64_t *)io->scratch;
  double *row = (double *)((char *)io->scratch + SHARED + (size_t)part * d->part_scratch);
  double numbers[BLOCK];
  int64_t classes[BLOCK];
  size_t begin, end;
  hone_split(d->count, 1, part, parts, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    double most, sum = 0;
    hone_load_reals(d->from, io->in[0], r * d->classes, d->classes, row);
    most = row[0];
    for (size_t c = 1; c < d->classes; c++) most = row[c] > most ? row[c] : most;
    for (size_t c = 0; c < d->classes; c++) row[c] = sum += exp(row[c] - most);
    for (size_t at = 0; at < d->samples; at += BLOCK) {
      size_t size = d->samples - at < BLOCK ? d->samples - at : BLOCK;
      d->numbers(key, r * d->samples + at, size, numbers);
      for (size_t i = 0; i < size; i++)
        classes[i] = (int64_t)class_at(row, d->classes, numbers[i] * sum);
      hone_store_ints(d->to, io->out[0], r * d->samples + at, size, classes);
    }
  }
}

static bool whole_bytes(const hone_value *value) {
  return !value || (hone_dtype_bits(value->type.dtype) >= 8 && value->type.dtype != HONE_STR);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return whole_bytes(node->inputs[0].value) && whole_bytes(node->outputs[0]);
}

static hone_status *new_draws(const hone_node_view *view, hone_arena *arena,
                              hone_kernel_phase *phase, hone_node_plan *out, draws **made) {
  draws *d = HONE_NEW(arena, draws);
  HONE_TRY_MEMORY(d);
  *d = (draws){.node = view->node,
               .from = view->in[0]->dtype,
               .to = view->out[0]->dtype,
               .scale = 1,
               .numbers = hone_random_uniform};
  hone_shape_count(&view->out[0]->shape, &d->count);
  out->kernel = (hone_kernel_plan){
      .phases = {draw_key, phase}, .phase_count = 2, .args = d, .shared_scratch = SHARED};
  out->work = (double)d->count * 4;
  *made = d;
  return NULL;
}

static hone_status *plan_uniform(const hone_cpu_kernel *row, const hone_node_view *view,
                                 hone_arena *arena, hone_node_plan *out) {
  (void)row;
  draws *d;
  HONE_TRY(new_draws(view, arena, make, out, &d));
  d->base = hone_node_real(view->node, "low");
  d->scale = hone_node_real(view->node, "high") - d->base;
  return NULL;
}
const hone_node_functions hone_node_random_uniform = {.accepts = accepts, .plan = plan_uniform};

static hone_status *plan_normal(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  (void)row;
  draws *d;
  HONE_TRY(new_draws(view, arena, make, out, &d));
  d->base = hone_node_real(view->node, "mean");
  d->scale = hone_node_real(view->node, "scale");
  d->numbers = hone_random_normal;
  out->work *= 6;
  return NULL;
}
const hone_node_functions hone_node_random_normal = {.accepts = accepts, .plan = plan_normal};

static hone_status *plan_bernoulli(const hone_cpu_kernel *row, const hone_node_view *view,
                                   hone_arena *arena, hone_node_plan *out) {
  (void)row;
  draws *d;
  return new_draws(view, arena, toss, out, &d);
}
const hone_node_functions hone_node_bernoulli = {.accepts = accepts, .plan = plan_bernoulli};

static hone_status *plan_multinomial(const hone_cpu_kernel *row, const hone_node_view *view,
                                     hone_arena *arena, hone_node_plan *out) {
  (void)row;
  draws *d;
  HONE_TRY(new_draws(view, arena, pick, out, &d));
  d->count = (size_t)view->in[0]->shape.dim[0];
  d->classes = (size_t)view->in[0]->shape.dim[1];
  d->samples = (size_t)view->out[0]->shape.dim[1];
  if (d->classes == 0) return hone_error(HONE_UNSUPPORTED, "there are no classes");
  if (!hone_mul(d->classes, sizeof(double), &d->part_scratch) || d->part_scratch > SIZE_MAX / 128)
    return hone_error(HONE_LIMIT, "too many classes");
  d->part_scratch = hone_align_up(d->part_scratch, 64);
  out->kernel.part_scratch = d->part_scratch;
  out->work = (double)d->count * ((double)d->classes * 12 + (double)d->samples * 20);
  return NULL;
}
const hone_node_functions hone_node_multinomial = {.accepts = accepts, .plan = plan_multinomial};
