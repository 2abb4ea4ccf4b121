/* nms nodes: a class of a picture is one part's work, then the rows of all are written in order.
 * Room: backend/cpu/nodes. */
#include "backend/cpu/lines/best.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/order.h"
#include "backend/cpu/lines/wide.h"
#include "base/pool.h"
#include "ops/box.h"

enum { BOXES, SCORES, MOST, OVERLAP, LEAST_SCORE, INPUTS };

typedef struct nms {
  size_t images, classes, boxes;
  size_t most;              /* that a class can keep, as planned */
  hone_dtype limit[INPUTS]; /* types of the scalars; none: absent */
  bool center;
  size_t room; /* `most`, for vectors */
  const hone_wide *wide;
  size_t kept_at, part_at, part_scratch; /* in scratch: after a count for each class */
} nms;

static double scalar(const nms *n, const hone_kernel_io *io, int input) {
  return n->limit[input] ? hone_load_real(n->limit[input], io->in[input], 0) : 0;
}

static hone_box_corners box_at(const nms *n, const float *boxes, size_t box) {
  const float *b = boxes + 4 * box;
  return hone_box_of((double[]){b[0], b[1], b[2], b[3]}, n->center);
}

/* Boxes that may be kept, best first: the lower half of each number. */
static const uint64_t *sort_candidates(const nms *n, const hone_kernel_io *io, const float *scores,
                                       uint64_t *space, size_t *found) {
  double least = scalar(n, io, LEAST_SCORE);
  bool has_least = n->limit[LEAST_SCORE];
  size_t count = 0;
  for (size_t i = 0; i < n->boxes; i++) {
    space[count] = (uint64_t)~hone_float_key(scores[i]) << 32 | i;
    count += has_least ? scores[i] > least : scores[i] == scores[i];
  }
  *found = count;
  return hone_sort_by_upper(space, space + n->boxes, count);
}

/* Whether the box shares more than the limit with one of those kept. */
static bool is_covered(const nms *n, const hone_wide_boxes *kept, size_t count,
                       const hone_box_corners *box, double limit) {
  double sides = box->top + box->left + box->bottom + box->right;
  if (sides == sides)
    return n->wide->overlaps(kept, count, box->top, box->left, box->bottom, box->right, limit);
  for (size_t k = 0; k < count; k++) {
    hone_box_corners other = {kept->top[k], kept->left[k], kept->bottom[k], kept->right[k]};
    if (!(hone_box_overlap(box, &other) <= limit)) return true;
  }
  return false;
}

/* Keeps of one class; how many. `space` is the part's own. */
static size_t keep(const nms *n, const hone_kernel_io *io, size_t list, double *space,
                   uint32_t *kept) {
  const float *boxes = (const float *)io->in[BOXES] + list / n->classes * n->boxes * 4;
  const float *scores = (const float *)io->in[SCORES] + list * n->boxes;
  hone_wide_boxes chosen = {space, space + n->room, space + 2 * n->room, space + 3 * n->room,
                            space + 4 * n->room};
  size_t count, found = 0;
  const uint64_t *sorted =
      sort_candidates(n, io, scores, (uint64_t *)(space + 5 * n->room), &count);
  double limit = scalar(n, io, OVERLAP);
  for (size_t i = 0; i < count && found < n->most; i++) {
    uint32_t position = (uint32_t)sorted[i];
    hone_box_corners box = box_at(n, boxes, position);
    if (is_covered(n, &chosen, found, &box, limit)) continue;
    chosen.top[found] = box.top;
    chosen.left[found] = box.left;
    chosen.bottom[found] = box.bottom;
    chosen.right[found] = box.right;
    chosen.area[found] = (box.bottom - box.top) * (box.right - box.left);
    kept[found++] = position;
  }
  return found;
}

static void run_classes(const void *args, const hone_kernel_io *io, int part, int parts) {
  const nms *n = args;
  double *space = (double *)((char *)io->scratch + n->part_at + (size_t)part * n->part_scratch);
  uint32_t *kept = (void *)((char *)io->scratch + n->kept_at);
  size_t begin, end;
  hone_split(n->images * n->classes, 1, part, parts, &begin, &end);
  for (size_t list = begin; list < end; list++)
    ((size_t *)io->scratch)[list] = keep(n, io, list, space, kept + list * n->most);
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
  if (hone_node_in(node, INPUTS) || hone_node_out(node, 1)) return false; /* soft suppression */
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
  n->room = hone_align_up(n->most, HONE_WIDE_BOXES);
  n->part_scratch =
      hone_align_up(5 * n->room * sizeof(double) + 2 * n->boxes * sizeof(uint64_t), 64);
  n->wide = hone_wide_here();
  out->kernel = hone_one_phase(run_classes, n);
  out->kernel.phases[out->kernel.phase_count++] = write_rows;
  out->kernel.shared_scratch = n->part_at;
  out->kernel.part_scratch = n->part_scratch;
  out->work = lists > 1 ? (double)lists * (double)n->boxes * 20 : 0; /* one a part */
  return NULL;
}
const hone_node_functions hone_node_nms = {.accepts = accepts, .plan = plan};
