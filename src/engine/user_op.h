/* What a user's op is inside: an op like any other, with the definition behind it. Room: engine. */
#ifndef HONE_ENGINE_USER_OP_H
#define HONE_ENGINE_USER_OP_H

#include <hone/op.h>

#include "backend/backend.h"

typedef struct hone_user_op {
  hone_op op; /* first: the op of a node is this */
  hone_op_definition definition;
  int named_inputs, named_outputs; /* what callbacks see at least, NULL where absent */
} hone_user_op;

static inline int hone_call_inputs(const hone_user_op *op, int given) {
  return given > op->named_inputs ? given : op->named_inputs;
}
static inline int hone_call_outputs(const hone_user_op *op, int given) {
  return given > op->named_outputs ? given : op->named_outputs;
}

/* The user's op behind `op`; NULL for a built-in one. */
const hone_user_op *hone_user_op_of(const hone_op *op);

/* Tensors of a call: structs and the pointers to them, `count` each, all pointers NULL. */
typedef struct hone_call_tensors {
  hone_tensor *tensors;
  hone_tensor **pointers;
} hone_call_tensors;
HONE_MUST_USE hone_status *hone_call_tensors_make(hone_arena *arena, int count,
                                                  hone_call_tensors *out);
/* Makes tensor `index` be there, of this type, its elements at `data`. */
void hone_call_tensor_set(hone_call_tensors *list, int index, const hone_type *type,
                          const void *data);

/* Reads "name: kind = default, …" into the schema; texts come from `arena`. INVALID_ARGUMENT says
 * what is wrong with it. */
HONE_MUST_USE hone_status *hone_schema_parse(const char *text, hone_arena *arena,
                                             hone_attr_def *out);

/* Runs groups of one node of a user's op that has a kernel. */
extern const hone_backend hone_backend_user;
/* The backend that runs `body`. */
const hone_backend *hone_backend_of(const hone_graph *body);

#endif
