/* nms nodes: a class of a picture is one part's work, then the rows of all are written in order.
 * Room: backend/cpu. */
#include "backend/cpu/best.h"
#include "backend/cpu/node_kernel.h"
#include "base/pool.h"
#include "ops/box.h"

enum { BOXES, SCORES, MOST, OVERLAP, LEAST_SCORE, INPUTS };

typedef struct nms {
  size_t images, classes, boxes;
  size_t most;              /* that a class can keep, as planned */
  hone_dtype limit[INPUTS]; /* types of the scalars; none: absent */
  bool center;
  size_t kept_at, part_at, part_scratch; /* in scratch: after a count for each class */
} nms;

static double scalar(const nms *n, const hone_kernel_io *io, int input) {
  return n->limit[input] ? hone_load_real(n->limit[input], io->in[input], 0) : 0;
}

static hone_box_corners box_at(const nms *n, const float *boxes, size_t box) {
  const float *b = boxes + 4 * box;
  return hone_box_of((double[]){b[0], b[1], b[2], b[3]}, n->center);
}

/* Those that may be kept, best first. */
static size_t sort_candidates(const nms *n, const hone_kernel_io *io, const float *scores,
                              hone_best *out) {
  double least = scalar(n, io, LEAST_SCORE);
  bool has_least = n->limit[LEAST_SCORE];
  size_t count = 0;
  for (size_t i = 0; i < n->boxes; i++)
    if (has_least ? scores[i] > least : scores[i] == scores[i])
      out[count++] = (hone_best){hone_float_key(scores[i]), i};
  hone_best_sort(out, count);
  return count;
}

/* Keeps of one class; how many. `chosen` has the boxes of those kept. */
static size_t keep(const nms *n, const hone_kernel_io *io, size_t list, hone_best *sorted,
                   hone_box_corners *chosen, uint32_t *kept) {
  const float *boxes = (const float *)io->in[BOXES] + list / n->classes * n->boxes * 4;
  const float *scores = (const float *)io->in[SCORES] + list * n->boxes;
  size_t count = sort_candidates(n, io, scores, sorted), found = 0;
  double limit = scalar(n, io, OVERLAP);
  for (size_t i = 0; i < count && found < n->most; i++) {
    hone_box_corners mine = box_at(n, boxes, sorted[i].position);
    bool free = true;
    for (size_t k = 0; free && k < found; k++)
      free = hone_box_overlap(&mine, &chosen[k]) <= limit;
    if (!free) continue;
    chosen[found] = mine;
    kept[found++] = (uint32_t)sorted[i].position;
  }
  return found;
}

static void run_classes(const void *args, const hone_kernel_io *io, int part, int parts) {
  const nms *n = args;
  char *own = (char *)io->scratch + n->part_at + (size_t)part * n->part_scratch;
  hone_box_corners *chosen = (void *)own;
  hone_best *sorted = (void *)(own + n->most * sizeof *chosen);
  uint32_t *kept = (void *)((char *)io->scratch + n->kept_at);
  size_t begin, end;
  hone_split(n->images * n->classes, 1, part, parts, &begin, &end);
  for (size_t list = begin; list < end; list++)
    ((size_t *)io->scratch)[list] = keep(n, io, list, sorted, chosen, kept + list * n->most);
}

static void write_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const nms *n = args;
  (void)parts;
  if (part != 0) return;
  const size_t *counts = io->scratch;
  const uint32_t *kept = (const void *)((const char *)io->scratch + n->kept_at);
  int64_t *row = io->out[0];
  for (size_t list = 0; list < n->images * n->classes; list++)
    for (size_t i = 0; i < counts[list]; i++, row += 3) {
      row[0] = (int64_t)(list / n->classes);
      row[1] = (int64_t)(list % n->classes);
      row[2] = kept[list * n->most + i];
    }
  hone_kernel_found(io, 0, 0, (size_t)(row - (int64_t *)io->out[0]) / 3);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[BOXES].value->type.dtype == HONE_F32 &&
         node->inputs[SCORES].value->type.dtype == HONE_F32;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *scores = &view->in[SCORES]->shape;
  nms *n = HONE_NEW(arena, nms);
  HONE_TRY_MEMORY(n);
  n->images = (size_t)scores->dim[0];
  n->classes = (size_t)scores->dim[1];
  n->boxes = (size_t)scores->dim[2];
  size_t lists = n->images * n->classes, count = 0, bytes;
  if (n->boxes > UINT32_MAX) return hone_error(HONE_UNSUPPORTED, "too many boxes");
  n->most = lists ? (size_t)view->out[0]->shape.dim[0] / lists : 0;
  for (int i = MOST; i < INPUTS; i++)
    if (view->in[i] && hone_shape_count(&view->in[i]->shape, &count) && count > 0)
      n->limit[i] = view->in[i]->dtype;
  n->center = hone_node_flag(view->node, "center");
  n->kept_at = hone_align_up(lists * sizeof(size_t), 64);
  if (!hone_mul(lists, n->most * sizeof(uint32_t), &bytes))
    return hone_error(HONE_LIMIT, "too many boxes to keep");
  n->part_at = n->kept_at + hone_align_up(bytes, 64);
  n->part_scratch =
      hone_align_up(n->most * sizeof(hone_box_corners) + n->boxes * sizeof(hone_best), 64);
  out->kernel = hone_one_phase(run_classes, n);
  out->kernel.phases[out->kernel.phase_count++] = write_rows;
  out->kernel.shared_scratch = n->part_at;
  out->kernel.part_scratch = n->part_scratch;
  out->work = (double)lists * (double)n->boxes * 20;
  return NULL;
}
const hone_node_functions hone_node_nms = {.accepts = accepts, .plan = plan};
