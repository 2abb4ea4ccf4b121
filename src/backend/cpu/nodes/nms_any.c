/* nms nodes that suppress softly, give scores or are not of f32: a class of a picture is one part's
 * work, done as the reference does it. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/box.h"

enum { BOXES, SCORES, MOST, OVERLAP, LEAST_SCORE, SIGMA, INPUTS };

typedef struct nms {
  size_t images, classes, boxes;
  size_t most;                        /* that a class can keep, as planned */
  hone_dtype dtype[2], limit[INPUTS]; /* of boxes and scores; of the scalars, none: absent */
  hone_dtype kept;                    /* of the scores that are given; none: they are not */
  bool center;
  size_t kept_at, scores_at, part_at, part_scratch; /* in scratch, after a count for each class */
} nms;

static double scalar(const nms *n, const hone_kernel_io *io, int input) {
  return n->limit[input] ? hone_load_real(n->limit[input], io->in[input], 0) : 0;
}

/* A part's memory: boxes, scores, candidates, what is kept and its scores. */
static hone_suppression suppression_of(const nms *n, const hone_kernel_io *io, void *space) {
  double *boxes = space, *scores = boxes + 4 * n->boxes, *kept_scores = scores + n->boxes;
  int64_t *kept = (int64_t *)(kept_scores + n->boxes);
  double most = scalar(n, io, MOST);
  size_t limit = most > 0 ? most < (double)n->most ? (size_t)most : n->most : 0;
  return (hone_suppression){.boxes = boxes,
                            .scores = scores,
                            .count = n->boxes,
                            .most = (int64_t)limit,
                            .overlap = scalar(n, io, OVERLAP),
                            .least_score = scalar(n, io, LEAST_SCORE),
                            .has_least = n->limit[LEAST_SCORE] != HONE_DTYPE_NONE,
                            .center = n->center,
                            .sigma = scalar(n, io, SIGMA),
                            .sorted = (hone_box_candidate *)(kept + n->boxes),
                            .kept = kept,
                            .kept_scores = kept_scores};
}

static void run_classes(const void *args, const hone_kernel_io *io, int part, int parts) {
  const nms *n = args;
  char *scratch = io->scratch;
  double *boxes = (double *)(scratch + n->part_at + (size_t)part * n->part_scratch);
  hone_suppression s = suppression_of(n, io, boxes);
  size_t begin, end;
  hone_split(n->images * n->classes, 1, part, parts, &begin, &end);
  for (size_t list = begin; list < end; list++) {
    hone_load_reals(n->dtype[BOXES], io->in[BOXES], list / n->classes * n->boxes * 4, n->boxes * 4,
                    boxes);
    hone_load_reals(n->dtype[SCORES], io->in[SCORES], list * n->boxes, n->boxes,
                    boxes + 4 * n->boxes);
    size_t found = (size_t)hone_suppress(&s);
    ((size_t *)io->scratch)[list] = found;
    for (size_t i = 0; i < found; i++) {
      ((int64_t *)(scratch + n->kept_at))[list * n->most + i] = s.kept[i];
      ((double *)(scratch + n->scores_at))[list * n->most + i] = s.kept_scores[i];
    }
  }
}

static void write_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const nms *n = args;
  (void)parts;
  if (part != 0) return;
  const size_t *counts = io->scratch;
  const int64_t *kept = (const int64_t *)((const char *)io->scratch + n->kept_at);
  const double *scores = (const double *)((const char *)io->scratch + n->scores_at);
  size_t rows = 0;
  for (size_t list = 0; list < n->images * n->classes; list++)
    for (size_t i = 0; i < counts[list]; i++, rows++) {
      int64_t *row = (int64_t *)io->out[0] + 3 * rows;
      row[0] = (int64_t)(list / n->classes);
      row[1] = (int64_t)(list % n->classes);
      row[2] = kept[list * n->most + i];
      if (n->kept) hone_store_real(n->kept, io->out[1], rows, scores[list * n->most + i]);
    }
  hone_kernel_found(io, 0, 0, rows);
  if (n->kept) hone_kernel_found(io, 1, 0, rows);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return hone_node_out(node, 0) && (hone_node_in(node, SIGMA) || hone_node_out(node, 1) ||
                                    node->inputs[BOXES].value->type.dtype != HONE_F32 ||
                                    node->inputs[SCORES].value->type.dtype != HONE_F32);
}

static hone_status *lay_out_scratch(nms *n, size_t lists) {
  const size_t box = 7 * sizeof(double) + sizeof(hone_box_candidate);
  size_t kept, part;
  if (!hone_mul(lists, n->most, &kept) || kept > SIZE_MAX / 64 || lists > SIZE_MAX / 64 ||
      !hone_mul(n->boxes, box, &part) || part > SIZE_MAX / 2)
    return hone_error(HONE_LIMIT, "too many boxes to keep");
  n->kept_at = hone_align_up(lists * sizeof(size_t), 64);
  n->scores_at = n->kept_at + hone_align_up(kept * sizeof(int64_t), 64);
  n->part_at = n->scores_at + hone_align_up(kept * sizeof(double), 64);
  n->part_scratch = hone_align_up(part, 64);
  return NULL;
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
  size_t lists = n->images * n->classes, count = 0;
  n->most = lists ? (size_t)view->out[0]->shape.dim[0] / lists : 0;
  n->dtype[BOXES] = view->in[BOXES]->dtype;
  n->dtype[SCORES] = view->in[SCORES]->dtype;
  for (int i = MOST; i < INPUTS; i++)
    if (view->in[i] && hone_shape_count(&view->in[i]->shape, &count) && count > 0)
      n->limit[i] = view->in[i]->dtype;
  if (view->node->output_count > 1 && view->out[1]) n->kept = view->out[1]->dtype;
  n->center = hone_node_flag(view->node, "center");
  HONE_TRY(lay_out_scratch(n, lists));
  out->kernel = hone_one_phase(run_classes, n);
  out->kernel.phases[out->kernel.phase_count++] = write_rows;
  out->kernel.shared_scratch = n->part_at;
  out->kernel.part_scratch = n->part_scratch;
  out->work = lists > 1 ? (double)lists * (double)n->boxes * 100 : 0; /* one a part */
  return NULL;
}

const hone_node_functions hone_node_nms_any = {.accepts = accepts, .plan = plan};
