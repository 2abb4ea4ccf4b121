/* topk nodes: the k best elements of each line, by a heap of k entries that most elements never
 * enter; of floats many by a buffer of which the best are kept when it is full, few of a short line
 * one after the other. Room: backend/cpu/nodes.
 *
 * Elements become keys: unsigned integers in the order asked for. A line's positions are walked
 * upwards, so that one that only equals the worst of the heap stays outside. With fewer lines than
 * workers each worker takes a slice of every line, and the first merges their entries: best by key,
 * then position, is one order whatever the slices.
 */
#include <string.h>

#include "backend/cpu/lines/best.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/order.h"
#include "backend/cpu/lines/strips.h"
#include "backend/cpu/lines/keys.h"
#include "base/pool.h"
#include "ops/axes.h"

typedef struct topk {
  hone_line line;
  hone_dtype dtype;
  size_t k, bytes; /* of an element */
  bool smallest;
  const hone_strips *strips;
  size_t part_scratch; /* room for k entries of each line that a part works on */
  bool sliced;         /* parts share each line */
  size_t room;         /* of the buffer of picks; 0: a heap, or few */
  bool few;            /* of short lines */
} topk;

/* ---- Selecting ------------------------------------------------------------------------------ */

#define KEYS 256
#define LONG 20000 /* a line of which is worth several parts */
#define MANY 16    /* more are picked from a buffer; no more one by one out of short lines */
#define SCAN 2048  /* looks at elements that these are worth */

static uint64_t real_key(double value) {
  int64_t bits;
  value += 0.0; /* one zero */
  memcpy(&bits, &value, sizeof bits);
  uint64_t key = (uint64_t)(bits ^ (bits >> 63 | INT64_MIN));
  return value != value ? UINT64_MAX : key; /* NaN is greater than all */
}

/* Those of `x`, at positions from `from` on, that are better than the worst of the heap enter it:
 * of many floats few, which vectors find. */
static size_t offer_floats(const topk *t, const float *x, size_t size, size_t from, hone_best *heap,
                           size_t count) {
  uint64_t flip = t->smallest ? UINT64_MAX : 0;
  for (size_t i = 0; i < size; i++) {
    if (count == t->k) {
      float worst = hone_float_of_key((uint32_t)(heap[0].key ^ flip));
      i = (t->smallest ? t->strips->find_below : t->strips->find_above)(x, i, size, worst);
      if (i == size) break;
    }
    hone_best entry = {hone_float_key(x[i]) ^ flip, from + i};
    count = hone_best_offer(heap, count, t->k, entry);
  }
  return count;
}

static size_t select_floats(const topk *t, const float *x, size_t begin, size_t end,
                            hone_best *heap) {
  float near[KEYS];
  size_t count = 0, step = t->line.inner;
  if (step == 1) return offer_floats(t, x + begin, end - begin, begin, heap, 0);
  for (size_t from = begin; from < end; from += KEYS) {
    size_t size = end - from < KEYS ? end - from : KEYS;
    for (size_t i = 0; i < size; i++) near[i] = x[(from + i) * step];
    count = offer_floats(t, near, size, from, heap, count);
  }
  return count;
}

/* Keys of `count` elements that are no f32, from `first` on, `step` apart; their greatest. */
static uint64_t load_keys(const topk *t, const void *x, size_t first, size_t count, uint64_t *out) {
  size_t step = t->line.inner;
  uint64_t greatest = 0, flip = t->smallest ? UINT64_MAX : 0;
  if (t->dtype == HONE_F64)
    return hone_keys_here()->keys_f64((const double *)x + first, step, count, flip, out);
  if (t->dtype == HONE_S64)
    return hone_keys_here()->keys_s64((const int64_t *)x + first, step, count, flip, out);
  if (t->dtype == HONE_S32)
    return hone_keys_here()->keys_s32((const int32_t *)x + first, step, count, flip, out);
  if (hone_dtype_class_of(t->dtype) == HONE_CLASS_FLOAT) {
    for (size_t i = 0; i < count; i++)
      out[i] = real_key(hone_load_real(t->dtype, x, first + i * step));
  } else {
    uint64_t sign = hone_dtype_class_of(t->dtype) == HONE_CLASS_SIGNED ? (uint64_t)1 << 63 : 0;
    for (size_t i = 0; i < count; i++)
      out[i] = (uint64_t)hone_load_int(t->dtype, x, first + i * step) ^ sign;
  }
  for (size_t i = 0; i < count; i++) {
    out[i] ^= flip;
    greatest = out[i] > greatest ? out[i] : greatest;
  }
  return greatest;
}

/* The best of a short line, one after the other, into `heap`; false where keys of 0 are among them. */
static bool pick_keys(const topk *t, const void *x, size_t first, hone_best *heap) {
  uint64_t keys[KEYS], positions[MANY];
  (void)load_keys(t, x, first, t->line.size, keys);
  if (hone_keys_here()->pick_keys(keys, t->line.size, t->k, positions) < t->k) return false;
  for (size_t i = 0; i < t->k; i++) heap[i].position = positions[i];
  return true;
}

