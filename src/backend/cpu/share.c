/* How a rectangle of work is split over parts. Room: backend/cpu. */
#include "backend/cpu/share.h"

#include <math.h>

#include "base/pool.h"

/* The columns of part `part` of `parts`: even, moved to the nearest multiple of the grain. */
static size_t first_column(const hone_work *work, int part, int parts) {
  if (part == parts) return work->columns;
  size_t even = work->columns * (size_t)part / (size_t)parts;
  size_t cut = (even + work->grain / 2) / work->grain * work->grain;
  return cut < work->columns ? cut : work->columns;
}

static double most_columns(const hone_work *work, int parts) {
  size_t most = 0;
  for (int i = 0; i < parts; i++) {
    size_t width = first_column(work, i + 1, parts) - first_column(work, i, parts);
    if (width > most) most = width;
  }
  return (double)most;
}

/* A tile loads its column's weights once, whatever its height: one more row's worth of time. */
static double most_rows(const hone_work *work, int parts) {
  size_t rows = (work->rows + (size_t)parts - 1) / (size_t)parts;
  return (double)rows + (double)((rows + work->height - 1) / work->height);
}

hone_share hone_share_of(const hone_work *work, int part, int parts) {
  double least = INFINITY, least_read = INFINITY;
  int best = 1;
  for (int down = 1; down <= parts; down++) {
    if (parts % down) continue;
    int across = parts / down;
    double time = most_rows(work, down) * most_columns(work, across);
    double read = work->row_weight * across + work->column_weight * down;
    if (time < 0.999 * least || (time <= least && read < least_read))
      best = down, least = time, least_read = read;
  }
  hone_share share;
  int across = parts / best;
  hone_split(work->rows, 1, part / across, best, &share.row, &share.row_end);
  share.column = first_column(work, part % across, across);
  share.column_end = first_column(work, part % across + 1, across);
  return share;
}
