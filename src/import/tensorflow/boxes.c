/* Boxes that suppress each other: NonMaxSuppression in its versions and for many classes.
 * Room: import. */
#include <math.h>

#include "import/tensorflow/map.h"

static hone_value *unsqueeze(hone_call *call, hone_value *x, int64_t axis) {
  return HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, &axis, 1));
}

static hone_value *concat(hone_call *call, hone_value *const *parts, int count, int axis) {
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

static hone_value *gather(hone_call *call, hone_value *x, hone_value *index, int axis) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, index);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

/* A vector filled up with zeros to `size`, an s64 scalar, from its own length [1]. */
static hone_value *fill_up(hone_call *call, hone_value *x, hone_value *length, hone_value *size) {
  int64_t zero = 0;
  hone_value *const pads[] = {hone_emit_ints(call, &zero, 1), HONE_EMIT(call, "sub", size, length)};
  return HONE_EMIT(call, "pad", x, concat(call, pads, 2, 0));
}

typedef struct suppression {
  hone_value *overlap, *least_score; /* least_score may be NULL */
  hone_value *sigma;                 /* of soft suppression; or NULL */
  bool scores, count, padded;        /* what is returned beside the indices, and how */
} suppression;

/* Of one picture: boxes [n, 4], scores [n]. */
static hone_status *suppress(hone_call *call, const suppression *how) {
  hone_value *boxes = hone_tf_in(call, 0), *scores = hone_tf_in(call, 1);
  hone_value *most = hone_emit_cast(call, hone_tf_in(call, 2), HONE_S64);
  hone_value *const one_class = unsqueeze(call, unsqueeze(call, scores, 0), 0);
  hone_value *const in[] = {unsqueeze(call, boxes, 0), one_class, most, how->overlap,
                            how->least_score, how->sigma};
  hone_node *node = hone_emit_begin(call, "nms", in, 6, how->sigma ? 2 : 1);
  hone_value *rows = hone_emit_end(call, node);
  hone_value *box = gather(call, rows, hone_emit_int(call, 2), 1);
  hone_value *length = hone_emit_dims(call, box, 0, 1);
  hone_value *index = hone_emit_cast(call, box, HONE_S32);
  int next = 0;
  hone_tf_return(call, next++, how->padded ? fill_up(call, index, length, most) : index);
  if (how->scores) {
    hone_value *kept = how->sigma ? hone_emit_out(call, node, 1) : gather(call, scores, box, 0);
    hone_tf_return(call, next++, how->padded ? fill_up(call, kept, length, most) : kept);
  }
  if (how->count) {
    hone_value *count = HONE_EMIT(call, "squeeze", length, hone_emit_ints(call, (int64_t[]){0}, 1));
    hone_tf_return(call, next, hone_emit_cast(call, count, HONE_S32));
  }
  return NULL;
}

static hone_status *import_nms_1(hone_call *call) {
  double overlap = hone_tf_real(call, "iou_threshold", 0.5);
  suppression how = {.overlap = hone_emit_real(call, HONE_F32, overlap)};
  return suppress(call, &how);
}
static hone_status *import_nms_2(hone_call *call) {
  suppression how = {.overlap = hone_tf_in(call, 3)};
  return suppress(call, &how);
}
static hone_status *import_nms_3(hone_call *call) {
  suppression how = {.overlap = hone_tf_in(call, 3), .least_score = hone_tf_in(call, 4)};
  return suppress(call, &how);
}
static hone_status *import_nms_4(hone_call *call) {
  suppression how = {.overlap = hone_tf_in(call, 3), .least_score = hone_tf_in(call, 4),
                     .count = true,
                     .padded = hone_tf_flag(call, "pad_to_max_output_size", false)};
  return suppress(call, &how);
}
static hone_status *import_nms_5(hone_call *call) {
  suppression how = {.overlap = hone_tf_in(call, 3), .least_score = hone_tf_in(call, 4),
                     .scores = true, .count = true,
                     .padded = hone_tf_flag(call, "pad_to_max_output_size", false)};
  double sigma;
  size_t count;
  if (!hone_known_reals(hone_tf_in(call, 5), &sigma, 1, &count) || count != 1 || sigma != 0)
    how.sigma = hone_tf_in(call, 5);
  return suppress(call, &how);
}

