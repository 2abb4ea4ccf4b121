/* How a rectangle of work is split over parts. Room: backend/cpu. */
#include "backend/cpu/share.h"

#include <math.h>
#include <stdint.h>

#include "base/pool.h"

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}

hone_share hone_share_of(size_t rows, size_t columns, double row_weight, double column_weight,
                         int part, int parts) {
  size_t least = SIZE_MAX;
  double least_read = INFINITY;
  int best = 1;
  for (int down = 1; down <= parts; down++) {
    if (parts % down) continue;
    int across = parts / down;
    size_t most = ceil_divide(rows, (size_t)down) * ceil_divide(columns, (size_t)across);
    double read = row_weight * across + column_weight * down;
    if (most < least || (most == least && read < least_read))
      best = down, least = most, least_read = read;
  }
  hone_share share;
  int across = parts / best;
  hone_split(rows, 1, part / across, best, &share.row, &share.row_end);
  hone_split(columns, 1, part % across, across, &share.column, &share.column_end);
  return share;
}
