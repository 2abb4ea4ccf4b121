/* Reading a group's body: the op that makes it, and what follows it. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_BODY_H
#define HONE_BACKEND_CPU_BODY_H

#include "backend/backend.h"
#include "backend/cpu/finish.h"

/* The only node of the body that is neither pointwise nor a view; NULL when there is none, or more
 * than one. */
const hone_node *hone_body_core(const hone_graph *body);
/* Whether the value is a constant of the body. */
static inline bool hone_body_constant(const hone_value *value) {
  return value && value->constant;
}
/* Which input of the body the value is; -1 if none. */
int hone_body_input(const hone_graph *body, const hone_value *value);
/* A constant's elements as floats, copied to `arena`; NULL without memory. */
float *hone_body_floats(const hone_value *constant, hone_arena *arena, size_t *count);
/* Whether all tensors of the body, inputs, constants and results, have this type. */
bool hone_body_all(const hone_graph *body, hone_dtype dtype);

#endif