/* ---- Many pictures and classes ---- */

typedef struct combined {
  hone_value *boxes, *scores;             /* [n, boxes, classes or 1, 4], [n, boxes, classes] */
  hone_value *batch, *boxes_a_picture, *classes; /* s64 [1] */
  bool shared;                            /* one box for all classes */
} combined;

/* Rows (picture, class, box) of what is kept. */
static hone_value *kept_rows(hone_call *call, const combined *c) {
  static const int64_t swap[] = {0, 2, 1}, by_class[] = {0, 2, 1, 3}, row[] = {-1, 1};
  hone_value *scores = hone_emit_transpose(call, c->scores, 3, swap);
  hone_value *most = hone_emit_cast(call, hone_tf_in(call, 2), HONE_S64);
  hone_value *overlap = hone_tf_in(call, 4), *least = hone_tf_in(call, 5), *boxes;
  if (c->shared) {
    boxes = HONE_EMIT(call, "squeeze", c->boxes, hone_emit_ints(call, (int64_t[]){2}, 1));
    return HONE_EMIT(call, "nms", boxes, scores, most, overlap, least);
  }
  /* With boxes of their own, the classes are pictures of one class. */
  int64_t rest = -1, one = 1, four = 4;
  hone_value *minus = hone_emit_ints(call, &rest, 1);
  boxes = hone_emit_transpose(call, c->boxes, 4, by_class);
  boxes = HONE_EMIT(call, "reshape", boxes,
                    concat(call, (hone_value *const[]){minus, c->boxes_a_picture,
                                                       hone_emit_ints(call, &four, 1)}, 3, 0));
  scores = HONE_EMIT(call, "reshape", scores,
                     concat(call, (hone_value *const[]){minus, hone_emit_ints(call, &one, 1),
                                                        c->boxes_a_picture}, 3, 0));
  hone_value *rows = HONE_EMIT(call, "nms", boxes, scores, most, overlap, least);
  hone_value *both = gather(call, rows, hone_emit_int(call, 0), 1);
  hone_value *picture = HONE_EMIT(call, "div", both, c->classes);
  hone_value *class = HONE_EMIT(call, "mod", both, c->classes);
  hone_value *box = gather(call, rows, hone_emit_int(call, 2), 1);
  return concat(call, (hone_value *const[]){hone_emit_reshape(call, picture, row, 2),
                                            hone_emit_reshape(call, class, row, 2),
                                            hone_emit_reshape(call, box, row, 2)}, 3, 1);
}

/* The scores of what is kept, [n, classes * boxes + total], the others and what is added at -inf. */
static hone_value *kept_scores(hone_call *call, const combined *c, hone_value *total) {
  static const int64_t swap[] = {0, 2, 1};
  int64_t zeros[] = {0, 0, 0}, rest = -1;
  hone_value *none = hone_emit_real(call, HONE_F32, -(double)INFINITY);
  hone_value *scores = hone_emit_transpose(call, c->scores, 3, swap), *rows = kept_rows(call, c);
  hone_value *empty = HONE_EMIT(call, "expand", none, HONE_EMIT(call, "shape", scores));
  hone_value *kept = HONE_EMIT(call, "scatter_nd", empty, rows,
                               HONE_EMIT(call, "gather_nd", scores, rows));
  hone_value *shape = concat(
      call, (hone_value *const[]){c->batch, hone_emit_ints(call, &rest, 1)}, 2, 0);
  kept = HONE_EMIT(call, "reshape", kept, shape);
  hone_value *pads =
      concat(call, (hone_value *const[]){hone_emit_ints(call, zeros, 3), total}, 2, 0);
  return HONE_EMIT(call, "pad", kept, pads, none);
}

/* The box of each of `place` [n, total], its class times the boxes plus the box. */
static hone_value *boxes_at(hone_call *call, const combined *c, hone_value *class,
                            hone_value *box) {
  hone_value *index = unsqueeze(call, box, 2);
  if (!c->shared) index = concat(call, (hone_value *const[]){index, unsqueeze(call, class, 2)}, 2, 2);
  hone_value *boxes = c->boxes;
  if (c->shared) boxes = HONE_EMIT(call, "squeeze", boxes, hone_emit_ints(call, (int64_t[]){2}, 1));
  hone_node *node = HONE_EMIT_BEGIN(call, "gather_nd", boxes, index);
  hone_emit_set_int(call, node, "batch_dims", 1);
  return hone_emit_end(call, node);
}

