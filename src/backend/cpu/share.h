/* How a rectangle of work is split over parts. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_SHARE_H
#define HONE_BACKEND_CPU_SHARE_H

#include <stddef.h>

/* Half-open ranges of rows and columns. */
typedef struct hone_share {
  size_t row, row_end, column, column_end;
} hone_share;

/* One part's rectangle of rows x columns units of equal work. Of all grids of `parts` rectangles:
 * the one whose largest is smallest; then the one whose parts together read least, a row of
 * rectangles reading `row_weight` and a column of them `column_weight`. */
hone_share hone_share_of(size_t rows, size_t columns, double row_weight, double column_weight,
                         int part, int parts);

#endif
