/* string_concat: the strings of two tensors joined pair by pair, with broadcasting. Room: ops. */
#include <string.h>

#include "ops/broadcast.h"
#include "ops/ops.h"

static hone_status *concat_infer(hone_infer *infer) {
  for (int i = 0; i < 2; i++)
    if (infer->in[i]->dtype && infer->in[i]->dtype != HONE_STR)
      return hone_infer_fail(infer, "input %d is of type %s", i,
                             hone_dtype_name(infer->in[i]->dtype));
  return hone_infer_broadcast(infer);
}

static hone_status *join(hone_arena *memory, hone_string a, hone_string b, hone_string *out) {
  size_t size;
  if (!hone_add(a.size, b.size, &size)) return hone_error(HONE_LIMIT, "a string is too long");
  char *text = hone_arena_alloc(memory, size ? size : 1);
  HONE_TRY_MEMORY(text);
  if (a.size) memcpy(text, a.data, a.size);
  if (b.size) memcpy(text + a.size, b.data, b.size);
  *out = (hone_string){text, size};
  return NULL;
}

static hone_status *concat_reference(hone_reference *ref) {
  hone_walk walk;
  hone_string *out = ref->out[0]->data;
  const hone_string *a = ref->in[0]->data, *b = ref->in[1]->data;
  hone_walk_start(&walk, &ref->out[0]->shape, ref->in, 2);
  while (hone_walk_next(&walk))
    for (size_t i = 0; i < walk.row; i++)
      HONE_TRY(join(ref->objects, a[walk.at[0] + (int64_t)i * walk.row_stride[0]],
                    b[walk.at[1] + (int64_t)i * walk.row_stride[1]], out++));
  return NULL;
}

const hone_op hone_op_string_concat = {
    .name = "string_concat",
    .inputs = "a b",
    .outputs = "y",
    .facts = HONE_OBJECTS,
    .infer = concat_infer,
    .reference = concat_reference,
};