static hone_value *or_zero(hone_call *call, hone_value *valid, hone_value *x) {
  return HONE_EMIT(call, "select", valid, x, hone_emit_real(call, HONE_F32, 0));
}

/* How many are returned: with pad_per_class no more than the classes can give. */
static hone_value *total_of(hone_call *call, const combined *c) {
  static const int64_t vector[] = {-1};
  hone_value *total = hone_emit_cast(call, hone_tf_in(call, 3), HONE_S64);
  total = hone_emit_reshape(call, total, vector, 1);
  if (!hone_tf_flag(call, "pad_per_class", false)) return total;
  hone_value *each = hone_emit_cast(call, hone_tf_in(call, 2), HONE_S64);
  return HONE_EMIT(call, "min", total, HONE_EMIT(call, "mul", each, c->classes));
}

static hone_status *import_combined(hone_call *call) {
  combined c = {.boxes = hone_tf_in(call, 0), .scores = hone_tf_in(call, 1)};
  if (hone_emit_rank(call, c.boxes) != 4 || hone_emit_rank(call, c.scores) != 3)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "boxes and scores of other dimensions");
  if (!hone_dim_known(c.boxes->type.shape.dim[2]))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "it is not known whether classes share boxes");
  c.shared = c.boxes->type.shape.dim[2] == 1;
  c.batch = hone_emit_dims(call, c.scores, 0, 1);
  c.boxes_a_picture = hone_emit_dims(call, c.scores, 1, 2);
  c.classes = hone_emit_dims(call, c.scores, 2, 3);
  hone_value *total = total_of(call, &c), *scores = kept_scores(call, &c, total);
  hone_node *top = hone_emit_begin(call, "topk", (hone_value *const[]){scores, total}, 2, 2);
  hone_value *best = hone_emit_end(call, top), *place = hone_emit_out(call, top, 1);
  hone_value *valid = HONE_EMIT(call, "greater", best,
                                hone_emit_real(call, HONE_F32, -(double)INFINITY));
  hone_value *zero = hone_emit_int(call, 0);
  place = HONE_EMIT(call, "select", valid, place, zero);
  hone_value *class = HONE_EMIT(call, "div", place, c.boxes_a_picture);
  hone_value *box = HONE_EMIT(call, "mod", place, c.boxes_a_picture);
  hone_value *boxes = boxes_at(call, &c, class, box);
  if (hone_tf_flag(call, "clip_boxes", true))
    boxes = HONE_EMIT(call, "clip", boxes, hone_emit_real(call, HONE_F32, 0),
                      hone_emit_real(call, HONE_F32, 1));
  hone_node *count = HONE_EMIT_BEGIN(call, "reduce", hone_emit_cast(call, valid, HONE_S32),
                                     hone_emit_ints(call, (int64_t[]){1}, 1));
  hone_emit_set_text(call, count, "kind", "sum");
  hone_emit_set_int(call, count, "keep", false);
  hone_tf_return(call, 0, or_zero(call, unsqueeze(call, valid, 2), boxes));
  hone_tf_return(call, 1, or_zero(call, valid, best));
  hone_tf_return(call, 2, or_zero(call, valid, hone_emit_cast(call, class, HONE_F32)));
  hone_tf_return(call, 3, hone_emit_end(call, count));
  return NULL;
}

const hone_tf_row hone_tf_boxes[] = {
    {"CombinedNonMaxSuppression", .import = import_combined,
     .outputs = "nmsed_boxes nmsed_scores nmsed_classes valid_detections"},
    {"NonMaxSuppression", .import = import_nms_1},
    {"NonMaxSuppressionV2", .import = import_nms_2},
    {"NonMaxSuppressionV3", .import = import_nms_3},
    {"NonMaxSuppressionV4", .import = import_nms_4, .outputs = "selected_indices valid_outputs"},
    {"NonMaxSuppressionV5", .import = import_nms_5,
     .outputs = "selected_indices selected_scores valid_outputs"},
    {0},
};