/* The best of positions begin … end of the line that starts at element `first`. */
static size_t select_best(const topk *t, const void *x, size_t first, size_t begin, size_t end,
                          hone_best *heap) {
  uint64_t keys[KEYS];
  size_t count = 0, (*find)(const uint64_t *, size_t, size_t, uint64_t) = hone_keys_here()->find_key;
  if (t->dtype == HONE_F32) return select_floats(t, (const float *)x + first, begin, end, heap);
  for (size_t from = begin; from < end; from += KEYS) {
    size_t size = end - from < KEYS ? end - from : KEYS;
    uint64_t greatest = load_keys(t, x, first + from * t->line.inner, size, keys);
    if (count == t->k && greatest <= heap[0].key) continue;
    for (size_t i = 0; i < size; i++) {
      if (count == t->k) i = find(keys, i, size, heap[0].key);
      if (i < size) count = hone_best_offer(heap, count, t->k, (hone_best){keys[i], from + i});
    }
  }
  return count;
}

/* ---- Picking floats from a buffer ------------------------------------------------------------ */

/* Numbers of which the smaller is the better: the key turned around above the position. */
typedef struct picks {
  uint64_t *items, *spare;
  size_t count;
  bool full; /* k were kept once: what is not better than `worst` stays outside */
  float worst;
} picks;

static void keep_picks(const topk *t, picks *p) {
  uint32_t flip = t->smallest ? UINT32_MAX : 0;
  uint64_t last = hone_keep_smallest(p->items, p->spare, p->count, t->k);
  p->worst = hone_float_of_key(~(uint32_t)(last >> 32) ^ flip);
  p->count = t->k;
  p->full = true;
}

static void pick_floats(const topk *t, const float *x, size_t size, size_t from, picks *p) {
  uint32_t flip = t->smallest ? UINT32_MAX : 0;
  for (size_t i = 0; i < size; i++) {
    if (p->full) {
      i = (t->smallest ? t->strips->find_below : t->strips->find_above)(x, i, size, p->worst);
      if (i == size) break;
    }
    p->items[p->count++] = (uint64_t) ~(hone_float_key(x[i]) ^ flip) << 32 | (from + i);
    if (p->count == t->room) keep_picks(t, p);
  }
}

/* The best of a line, sorted: positions are the lower halves. */
static const uint64_t *pick_line(const topk *t, const float *x, uint64_t *space) {
  float near[KEYS];
  size_t step = t->line.inner;
  picks p = {.items = space, .spare = space + t->room};
  if (step == 1) pick_floats(t, x, t->line.size, 0, &p);
  for (size_t from = 0; step > 1 && from < t->line.size; from += KEYS) {
    size_t size = t->line.size - from < KEYS ? t->line.size - from : KEYS;
    for (size_t i = 0; i < size; i++) near[i] = x[(from + i) * step];
    pick_floats(t, near, size, from, &p);
  }
  if (p.count > t->k) keep_picks(t, &p);
  return hone_sort_by_upper(p.items, p.spare, t->k);
}

/* The best of a short line, one after the other. */
static void pick_few(const topk *t, const float *x, uint64_t *positions) {
  float near[HONE_KEYS_FEW];
  size_t step = t->line.inner;
  for (size_t i = 0; step > 1 && i < t->line.size; i++) near[i] = x[i * step];
  hone_keys_here()->pick(step > 1 ? near : x, t->line.size, t->k, t->smallest, positions);
}

/* ---- Phases --------------------------------------------------------------------------------- */

static size_t first_of(const topk *t, size_t line) {
  return line / t->line.inner * t->line.size * t->line.inner + line % t->line.inner;
}

/* Where the best of a line goes; the next ones `inner` further. */
static size_t place_of(const topk *t, size_t line) {
  return line / t->line.inner * t->k * t->line.inner + line % t->line.inner;
}

static void store(const topk *t, const hone_kernel_io *io, size_t line, const hone_best *best) {
  size_t first = first_of(t, line), inner = t->line.inner, to = place_of(t, line);
  for (size_t i = 0; i < t->k; i++, to += inner) {
    size_t from = first + best[i].position * inner;
    if (io->out[0])
      memcpy((char *)io->out[0] + to * t->bytes, (const char *)io->in[0] + from * t->bytes,
             t->bytes);
    if (io->out[1]) ((int64_t *)io->out[1])[to] = (int64_t)best[i].position;
  }
}

