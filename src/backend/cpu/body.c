/* Reading a group's body. Room: backend/cpu. */
#include "backend/cpu/body.h"

#include <string.h>

const hone_node *hone_body_core(const hone_graph *body) {
  const hone_node *core = NULL;
  for (const hone_node *n = body->first; n; n = n->next) {
    if (n->op->facts & (HONE_POINTWISE | HONE_VIEW)) continue;
    if (core) return NULL;
    core = n;
  }
  return core;
}

int hone_body_input(const hone_graph *body, const hone_value *value) {
  for (int i = 0; value && i < body->input_count; i++)
    if (body->inputs[i] == value) return i;
  return -1;
}

float *hone_body_floats(const hone_value *constant, hone_arena *arena, size_t *count) {
  if (!hone_shape_count(&constant->type.shape, count)) return NULL;
  float *floats = hone_arena_array(arena, *count + 1, sizeof *floats);
  if (!floats) return NULL;
  if (constant->type.dtype == HONE_F32) {
    memcpy(floats, constant->constant, *count * sizeof *floats);
    return floats;
  }
  for (size_t i = 0; i < *count; i++)
    floats[i] = (float)hone_load_real(constant->type.dtype, constant->constant, i);
  return floats;
}

bool hone_body_all(const hone_graph *body, hone_dtype dtype) {
  for (int i = 0; i < body->input_count; i++)
    if (body->inputs[i]->type.dtype != dtype) return false;
  for (const hone_node *n = body->first; n; n = n->next)
    for (int i = 0; i < n->output_count; i++)
      if (n->outputs[i] && n->outputs[i]->type.dtype != dtype) return false;
  return true;
}
