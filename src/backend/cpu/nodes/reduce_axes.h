/* What the rows of reduce share: kinds, and the axes to walk. Room: backend/cpu/nodes.
 *
 * Neighbouring axes that are both reduced or both kept are joined. */
#ifndef HONE_BACKEND_CPU_NODES_REDUCE_AXES_H
#define HONE_BACKEND_CPU_NODES_REDUCE_AXES_H

#include "backend/cpu/nodes/node.h"

typedef enum hone_reduce_kind {
  HONE_REDUCE_SUM,
  HONE_REDUCE_MEAN,
  HONE_REDUCE_MAX,
  HONE_REDUCE_MIN,
  HONE_REDUCE_PROD,
  HONE_REDUCE_L1,
  HONE_REDUCE_L2,
  HONE_REDUCE_LOG_SUM,
  HONE_REDUCE_LOG_SUM_EXP,
  HONE_REDUCE_SUM_SQUARE
} hone_reduce_kind;

/* Axes to walk through, in elements. */
typedef struct hone_reduce_walk {
  int rank;
  size_t size[HONE_MAX_RANK], count; /* of all together */
  size_t stride[HONE_MAX_RANK];
} hone_reduce_walk;

typedef struct hone_reduce_axes {
  hone_reduce_walk kept, gone; /* without the innermost axis */
  size_t run;                  /* of the innermost axis */
  bool run_is_gone;
  double terms; /* elements that make one output */
} hone_reduce_axes;

hone_reduce_kind hone_reduce_kind_of(const hone_node *node);
/* False where the axes are not known. */
bool hone_reduce_read(const hone_node_view *view, hone_reduce_axes *out);
/* Where position `index` of the walk lies. */
size_t hone_reduce_offset(const hone_reduce_walk *walk, size_t index);

#endif
