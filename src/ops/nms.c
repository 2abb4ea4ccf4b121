/* nms: non-maximum suppression, the boxes of each class that no better box of it overlaps.
 * Room: ops. */
#include <math.h>

#include "ops/box.h"
#include "ops/operand.h"
#include "ops/ops.h"

enum { BOXES, SCORES, MOST, OVERLAP, LEAST_SCORE, SIGMA };

/* What may be selected at most; false when not known. */
static bool bound_of(const hone_infer *infer, hone_dim *out) {
  const hone_type *scores = infer->in[SCORES];
  int64_t most = 0;
  size_t count;
  if (scores->shape.rank != 3 || !hone_shape_known(&scores->shape)) return false;
  if (hone_infer_in(infer, MOST) && (!hone_infer_ints(infer, MOST, &most, 1, &count) || count != 1))
    return false;
  int64_t boxes = scores->shape.dim[2], lists;
  if (most < 0) most = 0;
  if (most > boxes) most = boxes;
  return hone_mul_s64(scores->shape.dim[0], scores->shape.dim[1], &lists) &&
         hone_mul_s64(lists, most, out);
}

static hone_status *nms_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, BOXES, HONE_FLOATS));
  HONE_TRY(hone_infer_class(infer, SCORES, HONE_FLOATS));
  HONE_TRY(hone_infer_rank(infer, BOXES, 3));
  HONE_TRY(hone_infer_rank(infer, SCORES, 3));
  hone_dim same;
  if (!hone_dim_unify(hone_infer_dim(infer, BOXES, 2), 4, &same) ||
      !hone_dim_unify(hone_infer_dim(infer, BOXES, 0), hone_infer_dim(infer, SCORES, 0), &same) ||
      !hone_dim_unify(hone_infer_dim(infer, BOXES, 1), hone_infer_dim(infer, SCORES, 2), &same))
    return hone_infer_fail(infer, "boxes [n, boxes, 4] and scores [n, classes, boxes] do not fit");
  hone_dim rows;
  if (infer->graph || !bound_of(infer, &rows)) rows = hone_infer_fresh(infer);
  infer->out[0] = hone_tensor_type(HONE_S64, hone_shape_of(2, (hone_dim[]){rows, 3}));
  if (infer->output_count > 1)
    infer->out[1] = hone_tensor_type(infer->in[SCORES]->dtype, hone_shape_of(1, &rows));
  return NULL;
}

