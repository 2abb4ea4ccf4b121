/* Where a symbolic size can be read first. Room: passes. */
#include "passes/anchors.h"

#include <string.h>

static hone_status *reserve(hone_anchors *anchors, size_t count) {
  if (count <= anchors->room) return NULL;
  hone_anchor *grown = HONE_NEW_ARRAY(&anchors->arena, count * 2, hone_anchor);
  HONE_TRY_MEMORY(grown);
  if (anchors->room) memcpy(grown, anchors->first, anchors->room * sizeof *grown);
  anchors->first = grown;
  anchors->room = count * 2;
  return NULL;
}

hone_status *hone_anchors_note(hone_anchors *anchors, hone_value *value) {
  if (!value || value->type.kind != HONE_KIND_TENSOR) return NULL;
  HONE_TRY(reserve(anchors, value->graph->root->symbol_count + 1));
  for (int i = 0; i < value->type.shape.rank; i++) {
    hone_dim dim = value->type.shape.dim[i];
    hone_anchor *anchor = hone_dim_known(dim) ? NULL : &anchors->first[-1 - dim];
    if (anchor && !anchor->value) *anchor = (hone_anchor){value, i};
  }
  return NULL;
}

hone_status *hone_anchors_read(hone_anchors *anchors, hone_partials *partials, hone_node *node,
                               hone_value **to) {
  const hone_value *output = hone_node_out(node, 0);
  const hone_partial *partial = output ? hone_partial_of(partials, output) : NULL;
  *to = NULL;
  if (!partial || partial->count != 1 || partial->items[0].kind != HONE_ITEM_SYMBOL) return NULL;
  if (output->type.dtype != HONE_S64) return NULL;
  size_t symbol = (size_t)(-1 - partial->items[0].value);
  hone_anchor anchor = symbol < anchors->room ? anchors->first[symbol] : (hone_anchor){0};
  hone_value *read;
  hone_node *shape;
  if (!anchor.value || (node->op->facts & HONE_VIEW)) return NULL;
  if (node->op == &hone_op_shape && node->inputs[0].value == anchor.value) return NULL;
  HONE_TRY(hone_node_start(node, &hone_op_shape, &anchor.value, 1, &shape));
  HONE_TRY(hone_node_set_int(shape, "start", anchor.axis));
  HONE_TRY(hone_node_set_int(shape, "end", anchor.axis + 1));
  HONE_TRY(hone_node_finish(shape, &read));
  HONE_TRY(hone_partial_node(partials, shape));
  *to = read;
  if (output->type.shape.rank != 0) return NULL;
  HONE_TRY(hone_make_reshape(node, read, &(hone_shape){.rank = 0}, to));
  return hone_partial_node(partials, (*to)->producer);
}
