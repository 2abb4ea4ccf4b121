/* How a rectangle of work is split over parts. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_SHARE_H
#define HONE_BACKEND_CPU_SHARE_H

#include <stddef.h>

/* Half-open ranges of rows and columns. */
typedef struct hone_share {
  size_t row, row_end, column, column_end;
} hone_share;

/* What is split: rows of which up to `height` are worked on together, and columns that are cut at
 * multiples of `grain` only. A row of rectangles touches `row_weight` of what the steps before and
 * after touch too, a column `column_weight` of what is its own. */
typedef struct hone_work {
  size_t rows, height, columns, grain;
  double row_weight, column_weight;
} hone_work;

/* One part's rectangle. Of all grids of `parts` rectangles: the one whose largest takes the least
 * time; then the one whose parts together read least. */
hone_share hone_share_of(const hone_work *work, int part, int parts);

#endif
