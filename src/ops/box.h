/* Boxes of pictures, and how much two of them share. Room: ops. */
#ifndef HONE_OPS_BOX_H
#define HONE_OPS_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A box with ordered corners. */
typedef struct hone_box_corners {
  double top, left, bottom, right;
} hone_box_corners;

/* Of four numbers: x y width height with the center at x y, else y x y x of opposite corners. */
hone_box_corners hone_box_of(const double *numbers, bool center);
/* Intersection over union; 0 where they share nothing. */
double hone_box_overlap(const hone_box_corners *a, const hone_box_corners *b);

/* A box that may be kept. */
typedef struct hone_box_candidate {
  double score;
  int64_t index;
  int64_t seen; /* soft: how many of those kept have lowered the score */
} hone_box_candidate;

/* What op nms does to one class of one image. */
typedef struct hone_suppression {
  const double *boxes, *scores; /* `count` boxes of four numbers, and scores */
  size_t count;
  int64_t most;
  double overlap, least_score;
  bool has_least, center;
  double sigma;                 /* 0: not soft */
  hone_box_candidate *sorted;   /* room for `count` */
  int64_t *kept;                /* out: the boxes that are kept, best first, and their scores; room */
  double *kept_scores;          /* for `count` */
} hone_suppression;

/* Returns how many are kept. */
int64_t hone_suppress(hone_suppression *s);

#endif