static void pick_lines(const void *args, const hone_kernel_io *io, int part, int parts) {
  const topk *t = args;
  size_t begin, end;
  uint64_t few[MANY], *space = (uint64_t *)((char *)io->scratch + (size_t)part * t->part_scratch);
  hone_split(t->line.outer * t->line.inner, 1, part, parts, &begin, &end);
  for (size_t line = begin; line < end; line++) {
    const float *x = (const float *)io->in[0] + first_of(t, line);
    if (!t->room) pick_few(t, x, few);
    const uint64_t *best = t->room ? pick_line(t, x, space) : few;
    size_t inner = t->line.inner, to = place_of(t, line);
    for (size_t i = 0; i < t->k; i++, to += inner) {
      uint32_t position = (uint32_t)best[i];
      if (io->out[0]) ((float *)io->out[0])[to] = x[position * inner];
      if (io->out[1]) ((int64_t *)io->out[1])[to] = position;
    }
  }
}

static hone_best *entries_of(const topk *t, const hone_kernel_io *io, int part) {
  return (hone_best *)((char *)io->scratch + (size_t)part * t->part_scratch);
}

static void run_lines(const void *args, const hone_kernel_io *io, int part, int parts) {
  const topk *t = args;
  size_t begin, end;
  hone_best *heap = entries_of(t, io, part);
  hone_split(t->line.outer * t->line.inner, 1, part, parts, &begin, &end);
  for (size_t line = begin; line < end; line++) {
    size_t first = first_of(t, line);
    if (!t->few || !pick_keys(t, io->in[0], first, heap))
      hone_best_sort(heap, select_best(t, io->in[0], first, 0, t->line.size, heap));
    store(t, io, line, heap);
  }
}

/* A part's slice of every line; a heap that is not full ends with a position beyond the line. */
static void run_slices(const void *args, const hone_kernel_io *io, int part, int parts) {
  const topk *t = args;
  size_t begin, end;
  hone_best *heap = entries_of(t, io, part);
  hone_split(t->line.size, KEYS, part, parts, &begin, &end);
  for (size_t line = 0; line < t->line.outer * t->line.inner; line++, heap += t->k) {
    size_t count = select_best(t, io->in[0], first_of(t, line), begin, end, heap);
    if (count < t->k) heap[count].position = SIZE_MAX;
  }
}

static void merge_slices(const void *args, const hone_kernel_io *io, int part, int parts) {
  const topk *t = args;
  size_t lines = t->line.outer * t->line.inner, begin, end;
  hone_split(lines, 1, part, parts, &begin, &end);
  for (size_t line = begin; line < end; line++) {
    hone_best *heap = entries_of(t, io, parts) + line * t->k;
    size_t count = 0;
    for (int p = 0; p < parts; p++) {
      const hone_best *from = entries_of(t, io, p) + line * t->k;
      for (size_t i = 0; i < t->k && from[i].position != SIZE_MAX; i++)
        count = hone_best_offer(heap, count, t->k, from[i]);
    }
    hone_best_sort(heap, count);
    store(t, io, line, heap);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  return hone_dtype_bits(dtype) >= 8 &&
         (class == HONE_CLASS_FLOAT || class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED ||
          class == HONE_CLASS_BOOLEAN);
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  const hone_type *y = view->out[0] ? view->out[0] : view->out[1];
  topk *t = HONE_NEW(arena, topk);
  HONE_TRY_MEMORY(t);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  t->line = hone_line_of(x, axis);
  t->dtype = view->in[0]->dtype;
  t->bytes = hone_dtype_bits(t->dtype) / 8;
  t->k = y ? (size_t)y->shape.dim[axis] : 0;
  t->smallest = !hone_node_flag(view->node, "largest");
  size_t lines = t->line.outer * t->line.inner, entries = t->k;
  if (lines == 0 || t->k == 0) t->line.outer = lines = 0;
  if (t->k > t->line.size) return hone_error(HONE_UNSUPPORTED, "fewer than k elements");
  t->strips = hone_strips_here();
  t->sliced = view->threads > 1 && lines && lines < (size_t)view->threads && t->line.size >= LONG;
  if (t->sliced) entries = t->k * lines;
  bool floats = !t->sliced && t->dtype == HONE_F32;
  t->few = !t->sliced && t->k <= MANY && t->line.size <= HONE_KEYS_FEW && t->k * t->line.size <= SCAN;
  bool few = floats && t->few;
  bool picked = floats && t->k > MANY && t->line.size <= UINT32_MAX;
  if (picked) entries = t->room = 2 * t->k > KEYS ? 2 * t->k : KEYS;
  t->part_scratch = hone_align_up(entries * sizeof(hone_best), 64); /* or two numbers a pick */
  out->kernel = hone_one_phase(t->sliced ? run_slices : picked || few ? pick_lines : run_lines, t);
  if (t->sliced) out->kernel.phases[out->kernel.phase_count++] = merge_slices;
  out->kernel.part_scratch = t->part_scratch;
  if (t->sliced) out->kernel.shared_scratch = t->part_scratch; /* the merged, after the parts' */
  double each = t->dtype == HONE_F32 ? 0.2 : 1.5;
  out->work = (double)lines * ((double)t->line.size * each + (double)t->k * 60);
  if (!t->sliced && lines == 1) out->work = 0;
  return NULL;
}
const hone_node_functions hone_node_topk = {.accepts = accepts, .plan = plan};
