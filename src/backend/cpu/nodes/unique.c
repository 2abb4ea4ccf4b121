/* unique nodes: elements are sorted by keys in their order, slices by comparing them; one part does
 * all. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "ops/axes.h"
#include "ops/order.h"
#include "ops/unique.h"

enum { Y, INDICES, INVERSE, COUNTS };

#define BLOCK 256

typedef struct unique {
  hone_slices slices; /* without the data */
  size_t bytes;       /* of an element */
  int axis;           /* of y: whose size is found */
  bool sorted, flat;
} unique;

/* An element or slice: where it is, and a number that orders it. */
typedef struct item {
  uint64_t key;
  size_t index;
} item;

/* What lies in scratch, `slices.line.size` of each. */
typedef struct groups {
  size_t count;
  item *items, *spare;
  size_t *member;       /* of each slice: its group */
  size_t *first, *size; /* of each group: its first slice, and how many there are */
  size_t *place;        /* of each group: where it goes */
} groups;
#define WORDS_EACH 8 /* of scratch for a slice */

/* ---- Keys ----------------------------------------------------------------------------------- */

/* Numbers whose unsigned order is the elements'; all NaNs are the last, both zeros one. */
static void load_keys(hone_dtype dtype, const void *x, size_t count, item *out) {
  double reals[BLOCK];
  int64_t whole[BLOCK];
  for (size_t at = 0; at < count; at += BLOCK) {
    size_t size = count - at < BLOCK ? count - at : BLOCK;
    if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT) {
      hone_load_reals(dtype, x, at, size, reals);
      for (size_t i = 0; i < size; i++) {
        double value = reals[i] + 0.0;
        memcpy(&whole[i], &value, sizeof value);
        whole[i] = whole[i] < 0 ? ~whole[i] : whole[i] ^ INT64_MIN;
        if (value != value) whole[i] = -1;
      }
    } else {
      hone_load_ints(dtype, x, at, size, whole);
      if (hone_dtype_class_of(dtype) == HONE_CLASS_SIGNED)
        for (size_t i = 0; i < size; i++) whole[i] ^= INT64_MIN;
    }
    for (size_t i = 0; i < size; i++) out[at + i] = (item){(uint64_t)whole[i], at + i};
  }
}

/* By bytes of the keys, the lowest first, each pass stable; bytes that are all one take none. */
static item *sort_keys(item *items, item *spare, size_t count) {
  size_t starts[sizeof(uint64_t)][256] = {{0}};
  for (size_t i = 0; i < count; i++)
    for (size_t b = 0; b < sizeof(uint64_t); b++) starts[b][items[i].key >> (8 * b) & 255]++;
  for (size_t b = 0; b < sizeof(uint64_t) && count; b++) {
    if (starts[b][items[0].key >> (8 * b) & 255] == count) continue;
    for (size_t v = 0, sum = 0; v < 256; v++) {
      size_t have = starts[b][v];
      starts[b][v] = sum;
      sum += have;
    }
    for (size_t i = 0; i < count; i++) spare[starts[b][items[i].key >> (8 * b) & 255]++] = items[i];
    item *sorted = spare;
    spare = items;
    items = sorted;
  }
  return items;
}

/* Slices get their rank among the different ones as key; `order` holds as many places. */
static void sort_slices(const hone_slices *s, item *items, size_t *order) {
  size_t count = s->line.size, rank = 0;
  for (size_t i = 0; i < count; i++) order[i] = i;
  hone_order(order, count, hone_compare_slices, s);
  for (size_t i = 0; i < count; i++) {
    if (i && hone_compare_slices(s, order[i - 1], order[i]) != 0) rank++;
    items[i] = (item){rank, order[i]};
  }
}

/* ---- Groups --------------------------------------------------------------------------------- */

/* Equals stand in the order of their positions: the first of a run is the first of all. */
static void make_groups(groups *g, size_t total, bool sorted) {
  g->count = 0;
  for (size_t i = 0; i < total; i++) {
    size_t index = g->items[i].index;
    if (i == 0 || g->items[i - 1].key != g->items[i].key) {
      g->size[g->count] = 0;
      g->place[g->count] = g->count;
      g->first[g->count++] = index;
    }
    g->size[g->count - 1]++;
    g->member[index] = g->count - 1;
  }
  if (sorted) return;
  for (size_t i = 0, next = 0; i < total; i++)
    if (g->first[g->member[i]] == i) g->place[g->member[i]] = next++;
}

static void write_lists(const unique *u, const groups *g, const hone_kernel_io *io) {
  int64_t *indices = io->out[INDICES], *inverse = io->out[INVERSE], *counts = io->out[COUNTS];
  for (size_t i = 0; i < g->count; i++) {
    if (indices) indices[g->place[i]] = (int64_t)g->first[i];
    if (counts) counts[g->place[i]] = (int64_t)g->size[i];
  }
  for (size_t i = 0; inverse && i < u->slices.line.size; i++)
    inverse[i] = (int64_t)g->place[g->member[i]];
}

static void write_slices(const unique *u, const groups *g, const hone_kernel_io *io) {
  const hone_line *line = &u->slices.line;
  size_t run = line->inner * u->bytes;
  for (size_t o = 0; io->out[Y] && o < line->outer; o++)
    for (size_t i = 0; i < g->count; i++)
      memcpy((char *)io->out[Y] + (o * g->count + g->place[i]) * run,
             (const char *)io->in[0] + (o * line->size + g->first[i]) * run, run);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const unique *u = args;
  size_t total = u->slices.line.size;
  size_t *words = io->scratch;
  (void)parts;
  if (part > 0) return;
  groups g = {.member = words,
              .first = words + total,
              .size = words + 2 * total,
              .place = words + 3 * total,
              .items = (item *)(words + 4 * total),
              .spare = (item *)(words + 6 * total)};
  hone_slices slices = u->slices;
  slices.data = io->in[0];
  if (u->flat) {
    load_keys(slices.dtype, slices.data, total, g.items);
    g.items = sort_keys(g.items, g.spare, total);
  } else {
    sort_slices(&slices, g.items, g.place);
  }
  make_groups(&g, total, u->sorted);
  write_lists(u, &g, io);
  write_slices(u, &g, io);
  hone_kernel_found(io, Y, u->axis, g.count);
  hone_kernel_found(io, INDICES, 0, g.count);
  hone_kernel_found(io, COUNTS, 0, g.count);
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  return hone_dtype_bits(dtype) >= 8 && class != HONE_CLASS_STRING && class != HONE_CLASS_COMPLEX;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  unique *u = HONE_NEW(arena, unique);
  size_t elements = 0, scratch;
  HONE_TRY_MEMORY(u);
  hone_shape_count(x, &elements);
  u->flat = hone_node_flag(view->node, "flat");
  u->sorted = hone_node_flag(view->node, "sorted");
  u->bytes = hone_dtype_bits(view->in[0]->dtype) / 8;
  u->slices = (hone_slices){.dtype = view->in[0]->dtype, .line = {1, elements, 1}};
  if (!u->flat) {
    (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &u->axis);
    u->slices.line = hone_line_of(x, u->axis);
  }
  if (!hone_mul(u->slices.line.size, WORDS_EACH * sizeof(size_t), &scratch) ||
      scratch > SIZE_MAX - 64)
    return hone_error(HONE_LIMIT, "too many elements to sort");
  out->kernel = hone_one_phase(run, u);
  out->kernel.shared_scratch = hone_align_up(scratch, 64);
  out->work = 0; /* one part does all */
  return NULL;
}

const hone_node_functions hone_node_unique = {.accepts = accepts, .plan = plan};