hone_box_corners hone_box_of(const double *b, bool center) {
  if (center)
    return (hone_box_corners){b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return (hone_box_corners){fmin(b[0], b[2]), fmin(b[1], b[3]), fmax(b[0], b[2]), fmax(b[1], b[3])};
}

double hone_box_overlap(const hone_box_corners *a, const hone_box_corners *b) {
  double height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
  double width = fmin(a->right, b->right) - fmax(a->left, b->left);
  if (!(height > 0) || !(width > 0)) return 0;
  double shared = height * width;
  double total = (a->bottom - a->top) * (a->right - a->left) +
                 (b->bottom - b->top) * (b->right - b->left) - shared;
  return total > 0 ? shared / total : 0;
}

/* Best first; the earlier of equals. */
static int compare(const hone_box_candidate *x, const hone_box_candidate *y) {
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static void sink(hone_box_candidate *heap, size_t count, size_t at) {
  hone_box_candidate own = heap[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && compare(&heap[child + 1], &heap[child]) > 0) child++;
    if (compare(&heap[child], &own) <= 0) break;
    heap[at] = heap[child];
  }
  heap[at] = own;
}

static void sort(hone_box_candidate *candidates, size_t count) {
  for (size_t i = count / 2; i-- > 0;) sink(candidates, count, i);
  for (size_t left = count; left > 1; left--) {
    hone_box_candidate last = candidates[0];
    candidates[0] = candidates[left - 1];
    candidates[left - 1] = last;
    sink(candidates, left - 1, 0);
  }
}

static double overlap_of(const hone_suppression *s, int64_t a, int64_t b) {
  hone_box_corners x = hone_box_of(s->boxes + 4 * a, s->center);
  hone_box_corners y = hone_box_of(s->boxes + 4 * b, s->center);
  return hone_box_overlap(&x, &y);
}

static bool is_enough(const hone_suppression *s, double score) {
  return !s->has_least || score > s->least_score;
}

/* Soft suppression (Bodla and others, 2017): what overlaps a kept box by u loses score, by the factor
 * exp(-u * u / (2 sigma)), in single precision as TensorFlow has it. The best is kept once all that
 * were kept before have been at it. */
static int64_t select_softly(hone_suppression *s, size_t candidates) {
  int64_t kept = 0;
  while (kept < s->most && candidates) {
    size_t best = 0;
    for (size_t i = 1; i < candidates; i++)
      if (compare(&s->sorted[i], &s->sorted[best]) < 0) best = i;
    hone_box_candidate *c = &s->sorted[best];
    double before = c->score;
    for (int64_t k = kept - 1; k >= c->seen && is_enough(s, c->score); k--) {
      double shared = overlap_of(s, c->index, s->kept[k]);
      c->score = (float)(c->score * (float)exp(-0.5 / s->sigma * shared * shared));
    }
    c->seen = kept;
    if (c->score == before) {
      s->kept_scores[kept] = c->score;
      s->kept[kept++] = c->index;
    }
    if (c->score == before || !is_enough(s, c->score)) *c = s->sorted[--candidates];
  }
  return kept;
}

int64_t hone_suppress(hone_suppression *s) {
  size_t candidates = 0;
  int64_t kept = 0;
  for (size_t i = 0; i < s->count; i++)
    if (!isnan(s->scores[i]) && is_enough(s, s->scores[i]))
      s->sorted[candidates++] = (hone_box_candidate){s->scores[i], (int64_t)i, 0};
  if (s->sigma > 0) return select_softly(s, candidates);
  sort(s->sorted, candidates);
  for (size_t i = 0; i < candidates && kept < s->most; i++) {
    bool free = true;
    for (int64_t k = 0; free && k < kept; k++)
      free = overlap_of(s, s->sorted[i].index, s->kept[k]) <= s->overlap;
    if (!free) continue;
    s->kept_scores[kept] = s->sorted[i].score;
    s->kept[kept++] = s->sorted[i].index;
  }
  return kept;
}

static double scalar(const double *values, const hone_datum *in, double fallback) {
  return values && hone_datum_count(in) > 0 ? values[0] : fallback;
}

static hone_status *nms_reference(hone_reference *ref) {
  const hone_shape *scores = &ref->in[SCORES]->shape;
  double *boxes, *score, *limits[4];
  HONE_TRY(hone_operand_reals(ref, BOXES, &boxes));
  HONE_TRY(hone_operand_reals(ref, SCORES, &score));
  for (int i = 0; i < 4; i++) HONE_TRY(hone_operand_reals(ref, MOST + i, &limits[i]));
  double most = scalar(limits[0], hone_ref_in(ref, MOST), 0);
  hone_suppression s = {.count = (size_t)scores->dim[2],
                   .most = most > 0 ? (int64_t)fmin(most, (double)scores->dim[2]) : 0,
                   .overlap = scalar(limits[1], hone_ref_in(ref, OVERLAP), 0),
                   .least_score = scalar(limits[2], hone_ref_in(ref, LEAST_SCORE), 0),
                   .has_least = limits[2] != NULL,
                   .sigma = scalar(limits[3], hone_ref_in(ref, SIGMA), 0),
                   .center = hone_node_flag(ref->node, "center")};
  s.sorted = HONE_NEW_ARRAY(ref->scratch, s.count + 1, hone_box_candidate);
  s.kept = HONE_NEW_ARRAY(ref->scratch, s.count + 1, int64_t);
  s.kept_scores = HONE_NEW_ARRAY(ref->scratch, s.count + 1, double);
  if (!s.sorted || !s.kept || !s.kept_scores) return hone_error_memory();
  hone_datum *kept_scores = ref->output_count > 1 ? ref->out[1] : NULL;
  int64_t *row = ref->out[0]->data, rows = 0;
  for (int64_t n = 0; n < scores->dim[0]; n++)
    for (int64_t c = 0; c < scores->dim[1]; c++) {
      s.boxes = boxes + (size_t)n * s.count * 4;
      s.scores = score + ((size_t)n * (size_t)scores->dim[1] + (size_t)c) * s.count;
      int64_t kept = hone_suppress(&s);
      for (int64_t i = 0; i < kept; i++, rows++) {
        hone_store_int(HONE_S64, row, (size_t)rows * 3, n);
        hone_store_int(HONE_S64, row, (size_t)rows * 3 + 1, c);
        hone_store_int(HONE_S64, row, (size_t)rows * 3 + 2, s.kept[i]);
        if (kept_scores)
          hone_store_real(kept_scores->dtype, kept_scores->data, (size_t)rows, s.kept_scores[i]);
      }
    }
  ref->out[0]->shape.dim[0] = rows;
  if (kept_scores) kept_scores->shape.dim[0] = rows;
  return NULL;
}

const hone_op hone_op_nms = {
    .name = "nms",
    /* boxes [n, boxes, 4], scores [n, classes, boxes]; scalars: how many a class (absent: 0), the
     * overlap (intersection over union) beyond which the worse box goes (absent: 0), the score
     * that a box must exceed (absent: any), the sigma of soft suppression, which lowers scores by
     * the overlap instead (absent or 0: none). */
    .inputs = "boxes scores most? overlap? least_score? sigma?",
    /* s64 [selected, 3]: image, class, box; the classes in order. And their scores. */
    .outputs = "selected kept?",
    .attrs = {{"center", HONE_ATTR_FLAG, "false", NULL}}, /* x y width height, else y x y x */
    .facts = HONE_DATA_SHAPED,
    .shape_inputs = 1u << MOST,
    .infer = nms_infer,
    .reference = nms_reference,
};
