/* Boxes of pictures, and how much two of them share. Room: ops. */
#ifndef HONE_OPS_BOX_H
#define HONE_OPS_BOX_H

#include <stdbool.h>

/* A box with ordered corners. */
typedef struct hone_box_corners {
  double top, left, bottom, right;
} hone_box_corners;

/* Of four numbers: x y width height with the center at x y, else y x y x of opposite corners. */
hone_box_corners hone_box_of(const double *numbers, bool center);
/* Intersection over union; 0 where they share nothing. */
double hone_box_overlap(const hone_box_corners *a, const hone_box_corners *b);

#endif
